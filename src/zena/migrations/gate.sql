-- Reading before a tenant is known. Each function is on the allowlist of tests/test_catalog.py, has a fixed
-- search_path and returns ids, positions and what sign-in itself needs. Owned by zena_ops; zena_app may execute.

-- The visit of support that a session makes at present, if any: granted to that operator, who still is one, not over, and
-- of a firm that is served.
CREATE OR REPLACE FUNCTION gate.open_visit(p_session uuid) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT v.tenant_id, v.id FROM session s
      JOIN support_visit v ON v.tenant_id = s.visit_tenant AND v.id = s.visit_id AND v.operator_id = s.user_id
      JOIN user_account u ON u.id = s.user_id AND u.is_operator AND u.is_active
      JOIN tenant t ON t.id = v.tenant_id AND t.status IN ('active', 'trial')
     WHERE s.id = p_session AND s.stage = 'full' AND s.revoked_at IS NULL AND s.expires_at > now()
       AND v.ended_at IS NULL AND v.ends_at > now()
$$;

-- Visits that are over and not yet noted as such, and how each ended: ids only.
CREATE OR REPLACE FUNCTION gate.lapsed_visits() RETURNS TABLE (tenant_id uuid, id uuid, how text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT v.tenant_id, v.id, CASE WHEN v.ends_at <= now() THEN 'limit' ELSE 'access' END FROM support_visit v
     WHERE v.ended_at IS NULL AND NOT EXISTS (
           SELECT FROM session s CROSS JOIN LATERAL gate.open_visit(s.id) o
            WHERE s.user_id = v.operator_id AND o.tenant_id = v.tenant_id AND o.id = v.id)
     ORDER BY v.tenant_id, v.id
$$;

-- Authenticate a session, a token or a one-time socket ticket (which is used up) and bind the transaction to its tenant and person: one round trip.
-- No row: unknown, expired, revoked, deactivated or not past its second factor.
DROP FUNCTION IF EXISTS gate.enter(text, bytea);
CREATE FUNCTION gate.enter(p_kind text, p_hash bytea)
RETURNS TABLE (
    user_id uuid, user_name text, user_email text, user_locale text, user_timezone text, user_theme text,
    is_operator boolean, session_id uuid, token_id uuid, form_secret bytea, authenticated_at timestamptz,
    tenant_id uuid, tenant_name text, tenant_slug text, tenant_status text, tenant_timezone text,
    tenant_locale text, tenant_currency text, member_id uuid, role text, scopes text[],
    "position" bigint, visit_id uuid, visit_ends_at timestamptz, visitor text, visitor_until timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
#variable_conflict use_column
DECLARE
    person uuid; firm uuid; sess session; tok api_token; tick ws_ticket; visit support_visit;
BEGIN
    IF p_kind = 'session' THEN
        SELECT * INTO sess FROM session s WHERE s.token_hash = p_hash;
    ELSIF p_kind = 'token' THEN
        SELECT * INTO tok FROM api_token t WHERE t.token_hash = p_hash;
    ELSIF p_kind = 'ticket' THEN
        DELETE FROM ws_ticket w WHERE w.hash = p_hash RETURNING * INTO tick;
        IF tick.expires_at > now() THEN
            SELECT * INTO sess FROM session s WHERE s.id = tick.session_id;
            SELECT * INTO tok FROM api_token t WHERE t.tenant_id = tick.tenant_id AND t.id = tick.token_id;
        END IF;
    END IF;
    IF sess.id IS NOT NULL THEN
        IF sess.revoked_at IS NOT NULL OR sess.stage <> 'full' OR sess.expires_at <= now()
           OR sess.last_seen_at + make_interval(secs => sess.idle_seconds) <= now() THEN
            RETURN;
        END IF;
        person := sess.user_id; firm := sess.active_tenant;
        IF sess.visit_id IS NOT NULL THEN
            SELECT v.* INTO visit FROM gate.open_visit(sess.id) o
              JOIN support_visit v ON v.tenant_id = o.tenant_id AND v.id = o.id;
        END IF;
        IF sess.last_seen_at < now() - interval '1 minute' AND current_setting('transaction_read_only') = 'off' THEN
            UPDATE session s SET last_seen_at = now() WHERE s.id = sess.id;
        END IF;
    ELSIF tok.id IS NOT NULL AND tok.revoked_at IS NULL AND tok.expires_at > now() THEN
        firm := tok.tenant_id;
        SELECT m.user_id INTO person FROM membership m
         WHERE m.tenant_id = tok.tenant_id AND m.id = tok.member_id AND m.ended_at IS NULL;
        IF (tok.last_used_at IS NULL OR tok.last_used_at < now() - interval '1 minute')
           AND current_setting('transaction_read_only') = 'off' THEN
            UPDATE api_token t SET last_used_at = now() WHERE t.tenant_id = tok.tenant_id AND t.id = tok.id;
        END IF;
    END IF;
    RETURN QUERY
        SELECT u.id, u.name, u.email, u.locale, u.timezone, u.theme, u.is_operator,
               sess.id, tok.id, sess.form_secret, sess.authenticated_at,
               t.id, t.name, t.slug, t.status, t.timezone, t.locale, t.currency, m.id,
               CASE WHEN visit.id IS NULL THEN m.role ELSE 'viewer' END, tok.scopes, h.position, visit.id, visit.ends_at,
               guest.operator_name, guest.ends_at
          FROM user_account u
          LEFT JOIN membership m ON visit.id IS NULL AND m.tenant_id = firm AND m.user_id = u.id AND m.ended_at IS NULL
          LEFT JOIN tenant t ON t.id = coalesce(visit.tenant_id, m.tenant_id)
          LEFT JOIN tenant_head h ON h.tenant_id = t.id
          -- Who manages the firm is told on every page that support looks at it.
          LEFT JOIN LATERAL (
                SELECT v.operator_name, v.ends_at FROM support_visit v
                 WHERE m.role IN ('owner', 'admin') AND v.tenant_id = m.tenant_id
                   AND v.ended_at IS NULL AND v.ends_at > now()
                   AND EXISTS (SELECT FROM session s CROSS JOIN LATERAL gate.open_visit(s.id) o
                                WHERE s.user_id = v.operator_id AND o.tenant_id = v.tenant_id AND o.id = v.id)
                 ORDER BY v.ends_at DESC LIMIT 1) guest ON true
         WHERE u.id = person AND u.is_active;
    IF FOUND THEN
        PERFORM set_config('app.user', person::text, true);
        IF visit.id IS NOT NULL THEN
            PERFORM set_config('app.tenant', visit.tenant_id::text, true);
        ELSIF EXISTS (SELECT 1 FROM membership m JOIN tenant t ON t.id = m.tenant_id
                    WHERE m.tenant_id = firm AND m.user_id = person AND m.ended_at IS NULL
                      AND t.status IN ('active', 'trial')) THEN
            PERFORM set_config('app.tenant', firm::text, true);
        END IF;
    END IF;
END $$;

-- Who has this address? The id alone; the row is then read as that person.
CREATE OR REPLACE FUNCTION gate.user_by_email(p_email text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT u.id FROM user_account u WHERE u.email = p_email
$$;

-- The firms a person belongs to, default first.
CREATE OR REPLACE FUNCTION gate.my_tenants(p_user uuid)
RETURNS TABLE (tenant_id uuid, name text, slug text, status text, role text, is_default boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id, t.name, t.slug, t.status, m.role, m.is_default
      FROM membership m JOIN tenant t ON t.id = m.tenant_id
     WHERE m.user_id = p_user AND m.ended_at IS NULL
       AND p_user = nullif(current_setting('app.user', true), '')::uuid
     ORDER BY m.is_default DESC, m.joined_at, t.name
$$;

-- An invitation by its token: where it belongs, so that it can be read there.
CREATE OR REPLACE FUNCTION gate.invitation(p_hash bytea) RETURNS TABLE (tenant_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT i.tenant_id, i.id FROM invitation i WHERE i.token_hash = p_hash
$$;

-- The outbox heads of some tenants: positions only.
CREATE OR REPLACE FUNCTION gate.heads(p_tenants uuid[]) RETURNS TABLE (tenant_id uuid, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT h.tenant_id, h.position FROM tenant_head h WHERE h.tenant_id = ANY (p_tenants)
$$;

-- Whether nobody has set this installation up yet. Here and below, firms of plan 'probe' do not count: by them it is
-- proved that firms are held apart (operate/isolation).
CREATE OR REPLACE FUNCTION gate.is_empty() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT NOT EXISTS (SELECT 1 FROM user_account u WHERE NOT EXISTS (
        SELECT 1 FROM membership m JOIN tenant t ON t.id = m.tenant_id WHERE m.user_id = u.id AND t.plan = 'probe'))
$$;

-- A firm by its short name, for commands of the operator.
CREATE OR REPLACE FUNCTION gate.tenant_by_slug(p_slug text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id FROM tenant t WHERE t.slug = p_slug
$$;

-- Whose one-time link this is; the link is then used up as that person.
CREATE OR REPLACE FUNCTION gate.link_owner(p_kind text, p_hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT l.user_id FROM personal_link l WHERE l.token_hash = p_hash AND l.kind = p_kind AND l.expires_at > now()
$$;

-- A session that has passed the password and waits for the second factor.
CREATE OR REPLACE FUNCTION gate.half_session(p_hash bytea) RETURNS TABLE (session_id uuid, user_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT s.id, s.user_id FROM session s JOIN user_account u ON u.id = s.user_id AND u.is_active
     WHERE s.token_hash = p_hash AND s.stage = 'mfa' AND s.revoked_at IS NULL AND s.expires_at > now()
$$;

-- End the sessions in which a member acts in the present tenant: after a change of role they sign in anew.
CREATE OR REPLACE FUNCTION gate.end_member_sessions(p_member uuid) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    WITH ended AS (
        UPDATE session s SET revoked_at = now() FROM membership m
         WHERE m.tenant_id = nullif(current_setting('app.tenant', true), '')::uuid AND m.id = p_member
           AND s.user_id = m.user_id AND s.active_tenant = m.tenant_id AND s.revoked_at IS NULL
        RETURNING 1)
    SELECT count(*) FROM ended
$$;

-- Which of these sessions and tokens still stand, and as whom: open sockets are compared with it every second.
-- A missing row: signed out, expired, revoked or deactivated. A null member: no longer in that firm, or it is not served.
CREATE OR REPLACE FUNCTION gate.standing(p_sessions uuid[], p_tokens uuid[])
RETURNS TABLE (id uuid, user_id uuid, tenant_id uuid, member_id uuid, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT way.id, u.id, t.id, CASE WHEN t.id IS NOT NULL THEN m.id END,
           CASE WHEN t.id IS NULL THEN NULL WHEN way.visit IS NULL THEN m.role ELSE 'viewer' END
      FROM (SELECT s.id, s.user_id, coalesce(o.tenant_id, s.active_tenant) AS firm, o.id AS visit FROM session s
              LEFT JOIN LATERAL gate.open_visit(s.id) o ON s.visit_id IS NOT NULL
             WHERE s.id = ANY (p_sessions) AND s.stage = 'full' AND s.revoked_at IS NULL AND s.expires_at > now()
               AND s.last_seen_at + make_interval(secs => s.idle_seconds) > now()
             UNION ALL
            SELECT k.id, o.user_id, k.tenant_id, NULL FROM api_token k
              JOIN membership o ON o.tenant_id = k.tenant_id AND o.id = k.member_id
             WHERE k.id = ANY (p_tokens) AND k.revoked_at IS NULL AND k.expires_at > now()) way
      JOIN user_account u ON u.id = way.user_id AND u.is_active
      LEFT JOIN membership m ON way.visit IS NULL AND m.tenant_id = way.firm AND m.user_id = u.id AND m.ended_at IS NULL
      LEFT JOIN tenant t ON t.id = CASE WHEN way.visit IS NULL THEN m.tenant_id ELSE way.firm END
            AND t.status IN ('active', 'trial')
$$;

-- Delete what nobody can use any more, over all tenants and people (H08); returns how many rows went.
CREATE OR REPLACE FUNCTION gate.sweep() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    WITH links AS (DELETE FROM personal_link l WHERE l.expires_at < now() RETURNING 1),
         tickets AS (DELETE FROM ws_ticket w WHERE w.expires_at < now() RETURNING 1),
         answers AS (DELETE FROM idempotency_key k WHERE k.created_at < now() - interval '24 hours' RETURNING 1),
         sessions AS (DELETE FROM session s
                       WHERE least(s.expires_at, s.revoked_at) < now() - interval '90 days' RETURNING 1),
         offers AS (UPDATE invitation i SET state = 'expired', decided_at = i.expires_at
                     WHERE i.state = 'pending' AND i.expires_at < now() RETURNING 1)
    SELECT (SELECT count(*) FROM links) + (SELECT count(*) FROM tickets) + (SELECT count(*) FROM answers)
         + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM offers)
$$;

-- The firms that are served, for duties that go round all of them in a job each: ids only.
CREATE OR REPLACE FUNCTION gate.served_tenants() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id FROM tenant t WHERE t.status IN ('active', 'trial') AND t.plan <> 'probe' ORDER BY t.id
$$;

-- The firm, if there is exactly one: commands of a small installation need not name it.
CREATE OR REPLACE FUNCTION gate.only_tenant() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT CASE WHEN count(*) = 1 THEN (array_agg(t.id))[1] END FROM tenant t WHERE t.plan <> 'probe'
$$;

-- What the operators' console may know of each firm: its name and how much there is of what, nothing that stands in it.
-- For the role that reads measurements alone: the application's own role must not list firms.
CREATE OR REPLACE FUNCTION gate.firms_in_numbers()
RETURNS TABLE (id uuid, name text, slug text, status text, members bigint, projects bigint, tasks bigint,
               last_activity timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    WITH people AS (SELECT m.tenant_id, count(*) AS many FROM membership m WHERE m.ended_at IS NULL GROUP BY 1),
         plans AS (SELECT p.tenant_id, count(*) AS many FROM project p WHERE p.deleted_at IS NULL GROUP BY 1),
         work AS (SELECT s.tenant_id, sum(s.backlog + s.in_progress + s.blocked + s.done + s.canceled)::bigint AS many
                    FROM project_stats s GROUP BY 1)
    SELECT t.id, t.name, t.slug, t.status, coalesce(people.many, 0), coalesce(plans.many, 0), coalesce(work.many, 0),
           (SELECT e.at FROM tenant_head h JOIN event e ON e.tenant_id = h.tenant_id AND e.position = h.position
             WHERE h.tenant_id = t.id)
      FROM tenant t
      LEFT JOIN people ON people.tenant_id = t.id
      LEFT JOIN plans ON plans.tenant_id = t.id
      LEFT JOIN work ON work.tenant_id = t.id
     WHERE t.plan <> 'probe'
$$;

-- What firms are called that the console knows by their ids; for the same role alone.
CREATE OR REPLACE FUNCTION gate.firms_called(p_ids text[]) RETURNS TABLE (id uuid, name text, slug text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id, t.name, t.slug FROM tenant t WHERE CAST(t.id AS text) = ANY (p_ids) AND t.plan <> 'probe'
$$;

-- The firms by which the installation tries itself: what they meet, nobody does.
CREATE OR REPLACE FUNCTION gate.own_firms() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id FROM tenant t WHERE t.plan = 'probe'
$$;

-- Who of the staff looks at which firm now, for the same console.
CREATE OR REPLACE FUNCTION gate.open_visits() RETURNS TABLE (tenant_id uuid, operators text, until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT v.tenant_id, string_agg(v.operator_name, ', ' ORDER BY v.began_at, v.id), max(v.ends_at)
      FROM support_visit v
     WHERE v.ended_at IS NULL AND EXISTS (
           SELECT FROM session s CROSS JOIN LATERAL gate.open_visit(s.id) o
            WHERE s.user_id = v.operator_id AND o.tenant_id = v.tenant_id AND o.id = v.id)
     GROUP BY v.tenant_id
$$;

-- What an operator asks for in the console, written down for a worker to do: who serves pages may do nothing of it. Only
-- for a session whose operator proved a second factor within a quarter of an hour; NULL for any other.
CREATE OR REPLACE FUNCTION gate.place_order(p_session uuid, p_incident bigint, p_kind text, p_words text, p_remedy text,
                                            p_hash text, p_run bigint, p_even_so boolean) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    INSERT INTO ops.operator_order (incident_id, kind, words, remedy, plan_hash, run_id, even_so, actor)
    SELECT p_incident, p_kind, p_words, p_remedy, p_hash, p_run, p_even_so, u.email
      FROM session s JOIN user_account u ON u.id = s.user_id AND u.is_operator AND u.is_active
     WHERE s.id = p_session AND s.stage = 'full' AND s.revoked_at IS NULL AND s.expires_at > now()
       AND s.authenticated_at >= u.totp_confirmed_at AND s.authenticated_at > now() - interval '15 minutes'
    RETURNING id
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA gate FROM PUBLIC;
GRANT USAGE ON SCHEMA gate TO zena_app, zena_ops_read;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA gate TO zena_app;
REVOKE ALL ON FUNCTION gate.firms_in_numbers(), gate.firms_called(text[]), gate.own_firms(), gate.open_visits(),
                       gate.open_visit(uuid) FROM zena_app;
GRANT EXECUTE ON FUNCTION gate.firms_in_numbers(), gate.firms_called(text[]), gate.own_firms(), gate.open_visits()
    TO zena_ops_read;
