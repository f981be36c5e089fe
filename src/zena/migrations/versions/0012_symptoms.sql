-- Where a statement comes from is looked up once it was slow: often long after it was first seen.
GRANT UPDATE (caller) ON ops.statement TO zena_app;

-- Who looks, and when each look last came to its end: silence of a detector is not health.
CREATE TABLE ops.detector (
    symptom text NOT NULL,
    looked_at timestamptz NOT NULL,
    took_ms float8 NOT NULL,
    database_ms float8 NOT NULL,
    error text,
    CONSTRAINT pk_detector PRIMARY KEY (symptom)
);

-- What each symptom last said of each scope that is not well.
CREATE TABLE ops.symptom (
    symptom text NOT NULL,
    scope text NOT NULL,
    state text NOT NULL,
    since timestamptz NOT NULL,
    looks bigint NOT NULL,
    calm bigint NOT NULL,
    calm_since timestamptz,
    says text NOT NULL,
    value float8,
    looked_at timestamptz NOT NULL,
    CONSTRAINT pk_symptom PRIMARY KEY (symptom, scope),
    CONSTRAINT ck_symptom_state CHECK (state IN ('suspect', 'open'))
);

-- One row per time that something was wrong. That there is one open incident per symptom and scope is held here, not in
-- code: two that watch at once cannot open two.
CREATE TABLE ops.incident (
    id bigint GENERATED ALWAYS AS IDENTITY,
    symptom text NOT NULL,
    scope text NOT NULL,
    severity text NOT NULL,
    says text NOT NULL,
    cause text,
    parent_id bigint,
    began_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    acked_at timestamptz,
    mitigated_at timestamptz,
    verified_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT pk_incident PRIMARY KEY (id),
    CONSTRAINT fk_incident_parent_id FOREIGN KEY (parent_id) REFERENCES ops.incident (id),
    CONSTRAINT ck_incident_severity CHECK (severity IN ('critical', 'high', 'medium')),
    CONSTRAINT ck_incident_parent CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX uq_incident_open ON ops.incident (symptom, scope) WHERE closed_at IS NULL;
CREATE INDEX ix_incident_opened_at ON ops.incident (opened_at);
CREATE INDEX ix_incident_parent_id ON ops.incident (parent_id);

-- The timeline: only ever added to. Each entry's hash covers the one before.
CREATE TABLE ops.incident_event (
    incident_id bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    body jsonb NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT pk_incident_event PRIMARY KEY (incident_id, seq),
    CONSTRAINT fk_incident_event_incident_id FOREIGN KEY (incident_id) REFERENCES ops.incident (id),
    CONSTRAINT ck_incident_event_kind CHECK (kind IN ('opened', 'diagnosed', 'folded', 'acknowledged', 'note',
                                                      'closed'))
);

-- Who does what only one may do, and until when it is theirs unless they renew it.
CREATE TABLE ops.lease (
    name text NOT NULL,
    holder uuid NOT NULL,
    until timestamptz NOT NULL,
    CONSTRAINT pk_lease PRIMARY KEY (name)
);
