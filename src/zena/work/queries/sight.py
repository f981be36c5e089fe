"""Which rows an actor may see, as SQL conditions. Every read of this slice adds them to the tenant's own.

Staff see every project of their firm. A client sees the projects they are a project member of, without internal tasks.
"""

from zena.accounts.permissions import Role
from zena.kit.scope import Scope
from zena.work.queries.bound import Bound


def is_client(scope: Scope) -> bool:
    return scope.role == Role.CLIENT


def project_sight(scope: Scope, bound: Bound, alias: str = "p") -> str:
    """Return the condition on `project` rows; TRUE for staff."""
    if not is_client(scope):
        return "TRUE"
    member = bound.mark(scope.member)
    return (
        f"EXISTS (SELECT 1 FROM project_member sight WHERE sight.tenant_id = {alias}.tenant_id"  # noqa: S608 - our own alias
        f" AND sight.project_id = {alias}.id AND sight.member_id = {member})"
    )


def task_sight(scope: Scope, alias: str = "t") -> str:
    """Return the condition on `task` rows of a project that is seen."""
    return f"NOT {alias}.internal" if is_client(scope) else "TRUE"
