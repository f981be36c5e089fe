-- Each look at the integrity of the data and what it found.
CREATE TABLE ops.integrity_run (
    id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    kind text NOT NULL,
    checks bigint NOT NULL,
    findings bigint NOT NULL,
    report jsonb NOT NULL,
    CONSTRAINT pk_integrity_run PRIMARY KEY (id),
    CONSTRAINT ck_integrity_run_kind CHECK (kind IN ('nightly', 'command', 'repair'))
);
CREATE INDEX ix_integrity_run_finished_at ON ops.integrity_run (finished_at);

-- Rows as they were before a repair touched them. Tenants' data: for operations and backups only.
CREATE TABLE ops.integrity_undo (
    run_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    relation text NOT NULL,
    repair text NOT NULL,
    tenant_id uuid,
    row_before jsonb NOT NULL,
    CONSTRAINT pk_integrity_undo PRIMARY KEY (run_id, position)
);
REVOKE ALL ON ops.integrity_undo FROM zena_ops_read;
