"""Bringing what is sealed under the current key, so that an old one can go: as zena_ops, some people at a time."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from zena.accounts.vault import CodeVault, SealBroken, Vault
from zena.kit.db import Raw
from zena.settings import KeyRing

#: People in one transaction: some milliseconds, for which one who signs in just then may have to wait.
_BATCH: Final = 50
_FIRST: Final = UUID(int=0)

#: A bare digest of 32 bytes is of the first release and names no key.
_UNDER: Final = """
SELECT kind, count(*),
       CASE WHEN octet_length(value) = 32 OR position('\\x00'::bytea IN value) < 2 THEN ''
            ELSE encode(substring(value FROM 1 FOR position('\\x00'::bytea IN value) - 1), 'escape') END AS key
  FROM (SELECT 'seeds' AS kind, totp_secret AS value FROM user_account WHERE totp_secret IS NOT NULL
         UNION ALL SELECT 'recovery codes', code_hash FROM recovery_code) AS sealed
 GROUP BY kind, key ORDER BY kind DESC, key
"""
_PEOPLE: Final = """
SELECT id, totp_secret FROM user_account u
 WHERE id > $1
   AND (substring(totp_secret FROM 1 FOR octet_length($2::bytea)) <> $2::bytea
        OR EXISTS (SELECT FROM recovery_code c WHERE c.user_id = u.id
                      AND substring(c.code_hash FROM 1 FOR octet_length($2::bytea)) <> $2::bytea))
 ORDER BY id LIMIT $3 FOR NO KEY UPDATE
"""
_CODES: Final = """
SELECT user_id, code_hash FROM recovery_code
 WHERE user_id = ANY ($1) AND substring(code_hash FROM 1 FOR octet_length($2::bytea)) <> $2::bytea
 ORDER BY user_id, code_hash
"""
_SET_SEED: Final = "UPDATE user_account SET totp_secret = $2 WHERE id = $1"
_SET_CODE: Final = "UPDATE recovery_code SET code_hash = $3 WHERE user_id = $1 AND code_hash = $2"


@dataclass(slots=True)
class Resealed:
    """What was sealed anew. `unreadable` opens under no key of the ring and stays as it is, by user."""

    seeds: int = 0
    codes: int = 0
    unreadable: set[UUID] = field(default_factory=set)


async def sealed_under(conn: Raw) -> dict[str, dict[str, int]]:
    """Return, by key id, how many seeds and recovery codes are sealed under it; "" for those that name none."""
    found: dict[str, dict[str, int]] = {}
    for row in await conn.fetch(_UNDER):
        found.setdefault(row["key"], {})[row["kind"]] = row["count"]
    return found


async def reseal(conn: Raw, ring: KeyRing) -> Resealed:
    """Seal what is under another key under the current one. Broken off, it goes on where it was; twice is once."""
    done, last = Resealed(), _FIRST
    prefix = ring.current.id.encode() + b"\0"
    while True:
        async with conn.transaction():
            people = await conn.fetch(_PEOPLE, last, prefix, _BATCH)
            await _seeds(conn, ring, [row for row in people if row["totp_secret"] is not None], done)
            await _codes(conn, ring, await conn.fetch(_CODES, [row["id"] for row in people], prefix), done)
        if not people:
            return done
        last = people[-1]["id"]


async def _seeds(conn: Raw, ring: KeyRing, people: list[Any], done: Resealed) -> None:
    vault, anew = Vault(ring), []
    for row in people:
        try:
            anew.append((row["id"], vault.seal(row["id"], vault.open(row["id"], row["totp_secret"]))))
        except SealBroken:
            done.unreadable.add(row["id"])
    await conn.executemany(_SET_SEED, anew)
    done.seeds += len(anew)


async def _codes(conn: Raw, ring: KeyRing, codes: list[Any], done: Resealed) -> None:
    vault, anew = CodeVault(ring), []
    for row in codes:
        try:
            anew.append((row["user_id"], row["code_hash"], vault.reseal(row["user_id"], row["code_hash"])))
        except SealBroken:
            done.unreadable.add(row["user_id"])
    await conn.executemany(_SET_CODE, anew)
    done.codes += len(anew)
