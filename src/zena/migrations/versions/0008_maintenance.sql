-- Open, reading only, or closed: one row, which every process looks at twice a second. Changed as zena_ops only.
CREATE TABLE ops.maintenance (
    single boolean NOT NULL DEFAULT true,
    mode text NOT NULL DEFAULT 'up',
    message text NOT NULL DEFAULT '',
    retry_after bigint NOT NULL DEFAULT 60,
    since timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_maintenance PRIMARY KEY (single),
    CONSTRAINT ck_maintenance_single CHECK (single),
    CONSTRAINT ck_maintenance_mode CHECK (mode IN ('up', 'read_only', 'down')),
    CONSTRAINT ck_maintenance_message CHECK (length(message) <= 300),
    CONSTRAINT ck_maintenance_retry_after CHECK (retry_after BETWEEN 1 AND 86400)
);
INSERT INTO ops.maintenance DEFAULT VALUES;
GRANT SELECT ON ops.maintenance TO zena_app;

-- The release, the revision and the settings of the last start: what differs from them is a change.
CREATE TABLE ops.seen (
    name text NOT NULL,
    value jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_seen PRIMARY KEY (name)
);
