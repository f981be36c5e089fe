CREATE TABLE tenant (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    plan TEXT DEFAULT 'standard' NOT NULL,
    trial_ends_at TIMESTAMP WITH TIME ZONE,
    timezone TEXT DEFAULT 'Asia/Ho_Chi_Minh' NOT NULL,
    locale TEXT DEFAULT 'en' NOT NULL,
    currency TEXT DEFAULT 'VND' NOT NULL,
    features JSONB DEFAULT '{}' NOT NULL,
    quotas JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_tenant PRIMARY KEY (id),
    CONSTRAINT ck_tenant_status CHECK (status IN ('active', 'trial', 'suspended', 'inactive')),
    CONSTRAINT ck_tenant_slug CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
    CONSTRAINT uq_tenant_slug UNIQUE (slug)
);

CREATE TABLE throttle (
    key BYTEA NOT NULL,
    window_start TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    count BIGINT DEFAULT '0' NOT NULL,
    blocked_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_throttle PRIMARY KEY (key)
);

CREATE TABLE user_account (
    id UUID NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    sort_key TEXT DEFAULT '' NOT NULL,
    password_hash TEXT,
    is_active BOOLEAN DEFAULT 'true' NOT NULL,
    is_operator BOOLEAN DEFAULT 'false' NOT NULL,
    locale TEXT,
    timezone TEXT,
    theme TEXT DEFAULT 'system' NOT NULL,
    totp_secret BYTEA,
    totp_confirmed_at TIMESTAMP WITH TIME ZONE,
    totp_last_step BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_login_at TIMESTAMP WITH TIME ZONE,
    version BIGINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_user_account PRIMARY KEY (id),
    CONSTRAINT uq_user_account_email UNIQUE (email),
    CONSTRAINT ck_user_account_email_folded CHECK (email = lower(email))
);

CREATE TABLE audit_entry (
    tenant_id UUID NOT NULL,
    position BIGINT NOT NULL,
    id UUID NOT NULL,
    actor UUID,
    action TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id UUID NOT NULL,
    before JSONB,
    after JSONB,
    ip TEXT,
    request_id TEXT,
    at TEXT NOT NULL,
    digest BYTEA NOT NULL,
    prev_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_audit_entry PRIMARY KEY (tenant_id, position),
    CONSTRAINT fk_audit_entry_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE INDEX ix_audit_entry_subject ON audit_entry (tenant_id, subject_id, position);

CREATE TABLE event (
    tenant_id UUID NOT NULL,
    position BIGINT NOT NULL,
    id UUID NOT NULL,
    type TEXT NOT NULL,
    actor UUID,
    subject_type TEXT NOT NULL,
    subject_id UUID NOT NULL,
    project_id UUID,
    payload JSONB NOT NULL,
    batch_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_event PRIMARY KEY (tenant_id, position),
    CONSTRAINT fk_event_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE INDEX ix_event_project ON event (tenant_id, project_id, position);

CREATE INDEX ix_event_subject ON event (tenant_id, subject_id, position);

CREATE TABLE idempotency_key (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    status BIGINT NOT NULL,
    response BYTEA,
    location TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_idempotency_key PRIMARY KEY (tenant_id, user_id, key),
    CONSTRAINT fk_idempotency_key_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE TABLE membership (
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    is_default BOOLEAN DEFAULT 'false' NOT NULL,
    joined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    version BIGINT DEFAULT '1' NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_membership PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_membership_role CHECK (role IN ('owner', 'admin', 'pm', 'member', 'viewer', 'client')),
    CONSTRAINT uq_membership_tenant_id_user_id UNIQUE (tenant_id, user_id),
    CONSTRAINT fk_membership_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id),
    CONSTRAINT fk_membership_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_membership_user ON membership (user_id);

CREATE TABLE personal_link (
    token_hash BYTEA NOT NULL,
    user_id UUID,
    kind TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_personal_link PRIMARY KEY (token_hash),
    CONSTRAINT ck_personal_link_kind CHECK (kind IN ('reset', 'sign_in', 'set_up')),
    CONSTRAINT fk_personal_link_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_personal_link_user_id ON personal_link (user_id);

CREATE TABLE recovery_code (
    user_id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    CONSTRAINT pk_recovery_code PRIMARY KEY (user_id, code_hash),
    CONSTRAINT fk_recovery_code_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE TABLE session (
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    form_secret BYTEA NOT NULL,
    stage TEXT DEFAULT 'full' NOT NULL,
    active_tenant UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    idle_seconds BIGINT NOT NULL,
    authenticated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    ip TEXT,
    user_agent TEXT,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT uq_session_token_hash UNIQUE (token_hash),
    CONSTRAINT ck_session_stage CHECK (stage IN ('mfa', 'full')),
    CONSTRAINT fk_session_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_session_user_id ON session (user_id);

CREATE TABLE tenant_head (
    tenant_id UUID NOT NULL,
    position BIGINT DEFAULT '0' NOT NULL,
    audit_position BIGINT DEFAULT '0' NOT NULL,
    audit_hash BYTEA DEFAULT '\x00' NOT NULL,
    versions JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_tenant_head PRIMARY KEY (tenant_id),
    CONSTRAINT fk_tenant_head_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE TABLE ws_ticket (
    tenant_id UUID NOT NULL,
    hash BYTEA NOT NULL,
    user_id UUID NOT NULL,
    session_id UUID,
    token_id UUID,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_ws_ticket PRIMARY KEY (tenant_id, hash),
    CONSTRAINT ck_ws_ticket_hash CHECK (octet_length(hash) = 32),
    CONSTRAINT fk_ws_ticket_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id),
    CONSTRAINT fk_ws_ticket_user_id FOREIGN KEY(user_id) REFERENCES user_account (id)
);

CREATE INDEX ix_ws_ticket_hash ON ws_ticket (hash);

CREATE TABLE api_token (
    member_id UUID NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_api_token PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_api_token_tenant_id_member_id FOREIGN KEY(tenant_id, member_id) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_api_token_token_hash ON api_token (token_hash);

CREATE TABLE invitation (
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    invited_by UUID,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_invitation PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_invitation_role CHECK (role IN ('owner', 'admin', 'pm', 'member', 'viewer', 'client')),
    CONSTRAINT ck_invitation_state CHECK (state IN ('pending', 'accepted', 'declined', 'revoked', 'expired')),
    CONSTRAINT fk_invitation_tenant_id_invited_by FOREIGN KEY(tenant_id, invited_by) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_invitation_token_hash ON invitation (token_hash);

CREATE UNIQUE INDEX uq_invitation_pending ON invitation (tenant_id, email) WHERE state = 'pending';

