-- When the workers were last asked to end and be replaced. They look at it; whoever keeps them running starts new ones.
CREATE TABLE queue.restart (
    only_row boolean NOT NULL DEFAULT true,
    at timestamptz NOT NULL,
    CONSTRAINT pk_restart PRIMARY KEY (only_row),
    CONSTRAINT ck_restart_only_row CHECK (only_row)
);
GRANT SELECT ON queue.restart TO zena_queue, zena_ops_read, zena_backup;
GRANT SELECT, INSERT, UPDATE ON queue.restart TO zena_ops;
