CREATE TABLE label (
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    hue BIGINT DEFAULT '0' NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_label PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_label_hue CHECK (hue BETWEEN 0 AND 11),
    CONSTRAINT uq_label_tenant_id_name_key UNIQUE (tenant_id, name_key),
    CONSTRAINT fk_label_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE TABLE assignee_stats (
    tenant_id UUID NOT NULL,
    member_id UUID NOT NULL,
    open BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_assignee_stats PRIMARY KEY (tenant_id, member_id),
    CONSTRAINT fk_assignee_stats_tenant_id_member_id FOREIGN KEY(tenant_id, member_id) REFERENCES membership (tenant_id, id)
)
 WITH (fillfactor = 50);

CREATE TABLE bulk_change (
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    before JSONB NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    undone_by UUID,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_bulk_change PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_bulk_change_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_bulk_change_tenant_id_undone_by FOREIGN KEY(tenant_id, undone_by) REFERENCES membership (tenant_id, id)
);

CREATE TABLE project (
    tenant_id UUID NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    sort_key TEXT COLLATE "C" DEFAULT '' NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    owner_id UUID,
    start_on DATE,
    end_on DATE,
    status TEXT DEFAULT 'planning' NOT NULL,
    priority TEXT DEFAULT 'normal' NOT NULL,
    risk_level TEXT DEFAULT 'low' NOT NULL,
    budget_planned BIGINT,
    budget_actual BIGINT,
    tags TEXT[] DEFAULT '{}' NOT NULL,
    position TEXT COLLATE "C" NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    archived_from TEXT,
    archived_at TIMESTAMP WITH TIME ZONE,
    archived_by UUID,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by UUID,
    version BIGINT DEFAULT '1' NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_project PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_project_status CHECK (status IN ('planning', 'active', 'on_hold', 'completed', 'cancelled', 'archived')),
    CONSTRAINT ck_project_priority CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT ck_project_risk_level CHECK (risk_level IN ('low', 'medium', 'high')),
    CONSTRAINT ck_project_key CHECK (key ~ '^[A-Z][A-Z0-9]{1,9}$'),
    CONSTRAINT ck_project_dates CHECK (start_on IS NULL OR end_on IS NULL OR start_on <= end_on),
    CONSTRAINT ck_project_archived CHECK ((status = 'archived') = (archived_at IS NOT NULL)),
    CONSTRAINT uq_project_tenant_id_key UNIQUE (tenant_id, key),
    CONSTRAINT fk_project_tenant_id_owner_id FOREIGN KEY(tenant_id, owner_id) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_project_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_project_tenant_id_archived_by FOREIGN KEY(tenant_id, archived_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_project_tenant_id_deleted_by FOREIGN KEY(tenant_id, deleted_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_project_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE INDEX ix_project_listed ON project (tenant_id, position, id) WHERE deleted_at IS NULL;

CREATE TABLE import_run (
    project_id UUID NOT NULL,
    created_by UUID,
    file_name TEXT NOT NULL,
    file_key TEXT NOT NULL,
    media_type TEXT DEFAULT 'text/csv' NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    mapping JSONB DEFAULT '{}' NOT NULL,
    options JSONB DEFAULT '{}' NOT NULL,
    state TEXT DEFAULT 'uploaded' NOT NULL,
    rows_total BIGINT DEFAULT '0' NOT NULL,
    rows_done BIGINT DEFAULT '0' NOT NULL,
    report JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE,
    version BIGINT DEFAULT '1' NOT NULL,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_import_run PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_import_run_state CHECK (state IN ('uploaded', 'checked', 'queued', 'running', 'applied', 'failed')),
    CONSTRAINT fk_import_run_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_import_run_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_import_run_project ON import_run (tenant_id, project_id, id);

CREATE TABLE project_counter (
    tenant_id UUID NOT NULL,
    project_id UUID NOT NULL,
    last_number BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_project_counter PRIMARY KEY (tenant_id, project_id),
    CONSTRAINT fk_project_counter_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE
)
 WITH (fillfactor = 50);

CREATE TABLE project_day_stats (
    tenant_id UUID NOT NULL,
    day DATE NOT NULL,
    project_id UUID NOT NULL,
    created BIGINT DEFAULT '0' NOT NULL,
    done BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_project_day_stats PRIMARY KEY (tenant_id, day, project_id),
    CONSTRAINT fk_project_day_stats_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE
)
 WITH (fillfactor = 50);

CREATE TABLE project_due_stats (
    tenant_id UUID NOT NULL,
    due_on DATE NOT NULL,
    project_id UUID NOT NULL,
    open BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_project_due_stats PRIMARY KEY (tenant_id, due_on, project_id),
    CONSTRAINT fk_project_due_stats_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE
)
 WITH (fillfactor = 50);

CREATE TABLE project_member (
    tenant_id UUID NOT NULL,
    project_id UUID NOT NULL,
    member_id UUID NOT NULL,
    role TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_project_member PRIMARY KEY (tenant_id, project_id, member_id),
    CONSTRAINT ck_project_member_role CHECK (role IN ('manager', 'contributor', 'viewer')),
    CONSTRAINT fk_project_member_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_project_member_tenant_id_member_id FOREIGN KEY(tenant_id, member_id) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_project_member_member ON project_member (tenant_id, member_id);

CREATE TABLE project_stats (
    tenant_id UUID NOT NULL,
    project_id UUID NOT NULL,
    backlog BIGINT DEFAULT '0' NOT NULL,
    in_progress BIGINT DEFAULT '0' NOT NULL,
    blocked BIGINT DEFAULT '0' NOT NULL,
    done BIGINT DEFAULT '0' NOT NULL,
    canceled BIGINT DEFAULT '0' NOT NULL,
    trashed BIGINT DEFAULT '0' NOT NULL,
    all_low BIGINT DEFAULT '0' NOT NULL,
    all_normal BIGINT DEFAULT '0' NOT NULL,
    all_high BIGINT DEFAULT '0' NOT NULL,
    all_urgent BIGINT DEFAULT '0' NOT NULL,
    open_low BIGINT DEFAULT '0' NOT NULL,
    open_normal BIGINT DEFAULT '0' NOT NULL,
    open_high BIGINT DEFAULT '0' NOT NULL,
    open_urgent BIGINT DEFAULT '0' NOT NULL,
    open_estimate BIGINT DEFAULT '0' NOT NULL,
    weight BIGINT DEFAULT '0' NOT NULL,
    weight_progress BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_project_stats PRIMARY KEY (tenant_id, project_id),
    CONSTRAINT fk_project_stats_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id) ON DELETE CASCADE
)
 WITH (fillfactor = 50);

CREATE TABLE task (
    project_id UUID NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    status TEXT DEFAULT 'backlog' NOT NULL,
    priority TEXT DEFAULT 'normal' NOT NULL,
    parent_id UUID,
    depth SMALLINT DEFAULT '0' NOT NULL,
    rank TEXT COLLATE "C" NOT NULL,
    assignee_ids UUID[] DEFAULT '{}' NOT NULL,
    label_ids UUID[] DEFAULT '{}' NOT NULL,
    start_on DATE,
    due_on DATE,
    estimate_min BIGINT,
    spent_min BIGINT DEFAULT '0' NOT NULL,
    own_progress SMALLINT DEFAULT '0' NOT NULL,
    progress SMALLINT DEFAULT '0' NOT NULL,
    internal BOOLEAN DEFAULT 'false' NOT NULL,
    block_reason TEXT,
    cancel_reason TEXT,
    held_by_project BOOLEAN DEFAULT 'false' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_day DATE,
    closed_by UUID,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_day DATE DEFAULT CURRENT_DATE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by UUID,
    deleted_with UUID,
    version BIGINT DEFAULT '1' NOT NULL,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_task PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_task_status CHECK (status IN ('backlog', 'in_progress', 'blocked', 'done', 'canceled')),
    CONSTRAINT ck_task_priority CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT ck_task_progress CHECK (progress BETWEEN 0 AND 100 AND own_progress BETWEEN 0 AND 100),
    CONSTRAINT ck_task_minutes CHECK (estimate_min >= 0 AND spent_min >= 0),
    CONSTRAINT ck_task_dates CHECK (start_on IS NULL OR due_on IS NULL OR start_on <= due_on),
    CONSTRAINT ck_task_parent CHECK (parent_id IS NULL OR parent_id <> id),
    CONSTRAINT ck_task_closed CHECK ((status IN ('done', 'canceled')) = (closed_at IS NOT NULL)),
    CONSTRAINT uq_task_tenant_id_project_id_number UNIQUE (tenant_id, project_id, number),
    CONSTRAINT uq_task_tenant_id_project_id_rank UNIQUE (tenant_id, project_id, rank) DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT fk_task_tenant_id_project_id FOREIGN KEY(tenant_id, project_id) REFERENCES project (tenant_id, id),
    CONSTRAINT fk_task_tenant_id_parent_id FOREIGN KEY(tenant_id, parent_id) REFERENCES task (tenant_id, id),
    CONSTRAINT fk_task_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_task_tenant_id_closed_by FOREIGN KEY(tenant_id, closed_by) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_task_tenant_id_deleted_by FOREIGN KEY(tenant_id, deleted_by) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_task_closed ON task (tenant_id, closed_at) WHERE closed_at IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX ix_task_due ON task (tenant_id, project_id, due_on, id) WHERE deleted_at IS NULL;

CREATE INDEX ix_task_lane ON task (tenant_id, project_id, status, rank, id) WHERE deleted_at IS NULL;

CREATE INDEX ix_task_overdue ON task (tenant_id, due_on, id) WHERE deleted_at IS NULL AND due_on IS NOT NULL AND status IN ('backlog', 'in_progress', 'blocked');

CREATE INDEX ix_task_parent ON task (tenant_id, parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX ix_task_trash ON task (tenant_id, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX ix_task_updated ON task (tenant_id, project_id, updated_at, id) WHERE deleted_at IS NULL;

CREATE TABLE comment (
    task_id UUID NOT NULL,
    author_id UUID,
    body TEXT NOT NULL,
    internal BOOLEAN DEFAULT 'false' NOT NULL,
    pinned BOOLEAN DEFAULT 'false' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE,
    deleted_at TIMESTAMP WITH TIME ZONE,
    deleted_by UUID,
    version BIGINT DEFAULT '1' NOT NULL,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_comment PRIMARY KEY (tenant_id, id),
    CONSTRAINT fk_comment_tenant_id_task_id FOREIGN KEY(tenant_id, task_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_comment_tenant_id_author_id FOREIGN KEY(tenant_id, author_id) REFERENCES membership (tenant_id, id),
    CONSTRAINT fk_comment_tenant_id_deleted_by FOREIGN KEY(tenant_id, deleted_by) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_comment_task ON comment (tenant_id, task_id, created_at, id);

CREATE TABLE task_assignee (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    member_id UUID NOT NULL,
    assigned_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_task_assignee PRIMARY KEY (tenant_id, task_id, member_id),
    CONSTRAINT fk_task_assignee_tenant_id_task_id FOREIGN KEY(tenant_id, task_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_task_assignee_tenant_id_member_id FOREIGN KEY(tenant_id, member_id) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_task_assignee_member ON task_assignee (tenant_id, member_id, task_id);

CREATE TABLE task_dependency (
    predecessor_id UUID NOT NULL,
    successor_id UUID NOT NULL,
    type TEXT DEFAULT 'FS' NOT NULL,
    lag_min BIGINT DEFAULT '0' NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    CONSTRAINT pk_task_dependency PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_task_dependency_type CHECK (type IN ('FS', 'SS', 'FF', 'SF')),
    CONSTRAINT ck_task_dependency_self CHECK (predecessor_id <> successor_id),
    CONSTRAINT uq_task_dependency_tenant_id_successor_id_predecessor_id UNIQUE (tenant_id, successor_id, predecessor_id),
    CONSTRAINT fk_task_dependency_tenant_id_predecessor_id FOREIGN KEY(tenant_id, predecessor_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_task_dependency_tenant_id_successor_id FOREIGN KEY(tenant_id, successor_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_task_dependency_tenant_id_created_by FOREIGN KEY(tenant_id, created_by) REFERENCES membership (tenant_id, id)
);

CREATE INDEX ix_task_dependency_predecessor ON task_dependency (tenant_id, predecessor_id);

CREATE TABLE task_label (
    tenant_id UUID NOT NULL,
    task_id UUID NOT NULL,
    label_id UUID NOT NULL,
    CONSTRAINT pk_task_label PRIMARY KEY (tenant_id, task_id, label_id),
    CONSTRAINT fk_task_label_tenant_id_task_id FOREIGN KEY(tenant_id, task_id) REFERENCES task (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT fk_task_label_tenant_id_label_id FOREIGN KEY(tenant_id, label_id) REFERENCES label (tenant_id, id)
);

CREATE INDEX ix_task_label_label ON task_label (tenant_id, label_id, task_id);

