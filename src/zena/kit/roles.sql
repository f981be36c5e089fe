-- The roles and the empty database of Zena, for psql 16 or newer. Safe to run again.
-- Run as a superuser, or as a role with CREATEDB, CREATEROLE and BYPASSRLS:
--   psql -v owner_password=... -v app_password=... -v ops_password=... -v ops_read_password=... -v backup_password=...
-- A password that is not given is left as it is. Other variables: database (zena), template (template0).
\set ON_ERROR_STOP on
SET client_min_messages = warning;
\if :{?database}
\else
  \set database zena
\endif
\if :{?template}
\else
  \set template template0
\endif

-- owner: owns and migrates the tables      app: web and worker, held by row-level security
-- ops: operations, sees all tenants        ops_read: diagnosis, reads statistics      backup: reads everything
SELECT format('CREATE ROLE %I LOGIN %s', name, attribute)
  FROM (VALUES ('zena_owner', ''), ('zena_app', ''), ('zena_ops', 'BYPASSRLS'), ('zena_ops_read', ''),
               ('zena_backup', 'BYPASSRLS')) AS wanted (name, attribute)
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) \gexec

-- A backup is restored into a database of its own before it takes the place of the old one, or counts as a backup.
ALTER ROLE zena_owner CREATEDB;
-- Base backups need it; whoever is no superuser and has no REPLICATION cannot give it, and does without those.
SELECT 'ALTER ROLE zena_backup REPLICATION'
  FROM pg_catalog.pg_roles WHERE rolname = current_user AND (rolsuper OR rolreplication) \gexec

-- The web only puts jobs into the queue. The worker's queue connections take this role on, which may read and end them.
SELECT 'CREATE ROLE zena_queue NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'zena_queue') \gexec

\if :{?owner_password}
  ALTER ROLE zena_owner PASSWORD :'owner_password';
\endif
\if :{?app_password}
  ALTER ROLE zena_app PASSWORD :'app_password';
\endif
\if :{?ops_password}
  ALTER ROLE zena_ops PASSWORD :'ops_password';
\endif
\if :{?ops_read_password}
  ALTER ROLE zena_ops_read PASSWORD :'ops_read_password';
\endif
\if :{?backup_password}
  ALTER ROLE zena_backup PASSWORD :'backup_password';
\endif

-- A creator without superuser must be able to act as the owner and as ops below.
SELECT format('GRANT zena_owner, zena_ops TO %I WITH SET TRUE, INHERIT FALSE', current_user)
  FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolsuper \gexec

GRANT zena_owner, zena_app TO zena_ops WITH SET TRUE, INHERIT FALSE;
GRANT zena_app TO zena_ops WITH ADMIN TRUE;
GRANT zena_queue TO zena_app, zena_ops WITH SET TRUE, INHERIT FALSE;
GRANT pg_monitor, pg_signal_backend, pg_use_reserved_connections TO zena_ops;
GRANT pg_monitor, pg_use_reserved_connections TO zena_ops_read;
GRANT pg_read_all_data TO zena_backup;
SELECT 'GRANT pg_maintain TO zena_ops' WHERE current_setting('server_version_num')::int >= 170000 \gexec

-- Where a pooler stands between, connections cannot bring these settings along.
ALTER ROLE zena_app SET timezone = 'UTC';
ALTER ROLE zena_app SET lock_timeout = '2s';
ALTER ROLE zena_app SET statement_timeout = '60s';
ALTER ROLE zena_app SET idle_in_transaction_session_timeout = '60s';

SELECT format('CREATE DATABASE %I OWNER zena_owner TEMPLATE %I ENCODING ''UTF8''', :'database', :'template')
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'database') \gexec
