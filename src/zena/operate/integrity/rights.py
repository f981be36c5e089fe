"""What the application may do in the database: as the migrations grant it, and as it is."""

from pathlib import Path
from typing import Final

#: The revision, then one right in each line, as GRANT takes it: `python -m scripts.migrations rights` writes the file.
_FIRST, *_REST = Path(__file__).with_name("rights.txt").read_text(encoding="utf-8").splitlines()
REVISION: Final = _FIRST.removeprefix("# of revision ")
RIGHTS: Final = tuple(_REST)

# Partitions come and go with the days; the application reaches them through their table.
HELD: Final = """
SELECT format('%s ON %s', r.privilege_type, it.what) AS line FROM (
  SELECT nspacl AS acl, format('SCHEMA %I', nspname) AS what, nspname AS place FROM pg_namespace
   UNION ALL
  SELECT relacl, format('%s %I.%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname), nspname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT relispartition
   UNION ALL
  SELECT proacl, format('FUNCTION %I.%I(%s)', nspname, proname, oidvectortypes(proargtypes)), nspname
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  ) AS it, LATERAL aclexplode(it.acl) AS r
 WHERE it.place IN ('public', 'ops', 'queue', 'gate') AND r.grantee = to_regrole('zena_app')
 UNION ALL
SELECT format('%s (%I) ON TABLE %I.%I', r.privilege_type, attname, nspname, relname)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
       LATERAL aclexplode(a.attacl) AS r
 WHERE nspname IN ('public', 'ops', 'queue', 'gate') AND NOT relispartition AND r.grantee = to_regrole('zena_app')
"""
# A database of another revision has other rights, and rightly.
_SAME: Final = f"(SELECT version_num FROM public.alembic_version) = '{REVISION}'"  # noqa: S608 - a constant
_ALSO: Final = "EXISTS (SELECT FROM held WHERE held.line = listed.line)"
MISSING: Final = f"""
WITH held AS ({HELD}) SELECT line FROM unnest($1::text[]) AS listed (line) WHERE {_SAME} AND NOT {_ALSO}
"""  # noqa: S608 - constants
# Of single columns only the firm's is looked at, elsewhere: one that was renamed has kept its rights.
BEYOND: Final = f"""
WITH held AS ({HELD}), listed AS (SELECT unnest($1::text[]) AS line)
SELECT line FROM held WHERE {_SAME} AND line NOT SIMILAR TO '[A-Z]+ \\(%' AND line NOT IN (SELECT line FROM listed)
   AND split_part(line, ' ON ', 2) IN (SELECT split_part(line, ' ON ', 2) FROM listed)
"""  # noqa: S608 - constants
