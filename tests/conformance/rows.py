"""What stands in the database, seen past every policy."""

import json
import re
from collections import Counter

import asyncpg

from tests.conformance.sides import Side
from tests.factories import Firm
from zena.kit.embedded import ClusterUrls

_TABLES = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
)


async def fenced_tables(urls: ClusterUrls) -> set[str]:
    """Return the tables that belong to firms."""
    ops = await asyncpg.connect(urls.ops)
    try:
        return {row["table_name"] for row in await ops.fetch(_TABLES)}
    finally:
        await ops.close()


async def fingerprint(urls: ClusterUrls, firm: Firm) -> dict[str, str]:
    """Return one hash per table of all rows a firm has, so that any change shows where it happened."""
    ops = await asyncpg.connect(urls.ops)
    try:
        names = [row["table_name"] for row in await ops.fetch(_TABLES)]
        each = [
            f"SELECT '{name}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"  # noqa: S608 - a name from the catalog
            f" FROM {name} t WHERE tenant_id = $1"
            for name in names
        ]
        return dict(await ops.fetch(" UNION ALL ".join(each), firm.tenant))
    finally:
        await ops.close()


_USERS = "(SELECT user_id FROM membership WHERE tenant_id = $1)"
#: What is not fenced by tenant and belongs to the people of a firm all the same.
_PEOPLE = {
    "user_account": f"id IN {_USERS}",
    "session": f"user_id IN {_USERS}",
    "recovery_code": f"user_id IN {_USERS}",
    "personal_link": f"user_id IN {_USERS}",
    "tenant": "id = $1",
}
_JOBS = """
SELECT 'job' AS name, jsonb_build_object('name', j.entrypoint, 'payload', convert_from(j.payload, 'UTF8')) AS row
  FROM queue.pgqueuer j
 WHERE j.headers ->> 'tenant' = CAST($1::uuid AS text)
    OR EXISTS (SELECT FROM membership m WHERE m.tenant_id = $1::uuid
                AND position(m.user_id::text IN convert_from(j.payload, 'UTF8')) > 0)"""
_A_WORD = 8  # shorter values stand in any text
#: What is new in every request, or made of chance.
_CHANCE = [
    (re.compile(r'"(request_id|prefix|sort_key|totp_last_step|file_key)": ("[^"]*"|\d+)'), r'"\1": "<chance>"'),
    (re.compile(r"\\\\x[0-9a-f]+|\$argon2[^\"]*"), "<bytes>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:?\d\d|Z)?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}@guest"), "<guest>@guest"),
]


async def picture(urls: ClusterUrls, side: Side) -> Counter[str]:
    """Return every row of a firm, of its people and of its jobs as it stands."""
    ops = await asyncpg.connect(urls.ops)
    try:
        where = {row["table_name"]: "tenant_id = $1" for row in await ops.fetch(_TABLES)} | _PEOPLE
        each = [
            f"SELECT '{name}' AS name, to_jsonb(t) AS row FROM {name} t WHERE {which}"  # noqa: S608 - constants, and names from the catalog
            for name, which in where.items()
        ]
        rows = [*await ops.fetch(" UNION ALL ".join(each), side.world.firm.tenant)]
        rows += await ops.fetch(_JOBS, side.world.firm.tenant)
    finally:
        await ops.close()
    return Counter(
        json.dumps({row["name"]: json.loads(row["row"])}, sort_keys=True, ensure_ascii=False) for row in rows
    )


def likeness(side: Side, rows: Counter[str]) -> list[str]:
    """Return rows so that those of like firms are the same: ids by their name in the side, chance and time by none."""
    names = {value: f"<{name}>" for name, value in side.ids.items() if len(value) > _A_WORD}
    slug = side.world.firm.slug
    found = []
    for text in rows.elements():
        plain = text
        for value, name in names.items():
            plain = plain.replace(value, name)
        own = re.compile(rf"{slug}|\b{slug[-4:]}\b(?!-)")  # not the year of a date
        for pattern, word in (*_CHANCE, (own, "<firm>")):
            plain = pattern.sub(word, plain)
        found.append(plain)
    return sorted(found)
