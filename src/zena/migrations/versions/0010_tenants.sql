-- What remains of a firm that was deleted: when, and how much of what. No name of anybody. A row without an end is a
-- deletion that was interrupted, and goes on when it is asked for again.
CREATE TABLE ops.erasure (
    tenant_id uuid NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    exported boolean NOT NULL DEFAULT false,
    ended_at timestamptz,
    counts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT pk_erasure PRIMARY KEY (tenant_id)
);
