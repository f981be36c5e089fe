-- What an operator asks for in the console. Who serves pages holds no role that could do it: gate.place_order writes the
-- row, a worker takes it up and writes here what came of it. Without an end, whoever did it was interrupted.
CREATE TABLE ops.operator_order (
    id bigint GENERATED ALWAYS AS IDENTITY,
    incident_id bigint NOT NULL,
    kind text NOT NULL,
    words text NOT NULL,
    remedy text NOT NULL,
    plan_hash text NOT NULL,
    run_id bigint,
    even_so boolean NOT NULL,
    actor text NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    state text DEFAULT 'waiting' NOT NULL,
    ended_at timestamptz,
    says text,
    told text[] DEFAULT '{}' NOT NULL,
    plan jsonb,
    CONSTRAINT pk_operator_order PRIMARY KEY (id),
    CONSTRAINT fk_operator_order_incident_id FOREIGN KEY (incident_id) REFERENCES ops.incident (id) ON DELETE CASCADE,
    CONSTRAINT ck_operator_order_kind CHECK (kind IN ('acknowledge', 'note', 'close', 'plan', 'apply', 'undo')),
    CONSTRAINT ck_operator_order_state CHECK (state IN ('waiting', 'running', 'done', 'refused', 'interrupted')),
    CONSTRAINT ck_operator_order_ended CHECK ((ended_at IS NULL) = (state IN ('waiting', 'running'))),
    CONSTRAINT ck_operator_order_texts CHECK (length(words) <= 2000 AND length(remedy) <= 60
                                              AND length(plan_hash) <= 64)
);
CREATE INDEX ix_operator_order_incident_id ON ops.operator_order (incident_id);
CREATE INDEX ix_operator_order_open ON ops.operator_order (id) WHERE ended_at IS NULL;
