-- What the installation measures of itself. No tenant data: labels are routes, fingerprints, job names, and tenant ids
-- where a count per tenant is kept. The app role writes and cannot read what requests did.
CREATE SCHEMA ops;
GRANT USAGE ON SCHEMA ops TO zena_app, zena_ops, zena_ops_read, zena_backup;

CREATE TABLE ops.series (
    id bigint GENERATED ALWAYS AS IDENTITY,
    metric text NOT NULL,
    label text NOT NULL,
    CONSTRAINT pk_series PRIMARY KEY (id),
    CONSTRAINT uq_series_metric_label UNIQUE (metric, label),
    CONSTRAINT ck_series_label CHECK (length(metric) BETWEEN 1 AND 40 AND length(label) BETWEEN 1 AND 200)
);

-- One row per series, minute and process: its own, so writers never wait for each other. `bins` and `counts` are a
-- logarithmic sketch of the durations in milliseconds.
CREATE TABLE ops.point (
    series_id bigint NOT NULL,
    minute timestamptz NOT NULL,
    process uuid NOT NULL,
    n bigint NOT NULL,
    bad bigint NOT NULL,
    slow bigint NOT NULL,
    total float8 NOT NULL,
    peak float8 NOT NULL,
    bins smallint[] NOT NULL,
    counts bigint[] NOT NULL,
    CONSTRAINT pk_point PRIMARY KEY (minute, series_id, process),
    CONSTRAINT ck_point_counts CHECK (cardinality(bins) = cardinality(counts) AND n >= bad AND n >= slow)
) PARTITION BY RANGE (minute);

-- Points merged over processes, for longer looks back: 5 minutes (kept 35 days) and 1 hour (kept 400).
CREATE TABLE ops.rollup (
    resolution smallint NOT NULL,
    bucket timestamptz NOT NULL,
    series_id bigint NOT NULL,
    n bigint NOT NULL,
    bad bigint NOT NULL,
    slow bigint NOT NULL,
    total float8 NOT NULL,
    peak float8 NOT NULL,
    bins smallint[] NOT NULL,
    counts bigint[] NOT NULL,
    CONSTRAINT pk_rollup PRIMARY KEY (resolution, series_id, bucket),
    CONSTRAINT ck_rollup_resolution CHECK (resolution IN (5, 60))
);
CREATE INDEX ix_rollup_resolution_bucket ON ops.rollup (resolution, bucket);

-- Good and total events of each objective, by the minute: what budgets and burn rates are computed from.
CREATE TABLE ops.sli (
    slo text NOT NULL,
    minute timestamptz NOT NULL,
    good bigint NOT NULL,
    total bigint NOT NULL,
    CONSTRAINT pk_sli PRIMARY KEY (slo, minute),
    CONSTRAINT ck_sli_good CHECK (good BETWEEN 0 AND total)
);

-- A statement as it is sent, without its values, and where in the code it was first seen.
CREATE TABLE ops.statement (
    fingerprint text NOT NULL,
    text text NOT NULL,
    caller text,
    first_seen timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_statement PRIMARY KEY (fingerprint)
);

-- Requests worth a look: slow, failed, refused by permission, and one in a hundred of the others.
CREATE TABLE ops.request (
    at timestamptz NOT NULL,
    request_id text NOT NULL,
    process uuid NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    status smallint NOT NULL,
    ms float8 NOT NULL,
    kept_for text NOT NULL,
    tenant uuid,
    person uuid,
    release text NOT NULL,
    facts jsonb NOT NULL,
    CONSTRAINT pk_request PRIMARY KEY (at, request_id)
) PARTITION BY RANGE (at);
CREATE INDEX ix_request_request_id ON ops.request (request_id);

-- Who is there: each process says so with every flush.
CREATE TABLE ops.heartbeat (
    process uuid NOT NULL,
    role text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    release text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    facts jsonb NOT NULL,
    CONSTRAINT pk_heartbeat PRIMARY KEY (process)
);

-- Deploys, migrations, settings, remedies: what is drawn across every chart.
CREATE TABLE ops.change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    what text NOT NULL,
    actor text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT pk_change PRIMARY KEY (id),
    CONSTRAINT ck_change_kind CHECK (kind IN ('deploy', 'migration', 'setting', 'flag', 'maintenance', 'remedy', 'backup'))
);
CREATE INDEX ix_change_at ON ops.change (at);

GRANT SELECT, INSERT ON ops.series TO zena_app;
GRANT SELECT, INSERT, UPDATE ON ops.point, ops.heartbeat TO zena_app;
GRANT SELECT, INSERT ON ops.statement TO zena_app;
GRANT INSERT ON ops.request, ops.change TO zena_app;

-- The daily partitions from yesterday to `ahead` days on. Called by the migrations and each hour by a worker.
CREATE FUNCTION ops.make_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE parent text; day date; made integer := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['point', 'request'] LOOP
        FOR day IN SELECT generate_series(current_date - 1, current_date + ahead, interval '1 day')::date LOOP
            IF to_regclass(format('ops.%I', parent || to_char(day, '_YYYYMMDD'))) IS NULL THEN
                EXECUTE format('CREATE TABLE ops.%I PARTITION OF ops.%I FOR VALUES FROM (%L) TO (%L)',
                    parent || to_char(day, '_YYYYMMDD'), parent, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
