-- What somebody asked for that their firm does not have, until a worker has looked whether another firm has it. The app
-- role writes and cannot read it: it must not learn what exists elsewhere. `way` is the session or token they came by.
CREATE TABLE ops.sought (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    person uuid NOT NULL,
    way uuid,
    kind text NOT NULL,
    reference text NOT NULL,
    route text NOT NULL,
    request_id text NOT NULL,
    client text NOT NULL,
    CONSTRAINT pk_sought PRIMARY KEY (id),
    CONSTRAINT ck_sought_texts CHECK (length(kind) <= 200 AND length(reference) <= 200 AND length(route) <= 200
        AND length(request_id) <= 200 AND length(client) <= 200)
);
CREATE INDEX ix_sought_tenant_at ON ops.sought (tenant, at);

-- Attempts: `owner` is the firm that has it. `severity` is high from the fifth within ten minutes on.
CREATE TABLE ops.crossing (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    tenant uuid NOT NULL,
    person uuid NOT NULL,
    way uuid,
    kind text NOT NULL,
    reference text NOT NULL,
    route text NOT NULL,
    request_id text NOT NULL,
    client text NOT NULL,
    owner uuid NOT NULL,
    severity text NOT NULL,
    CONSTRAINT pk_crossing PRIMARY KEY (id),
    CONSTRAINT ck_crossing_severity CHECK (severity IN ('low', 'high'))
);
CREATE INDEX ix_crossing_at ON ops.crossing (at);
CREATE INDEX ix_crossing_person_at ON ops.crossing (tenant, person, at);

GRANT INSERT ON ops.sought TO zena_app;
GRANT SELECT (at) ON ops.sought TO zena_app;

-- Who listens where, to be counted over all processes. Not logged: it means nothing once the processes are gone. A seat
-- counts while its process says that it is there; a firm sees and writes its own seats alone.
CREATE UNLOGGED TABLE ops.live_process (
    process uuid NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT pk_live_process PRIMARY KEY (process)
);
CREATE UNLOGGED TABLE ops.live_seat (
    tenant uuid NOT NULL,
    id uuid NOT NULL,
    process uuid NOT NULL,
    person uuid,
    CONSTRAINT pk_live_seat PRIMARY KEY (tenant, id),
    CONSTRAINT fk_live_seat_process FOREIGN KEY (process) REFERENCES ops.live_process (process) ON DELETE CASCADE
);
CREATE INDEX ix_live_seat_process ON ops.live_seat (process);
ALTER TABLE ops.live_seat ENABLE ROW LEVEL SECURITY;
ALTER TABLE ops.live_seat FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ops.live_seat FOR ALL TO zena_app
    USING (tenant = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON ops.live_process TO zena_app;
GRANT SELECT, INSERT, DELETE ON ops.live_seat TO zena_app;
