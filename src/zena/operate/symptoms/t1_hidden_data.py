"""T1: people do not see what is theirs, and nobody of the firm decided so."""

from typing import Any, Final

from zena.operate.integrity.posture import FENCES, SHUT_OFF, wrong
from zena.operate.symptoms.contract import Diagnosis, Evidence, Hypothesis, Look, Reading, Severity, Symptom, ranked
from zena.operate.symptoms.surroundings import recent_change

#: How far back what was done by hand is looked for, minutes.
WINDOW: Final = 24 * 60
_POLICIES: Final = tuple(fence for fence in FENCES if fence.name in {"policy", "policy of people"})
#: A policy of this kind takes rows away from what the others let pass. Only a quarantine of ours makes one, on purpose.
NARROWING: Final = "narrowing policy"
_NARROWING: Final = """
SELECT format('%s on %s', p.polname, p.polrelid::regclass) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
 WHERE NOT p.polpermissive AND c.relnamespace = 'public'::regnamespace AND p.polname <> $1 ORDER BY 1
"""
#: Whoever is removed or leaves by the product has an event of it. An import brings rows whose events came with them.
_ENDED: Final = """
SELECT m.tenant_id AS firm, count(*) AS people, max(m.ended_at) AS last_at,
       (array_agg(m.user_id ORDER BY m.id))[1:3] AS ids
  FROM membership m JOIN tenant t ON t.id = m.tenant_id JOIN user_account u ON u.id = m.user_id
 WHERE m.ended_at > $1 AND m.ended_at <= $2 AND u.is_active AND t.status IN ('active', 'trial') AND t.plan <> 'probe'
   AND NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = m.tenant_id AND e.subject_id = m.id
                      AND e.type = 'membership.ended')
   AND NOT EXISTS (SELECT FROM event e WHERE e.tenant_id = m.tenant_id AND e.subject_id = m.tenant_id
                      AND e.type = 'tenant.imported' AND e.at >= m.ended_at)
 GROUP BY m.tenant_id ORDER BY m.tenant_id LIMIT 100
"""
#: Suspended without the event that `zena tenant suspend` records, while people were at work in it.
_SUSPENDED: Final = """
SELECT t.id AS firm, s.people, s.last_at, s.ids
  FROM tenant t CROSS JOIN LATERAL (
       SELECT count(DISTINCT o.user_id) AS people, max(o.last_seen_at) AS last_at,
              (array_agg(DISTINCT o.user_id ORDER BY o.user_id))[1:3] AS ids
         FROM session o WHERE o.active_tenant = t.id AND o.last_seen_at > $1 AND o.last_seen_at <= $2) s
 WHERE t.status = 'suspended' AND t.plan <> 'probe' AND s.people > 0
   AND (SELECT e.type FROM event e WHERE e.tenant_id = t.id AND e.subject_id = t.id
           AND e.type IN ('tenant.suspended', 'tenant.resumed') ORDER BY e.position DESC LIMIT 1)
       IS DISTINCT FROM 'tenant.suspended'
 ORDER BY t.id LIMIT 100
"""


async def watch(look: Look) -> list[Reading]:
    """Return a reading of the policies, and one of each firm whose people were shut out by no one's decision."""
    span = look.since(WINDOW), look.now
    ended = [_firm("no_membership", row) for row in await look.conn.fetch(_ENDED, *span)]
    suspended = [_firm("suspended_firm", row) for row in await look.conn.fetch(_SUSPENDED, *span)]
    return [await _policies(look), *ended, *suspended]


async def _policies(look: Look) -> Reading:
    found = [(fence.name, one.sample, one.advice) for fence in _POLICIES for one in await wrong(look.conn, fence)]
    narrowing = [row[0] for row in await look.conn.fetch(_NARROWING, SHUT_OFF)]
    if narrowing:
        found.append((NARROWING, narrowing, "it hides rows: drop it, or say why in its migration"))
    bad = [(name, advice) for _, sample, advice in found for name in sample]
    says = "; ".join(name for name, _ in bad) if bad else "the policies show each firm its rows"
    facts = {
        "policies": [list(one) for one in bad],
        "fallen": [[fence, len(sample), list(sample), advice] for fence, sample, advice in found],
    }
    return Reading("", bool(bad), not bad, says, float(len(bad)), 0.0, facts)


_SAYS: Final = {
    "no_membership": "{} active people lost their membership without a record of who ended it",
    "suspended_firm": "it is suspended without a record of who did it; {} people worked in it",
}


def _firm(cause: str, row: Any) -> Reading:
    people = row["people"]
    # A list, so that several firms at once keep each its own.
    facts = {"shut": [[cause, str(row["firm"]), people, [str(one) for one in row["ids"]], row["last_at"].isoformat()]]}
    return Reading(
        f"firm {row['firm']}", over=True, calm=False, says=_SAYS[cause].format(people), value=float(people), facts=facts
    )


_NEXT: Final = {"no_membership": "zena why access EMAIL RESOURCE", "suspended_firm": "zena tenant resume NAME"}


async def diagnose(look: Look, reading: Reading) -> Diagnosis:
    """Name the policies that hide rows, and the people and firms that were shut out, by their ids."""
    causes: list[Hypothesis | None] = [
        Hypothesis("policy_missing", 0.9, name, [Evidence("catalogue", advice)], "zena tenant verify-isolation")
        for name, advice in reading.facts.get("policies", [])
    ]
    for cause, firm, people, ids, last in reading.facts.get("shut", []):
        told = [Evidence("database", f"people {', '.join(ids)}", {"people": people, "last_at": last})]
        says = f"firm {firm}: {_SAYS[cause].format(people)}"
        causes.append(Hypothesis(cause, 0.9, says, told, _NEXT[cause]))
    return ranked([*causes, await recent_change(look)])


CAUSES: Final = frozenset({"policy_missing", *_SAYS})
SYMPTOM: Final = Symptom("T1", "User cannot see their data", Severity.HIGH, watch, diagnose, CAUSES)
