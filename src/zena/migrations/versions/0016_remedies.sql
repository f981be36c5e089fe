-- One row per remedy that was begun, written before its effect. Without an end, whoever applied it was interrupted.
CREATE TABLE ops.remedy_run (
    id bigint GENERATED ALWAYS AS IDENTITY,
    remedy text NOT NULL,
    symptom text NOT NULL,
    scope text NOT NULL,
    incident_id bigint,
    actor text NOT NULL,
    plan jsonb NOT NULL,
    plan_hash text NOT NULL,
    key text NOT NULL,
    before jsonb NOT NULL,
    at timestamptz NOT NULL,
    ended_at timestamptz,
    verdict text,
    says text,
    undone_at timestamptz,
    undone_by text,
    CONSTRAINT pk_remedy_run PRIMARY KEY (id),
    CONSTRAINT uq_remedy_run_key UNIQUE (key),
    CONSTRAINT fk_remedy_run_incident_id FOREIGN KEY (incident_id) REFERENCES ops.incident (id),
    CONSTRAINT ck_remedy_run_verdict CHECK (verdict IN ('fixed', 'improved', 'no_effect', 'worse', 'inconclusive',
                                                        'interrupted')),
    CONSTRAINT ck_remedy_run_ended CHECK ((ended_at IS NULL) = (verdict IS NULL))
);
CREATE INDEX ix_remedy_run_at ON ops.remedy_run (at);
CREATE INDEX ix_remedy_run_incident_id ON ops.remedy_run (incident_id);
CREATE INDEX ix_remedy_run_unfinished ON ops.remedy_run (id) WHERE ended_at IS NULL;

-- The timeline tells of remedies too. It is small, and written to a few times an hour.
-- squawk-ignore ban-drop-constraint
ALTER TABLE ops.incident_event DROP CONSTRAINT ck_incident_event_kind;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE ops.incident_event ADD CONSTRAINT ck_incident_event_kind CHECK (kind IN ('opened', 'diagnosed', 'folded',
    'acknowledged', 'note', 'closed', 'remedy planned', 'remedy applied', 'remedy verdict', 'remedy undone'));
