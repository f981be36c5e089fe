"""How the API of work answers: JSON as the database made it, with the object's version as ETag."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from sqlalchemy.ext.asyncio import AsyncSession

from zena.accounts.permissions import Permission
from zena.kit.access import may
from zena.kit.db import raw
from zena.kit.errors import plain_text
from zena.kit.scope import Scope
from zena.kit.versions import etag
from zena.work.queries import wanted
from zena.work.queries.projects import PARAMETERS as PROJECT_PARAMETERS
from zena.work.queries.projects import one_project
from zena.work.queries.shapes import TaskDetail
from zena.work.queries.tasks import one_task

AnyRequest = Request[Any, Any, Any]
JSON = "application/json"


class MovedTask(TaskDetail, frozen=True, kw_only=True):
    """The task as it is now, and what the mover should know."""

    warnings: list[str]


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Root of request bodies: an unknown field is an error, not an oversight (B04)."""

    def given(self, *leave_out: str) -> dict[str, Any]:
        """Return the fields that were sent; null is a value, absence is none."""
        fields = ((name, getattr(self, name)) for name in self.__struct_fields__ if name not in leave_out)
        return {name: value for name, value in fields if value is not msgspec.UNSET}


def answers(shape: Any, status: int = 200, description: str = "") -> dict[int, ResponseSpec]:
    """Describe an answer whose JSON does not pass through its Struct."""
    return {status: ResponseSpec(shape, generate_examples=False, description=description or "As it is now")}


def json_answer(
    body: bytes, version: int | None = None, *, status: int = 200, at: str | None = None
) -> Response[bytes]:
    headers: dict[str, str] = {} if version is None else etag(version)
    if at is not None:
        headers["Location"] = at
    return Response(body, status_code=status, headers=headers, media_type=JSON)


async def task_answer(session: AsyncSession, actor: Scope, task_id: UUID, *, status: int = 200) -> Response[bytes]:
    """Answer with a task as it is now, in the trash or not."""
    body, version = await one_task(await raw(session), actor, task_id, trashed=True)
    return json_answer(body, version, status=status, at=f"/api/v1/app/tasks/{task_id}" if status == 201 else None)  # noqa: PLR2004 - created


async def moved_answer(session: AsyncSession, actor: Scope, task_id: UUID, warnings: list[str]) -> Response[bytes]:
    body, version = await one_task(await raw(session), actor, task_id)
    return json_answer(b'%s,"warnings":%s}' % (body[:-1], msgspec.json.encode(warnings, enc_hook=plain_text)), version)


async def project_answer(
    session: AsyncSession, actor: Scope, project_id: UUID, *, status: int = 200
) -> Response[bytes]:
    """Answer with a project as it is now, in the trash or not."""
    body, version = await one_project(await raw(session), actor, project_id, trashed=True)
    return json_answer(body, version, status=status, at=f"/api/v1/app/projects/{project_id}" if status == 201 else None)  # noqa: PLR2004 - created


def may_list(permission: Permission, operation: "type[TaskListOperation]") -> dict[str, Any]:
    """`may` for a list that reads its own query parameters."""
    return {**may(permission), "query": frozenset(operation.parameters_of)}


def query_of(request: AnyRequest) -> list[tuple[str, str]]:
    """Return the query parameters as sent, repeated ones too."""
    return list(request.query_params.multi_items())


_KINDS: Final[dict[str, Schema]] = {
    "count": Schema(type=OpenAPIType.INTEGER, enum=[0, 1]),
    "mine": Schema(type=OpenAPIType.BOOLEAN),
    "closed": Schema(type=OpenAPIType.BOOLEAN),
    "archived": Schema(type=OpenAPIType.BOOLEAN),
    "due_from": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE),
    "due_to": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE),
}


@dataclass  # again, or the framework's own __init__ never looks at __post_init__
class TaskListOperation(Operation):
    """Describes the parameters of a list of tasks, which are read by hand so that each is refused by name."""

    parameters_of: ClassVar[Mapping[str, str]] = wanted.PARAMETERS

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING, min_length=1)
        mine = [
            Parameter(name=name, param_in="query", schema=_KINDS.get(name, text), description=said, required=False)
            for name, said in self.parameters_of.items()
        ]
        self.parameters = [*(self.parameters or []), *mine]


class AllTasksOperation(TaskListOperation):
    parameters_of = {**wanted.PARAMETERS, "archived": "`true`: tasks of archived projects too"}  # noqa: RUF012 - a constant


class ProjectListOperation(TaskListOperation):
    parameters_of = PROJECT_PARAMETERS


class PageOperation(TaskListOperation):
    parameters_of = {name: wanted.PARAMETERS[name] for name in ("limit", "cursor")}  # noqa: RUF012 - a constant


@dataclass
class UploadOperation(Operation):
    """Describes a multipart body with one file, which is read by hand."""

    def __post_init__(self) -> None:
        file = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        body = Schema(
            type=OpenAPIType.OBJECT, required=["file"], properties={"file": file}, additional_properties=False
        )
        self.request_body = RequestBody({"multipart/form-data": OpenAPIMediaType(schema=body)}, required=True)
