"""What to keep running: handed from the command that checked the settings to the supervisor it becomes."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_VARIABLES = {
    "app": "ZENA_DATABASE_URL",
    "owner": "ZENA_DATABASE_OWNER_URL",
    "ops": "ZENA_DATABASE_OPS_URL",
    "ops_read": "ZENA_DATABASE_OPS_READ_URL",
    "backup": "ZENA_DATABASE_BACKUP_URL",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """One process: its command, the database roles whose URLs it may hold, and its seconds to end after SIGTERM.

    After `patience` seconds without a sign of life it is killed, and started again. A `late` one starts when the others
    take work: the first page need not wait for it.
    """

    name: str
    command: Sequence[str]
    roles: Sequence[str]
    grace: float = 25.0
    late: bool = False
    patience: float = 20.0

    @property
    def kind(self) -> str:
        """What it does, whatever its number: web-2 is a web."""
        return self.name.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the supervisor needs; it never reads settings itself.

    `prepare` runs once while the others load, and holds them back until it has done well. Its last line of output
    is JSON: `{"line": what to tell the operator}`. `database` is the name of the embedded one.
    `listeners` are the descriptors of the bound sockets that children inherit. `log` says where events
    are kept: `path`, `max_bytes` and `keep` of a log file, or nothing. `values` are the settings that the processes
    have from the file of settings: they are handed out, so that a file half edited reaches nobody before it is asked
    for.
    """

    data_dir: str
    url: str
    children: Sequence[Spec]
    embedded: bool = False
    database: str = "zena"
    prepare: Spec | None = None
    listeners: Sequence[int] = ()
    state_name: str = "serve.json"
    server_options: Mapping[str, str] = field(default_factory=dict)
    log: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)

    def to_descriptor(self) -> int:
        """Write the plan where an exec'ed process can read it, off the command line, and return the descriptor."""
        with tempfile.TemporaryFile() as stream:
            stream.write(json.dumps(asdict(self)).encode())
            stream.flush()
            descriptor = os.dup(stream.fileno())
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - the library's signature
        return descriptor

    @classmethod
    def from_descriptor(cls, descriptor: int) -> "Plan":
        with os.fdopen(descriptor, "rb") as stream:
            stream.seek(0)
            read = json.load(stream)
        prepare = read.pop("prepare")
        children = tuple(Spec(**child) for child in read.pop("children"))
        return cls(**read, children=children, prepare=Spec(**prepare) if prepare else None)

    @property
    def state_file(self) -> Path:
        return Path(self.data_dir) / self.state_name


def environment(
    spec: Spec, own: Mapping[str, str], embedded: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Return a child's environment, without the URLs of roles it must not hold.

    It is ours, the embedded server's URLs, and what the file of settings had, which the child then does not read.
    """
    merged = {**values, **own, **embedded, "ZENA_CONFIG_FILE": ""}
    for role, variable in _VARIABLES.items():
        if role not in spec.roles:
            merged.pop(variable, None)
            merged.pop(f"{variable}_FILE", None)
    return merged
