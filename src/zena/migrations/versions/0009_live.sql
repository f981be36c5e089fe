-- Who listens to what is written nowhere; an operator's command asks, and each process answers for itself. The command
-- takes its question away when it has read the answers.
CREATE TABLE ops.live_question (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_live_question PRIMARY KEY (id)
);
CREATE TABLE ops.live_answer (
    question_id uuid NOT NULL,
    process uuid NOT NULL,
    role text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    facts jsonb NOT NULL,
    CONSTRAINT pk_live_answer PRIMARY KEY (question_id, process),
    CONSTRAINT fk_live_answer_question_id FOREIGN KEY (question_id) REFERENCES ops.live_question (id) ON DELETE CASCADE
);
GRANT SELECT ON ops.live_question TO zena_app;
GRANT INSERT ON ops.live_answer TO zena_app;
