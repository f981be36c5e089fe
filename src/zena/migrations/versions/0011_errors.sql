-- Errors with the same code, class and place in our code. Messages are without secrets and without what stands in quotes.
-- The app role counts, and cannot read the messages.
CREATE TABLE ops.error_group (
    fingerprint text NOT NULL,
    code text NOT NULL,
    what text NOT NULL,
    place text NOT NULL,
    channel text NOT NULL,
    message text NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    count bigint NOT NULL,
    tenants uuid[] NOT NULL,
    releases text[] NOT NULL,
    request_id text,
    CONSTRAINT pk_error_group PRIMARY KEY (fingerprint),
    CONSTRAINT ck_error_group_bounds CHECK (cardinality(tenants) <= 50 AND cardinality(releases) <= 10),
    CONSTRAINT ck_error_group_texts CHECK (length(code) <= 100 AND length(what) <= 300 AND length(message) <= 300)
);
CREATE INDEX ix_error_group_last_seen ON ops.error_group (last_seen);

-- How many of them in which hour.
CREATE TABLE ops.error_hour (
    fingerprint text NOT NULL,
    hour timestamptz NOT NULL,
    count bigint NOT NULL,
    CONSTRAINT pk_error_hour PRIMARY KEY (fingerprint, hour)
);
CREATE INDEX ix_error_hour_hour ON ops.error_hour (hour);

GRANT INSERT, UPDATE ON ops.error_group, ops.error_hour TO zena_app;
GRANT SELECT (fingerprint, first_seen, last_seen, count, tenants, releases, request_id) ON ops.error_group TO zena_app;
GRANT SELECT ON ops.error_hour TO zena_app;
