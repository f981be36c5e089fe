CREATE TABLE kpi_snapshot (
    tenant_id UUID NOT NULL,
    day DATE NOT NULL,
    figures JSONB NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_kpi_snapshot PRIMARY KEY (tenant_id, day),
    CONSTRAINT fk_kpi_snapshot_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenant (id)
);

CREATE TABLE project_health_snapshot (
    tenant_id UUID NOT NULL,
    project_id UUID NOT NULL,
    day DATE NOT NULL,
    overall TEXT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    canceled BIGINT NOT NULL,
    overdue BIGINT NOT NULL,
    planned BIGINT NOT NULL,
    actual BIGINT NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_project_health_snapshot PRIMARY KEY (tenant_id, project_id, day),
    CONSTRAINT ck_project_health_snapshot_overall CHECK (overall IN ('good', 'warning', 'critical')),
    CONSTRAINT fk_project_health_snapshot_tenant_id_project_id FOREIGN KEY(tenant_id, project_id)
        REFERENCES project (tenant_id, id) ON DELETE CASCADE
);
