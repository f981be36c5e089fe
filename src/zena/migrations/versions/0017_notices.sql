-- When an incident became graver than it was opened as; and whether it comes and goes, so that it is not told each time.
ALTER TABLE ops.incident ADD COLUMN worse_at timestamptz, ADD COLUMN flapping boolean NOT NULL DEFAULT false;

-- What is to be told of an incident, one row per channel. Written with what it tells of, sent later, tried again until
-- it is taken; the key holds that nobody is told twice of the same.
CREATE TABLE ops.notice (
    id bigint GENERATED ALWAYS AS IDENTITY,
    incident_id bigint NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    key text NOT NULL,
    body jsonb NOT NULL,
    at timestamptz NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    sent_at timestamptz,
    failed_at timestamptz,
    error text,
    error_at timestamptz,
    ref text,
    CONSTRAINT pk_notice PRIMARY KEY (id),
    CONSTRAINT uq_notice_key UNIQUE (key),
    CONSTRAINT fk_notice_incident_id FOREIGN KEY (incident_id) REFERENCES ops.incident (id) ON DELETE CASCADE,
    CONSTRAINT ck_notice_kind CHECK (kind IN ('opened', 'worse', 'acknowledged', 'verdict', 'closed', 'reminder',
                                              'escalated', 'flapping')),
    CONSTRAINT ck_notice_ended CHECK (sent_at IS NULL OR failed_at IS NULL)
);
CREATE INDEX ix_notice_incident_id ON ops.notice (incident_id, channel);
CREATE INDEX ix_notice_waiting ON ops.notice (channel, next_at) WHERE sent_at IS NULL AND failed_at IS NULL;

-- When nobody is to be told: of one symptom, or of any. What happens meanwhile is recorded all the same.
CREATE TABLE ops.mute (
    id bigint GENERATED ALWAYS AS IDENTITY,
    symptom text,
    reason text NOT NULL,
    actor text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_mute PRIMARY KEY (id),
    CONSTRAINT ck_mute_until CHECK (until > since)
);
CREATE INDEX ix_mute_until ON ops.mute (until) WHERE ended_at IS NULL;
