-- A firm keeps who of the installation's staff looked at it, why and until when: a name and no key to the account, for
-- the row outlives it, and goes along when the firm is taken elsewhere.
CREATE TABLE support_visit (
    operator_id UUID NOT NULL,
    operator_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_how TEXT,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_support_visit PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_support_visit_reason CHECK (length(reason) BETWEEN 10 AND 500),
    CONSTRAINT ck_support_visit_time CHECK (ends_at > began_at AND ends_at <= began_at + interval '4 hours'),
    CONSTRAINT ck_support_visit_ended CHECK ((ended_at IS NULL) = (ended_how IS NULL)),
    CONSTRAINT ck_support_visit_ended_how CHECK (ended_how IN ('left', 'firm', 'operations', 'limit', 'access')),
    CONSTRAINT fk_support_visit_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE INDEX ix_support_visit_open ON support_visit (tenant_id, ends_at) WHERE ended_at IS NULL;

-- Which visit a session makes: one at most, and it ends with the session.
ALTER TABLE session ADD COLUMN visit_tenant UUID, ADD COLUMN visit_id UUID;
GRANT UPDATE (visit_tenant, visit_id) ON session TO zena_app;
