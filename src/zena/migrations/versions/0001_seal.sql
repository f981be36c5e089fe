-- Number and write what a transaction recorded. Locks the tenant's head until commit, so positions have no gap and
-- their order is the order of commits. Runs as the caller: row-level security holds inside.
CREATE FUNCTION seal(p_tenant uuid, p_events jsonb, p_audits jsonb, p_families text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
DECLARE
    head tenant_head; entry jsonb; link bytea; last bigint; audit_last bigint;
BEGIN
    SELECT * INTO STRICT head FROM tenant_head h WHERE h.tenant_id = p_tenant FOR UPDATE;
    last := head.position; audit_last := head.audit_position; link := head.audit_hash;
    FOR entry IN SELECT value FROM jsonb_array_elements(p_events) LOOP
        last := last + 1;
        INSERT INTO event (tenant_id, position, id, type, actor, subject_type, subject_id, project_id, payload, batch_id, at)
        VALUES (p_tenant, last, (entry->>'id')::uuid, entry->>'type', (entry->>'actor')::uuid, entry->>'subject_type',
                (entry->>'subject_id')::uuid, (entry->>'project_id')::uuid, entry->'payload',
                (entry->>'batch_id')::uuid, (entry->>'at')::timestamptz);
    END LOOP;
    FOR entry IN SELECT value FROM jsonb_array_elements(p_audits) LOOP
        audit_last := audit_last + 1;
        INSERT INTO audit_entry (tenant_id, position, id, actor, action, subject_type, subject_id, before, after, ip,
                                 request_id, at, digest, prev_hash, hash)
        VALUES (p_tenant, audit_last, (entry->>'id')::uuid, (entry->>'actor')::uuid, entry->>'action',
                entry->>'subject_type', (entry->>'subject_id')::uuid, nullif(entry->'before', 'null'),
                nullif(entry->'after', 'null'), entry->>'ip', entry->>'request_id', entry->>'at',
                decode(entry->>'digest', 'hex'), link, sha256(link || decode(entry->>'digest', 'hex')))
        RETURNING hash INTO link;
    END LOOP;
    UPDATE tenant_head h
       SET position = last, audit_position = audit_last, audit_hash = link,
           versions = h.versions || coalesce((SELECT jsonb_object_agg(f, last) FROM unnest(p_families) f), '{}')
     WHERE h.tenant_id = p_tenant;
    PERFORM pg_notify('zena_outbox', '');
    RETURN last;
END $$;
