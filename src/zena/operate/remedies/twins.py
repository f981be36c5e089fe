"""What is often done against these symptoms and does harm, why it is not offered, and what is done instead."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Twin:
    """A habit that does harm, the symptoms that tempt to it, why not, and the command that does what was meant."""

    habit: str
    symptoms: frozenset[str]
    why: str
    instead: str


TWINS: Final[tuple[Twin, ...]] = (
    Twin(
        "retry every failed job at once",
        frozenset({"Q1", "Q2"}),
        "what made them fail makes them fail again, all at once",
        "zena queue retry --fingerprint FINGERPRINT",
    ),
    Twin(
        "clear the whole cache",
        frozenset({"A1", "C1", "C2", "D1", "D2"}),
        "every firm's figures are computed anew in the same moment",
        "zena cache clear --tenant FIRM --family FAMILY",
    ),
    Twin(
        "list the shared cache with KEYS",
        frozenset({"C1", "C2", "D2"}),
        "the cache answers nobody until it has read every key",
        "zena cache keys PATTERN",
    ),
    Twin(
        "open the folder of logs with chmod 755",
        frozenset({"E1"}),
        "everybody on the machine may read the logs then; ours belong to the account that runs Zena",
        "zena status",
    ),
    Twin(
        "restart the database",
        frozenset({"A2", "B1", "B2"}),
        "every request under way fails, and whoever left connections open leaves them open again",
        "zena db activity --all",
    ),
    Twin(
        "raise max_connections",
        frozenset({"B2"}),
        "each takes memory, and a leak fills those too",
        "zena db activity --all",
    ),
    Twin(
        "restart everything",
        frozenset({"A1", "D1", "Q1", "W1", "W2", "X1"}),
        "requests are refused meanwhile, and what was wrong is gone before anybody has seen it",
        "zena restart web",
    ),
    Twin(
        "create an index on the running table",
        frozenset({"A1", "B1", "D1"}),
        "nobody can write to the table until it is built",
        "zena runbook plan create_index",
    ),
    Twin(
        "set somebody's password in a shell",
        frozenset({"U1"}),
        "it stands in the history of the shell, and sessions of a thief go on",
        "zena user reset-link PERSON",
    ),
)


def not_done(symptom: str) -> list[Twin]:
    """Return what tempts at a symptom and is not offered."""
    return [one for one in TWINS if symptom in one.symptoms]
