-- What a database of Zena has before the first table: schemas, and who gets what by default. Safe to run again.
-- Run in that database as a role that may become zena_owner and zena_ops; `database` holds its name.
SET ROLE zena_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO zena_app, zena_ops, zena_ops_read, zena_backup;
GRANT TEMPORARY, CREATE ON DATABASE :"database" TO zena_ops;
ALTER SCHEMA public OWNER TO zena_owner;
SELECT 'CREATE SCHEMA queue' WHERE to_regnamespace('queue') IS NULL \gexec
REVOKE ALL ON SCHEMA public, queue FROM PUBLIC;
GRANT USAGE ON SCHEMA public, queue TO zena_app, zena_ops, zena_ops_read, zena_backup;
-- The app role gets nothing by default: each migration grants what its tables need.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO zena_ops;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO zena_ops;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO zena_ops;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO zena_ops_read, zena_backup;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO zena_ops_read, zena_backup;
RESET ROLE;

-- Functions that may look before a tenant is known: owned by ops, reviewed one by one.
SET ROLE zena_ops;
SELECT 'CREATE SCHEMA gate' WHERE to_regnamespace('gate') IS NULL \gexec
REVOKE ALL ON SCHEMA gate FROM PUBLIC;
GRANT USAGE ON SCHEMA gate TO zena_app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
RESET ROLE;
