-- SPDX-License-Identifier: MPL-2.0
--
-- What goes wrong with queues in Postgres in practice, looked for on demand. Each finding is a function, and one that cannot be had, for want of a privilege, says so and holds
-- up no other. What can be told of any store (groups that lag, dead letters) is core's. Levels: 0 ok, 1 warning, 2 error.

DROP TYPE IF EXISTS finding;
CREATE TYPE finding AS (level int, text text, remedy text);

CREATE FUNCTION found(level int, text text, remedy text) RETURNS finding LANGUAGE sql IMMUTABLE AS $$ SELECT ROW (level, text, remedy)::finding $$;

-- Others' states and times are hidden from who has not the rights of pg_read_all_stats; their transaction numbers are not.
CREATE FUNCTION sees_all() RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') $$;

-- The role that called, not the owner as whom functions run.
CREATE FUNCTION caller() RETURNS name LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN current_setting('role') IN ('none', '') THEN session_user ELSE current_setting('role')::name END
$$;

CREATE FUNCTION check_version() RETURNS finding LANGUAGE sql AS $$
  SELECT CASE WHEN v < 140000 THEN (2, current_setting('server_version') || ' is older than 14', 'upgrade the server')::finding
              WHEN v < 150000 OR v >= 160000 THEN (0, current_setting('server_version') || '; VTX is tested with 15', '')::finding
              ELSE (0, current_setting('server_version'), '')::finding END
  FROM (SELECT current_setting('server_version_num')::int AS v) x
$$;

CREATE FUNCTION check_encoding() RETURNS finding LANGUAGE sql AS $$
  SELECT CASE WHEN e = 'UTF8' THEN (0, e, '')::finding
              ELSE (1, e || ': names, properties and reasons that have no such characters are refused', 'use a database with encoding UTF8')::finding END
  FROM (SELECT current_setting('server_encoding') AS e) x
$$;

CREATE FUNCTION check_schema() RETURNS finding LANGUAGE sql AS $$ SELECT (0, schema || ' in ' || quote_ident(current_schema), '')::finding FROM store $$;

CREATE FUNCTION check_epoch() RETURNS finding LANGUAGE sql AS $$ SELECT (0, epoch::text, '')::finding FROM store $$;

-- Whose view of the past keeps vacuum from removing dead rows in the whole cluster, the oldest first. Minutes are NULL where they are hidden.
CREATE FUNCTION horizon() RETURNS TABLE (who text, xids int, minutes int, remedy text) LANGUAGE sql AS $$
  SELECT format('backend %s (%s%s%s)', pid, usename, CASE WHEN application_name <> '' THEN ', ' || application_name END, ', ' || state),
         greatest(age(backend_xmin), age(backend_xid)), (extract(epoch FROM clock_timestamp() - xact_start) / 60)::int,
         format('end its transaction, or SELECT pg_terminate_backend(%s); idle_in_transaction_session_timeout ends those that are forgotten', pid)
    FROM pg_stat_activity WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid() AND coalesce(backend_type, '') <> 'walsender'
  UNION ALL
  SELECT format('prepared transaction %s of %s', quote_literal(gid), owner), age(transaction), (extract(epoch FROM clock_timestamp() - prepared) / 60)::int,
         format('COMMIT PREPARED %1$L or ROLLBACK PREPARED %1$L', gid) FROM pg_prepared_xacts
  UNION ALL
  SELECT format('replication slot %s%s', quote_literal(slot_name), CASE WHEN active THEN '' ELSE ', which nobody uses' END), greatest(age(xmin), age(catalog_xmin)), NULL,
         format('let its standby or subscriber catch up, or SELECT pg_drop_replication_slot(%L)', slot_name) FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
  UNION ALL
  SELECT format('standby %s by hot_standby_feedback', coalesce(quote_literal(application_name), pid::text)), age(backend_xmin), NULL, 'end long transactions on the standby'
    FROM pg_stat_activity WHERE backend_type = 'walsender' AND backend_xmin IS NOT NULL
  ORDER BY 2 DESC NULLS LAST
$$;

CREATE FUNCTION check_horizon() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  h record;
  hidden text := CASE WHEN sees_all() THEN '' ELSE '; of other roles only transaction numbers can be seen (GRANT pg_read_all_stats)' END;
BEGIN
  SELECT * INTO h FROM horizon() WHERE minutes >= 5 OR xids >= 10000 LIMIT 1;
  IF NOT FOUND THEN RETURN found(0, 'nobody holds it back' || hidden, ''); END IF;
  RETURN found(1, format('%s has held it back for %s transactions%s: dead rows, VTX''s and others'', cannot be removed%s', h.who, h.xids,
                    CASE WHEN h.minutes IS NULL THEN '' ELSE format(' and %s minutes', h.minutes) END, hidden), h.remedy);
END $$;

CREATE FUNCTION check_dead_rows() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  worst record;
BEGIN
  SELECT schemaname || '.' || relname AS name, n_dead_tup AS dead, n_live_tup AS live INTO worst FROM pg_stat_all_tables
    WHERE schemaname IN (current_schema, 'pg_catalog') AND n_dead_tup > greatest(100000, 3 * n_live_tup) ORDER BY n_dead_tup DESC LIMIT 1;
  IF NOT FOUND THEN RETURN found(0, 'few', ''); END IF;
  RETURN found(1, format('%s has %s, and %s that live', worst.name, worst.dead, worst.live), format('see who holds the horizon back and whether autovacuum works; then VACUUM %s', worst.name));
END $$;

CREATE FUNCTION check_autovacuum() RETURNS finding LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('autovacuum') = 'off' OR current_setting('track_counts') = 'off' THEN
    RETURN found(1, 'off: nothing is cleaned, and transaction numbers run out in the end', 'set autovacuum and track_counts to on');
  END IF;
  RETURN found(0, 'on', '');
END $$;

CREATE FUNCTION check_notifications() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  used numeric := round((pg_notification_queue_usage() * 100)::numeric, 1);
BEGIN
  RETURN found(CASE WHEN used >= 90 THEN 2 WHEN used >= 25 THEN 1 ELSE 0 END, used || ' % of their queue is used',
          CASE WHEN used < 25 THEN '' ELSE 'a session that listens is in a long transaction: end it. When the queue is full nobody who notifies can commit' END);
END $$;

CREATE FUNCTION check_commits(its_setting text) RETURNS finding LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('fsync') = 'off' THEN RETURN found(2, 'fsync is off: a crash of the machine may corrupt the database', 'set fsync to on'); END IF;
  IF current_setting('full_page_writes') = 'off' THEN RETURN found(2, 'full_page_writes is off: a crash of the machine may corrupt the database', 'set full_page_writes to on'); END IF;
  IF its_setting IN ('off', 'local') THEN
    RETURN found(1, format('synchronous_commit is %s: %s', its_setting,
                      CASE its_setting WHEN 'off' THEN 'what is sent from SQL may be lost in a crash; what VTX confirms is synced all the same'
                                       ELSE 'commits do not wait for a standby, and a failover may lose them' END),
            format('ALTER ROLE %I SET synchronous_commit = on', caller()));
  END IF;
  RETURN found(0, 'synchronous_commit is ' || its_setting, '');
END $$;

CREATE FUNCTION check_standbys() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  wanted text := current_setting('synchronous_standby_names');
  present int := (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'));
BEGIN
  IF wanted = '' THEN RETURN found(0, 'none is waited for', ''); END IF;
  IF present > 0 THEN RETURN found(0, format('%s of %s', present, wanted), ''); END IF;
  IF NOT sees_all() THEN RETURN found(1, format('whether any of %s is there cannot be seen', wanted), 'GRANT pg_read_all_stats, or look at pg_stat_replication as a superuser'); END IF;
  RETURN found(2, format('none of %s is connected: commits wait for it', wanted), 'start the standby, or take it out of synchronous_standby_names');
END $$;

CREATE FUNCTION check_isolation() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  who text := (SELECT string_agg(coalesce(quote_ident(r.rolname), 'everybody') || coalesce(' in ' || quote_ident(d.datname), ''), ', ')
               FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
               WHERE c LIKE 'default_transaction_isolation=%' AND c <> 'default_transaction_isolation=read committed'
                 AND (s.setdatabase = 0 OR d.datname = current_database()));
BEGIN
  IF who IS NULL THEN RETURN found(0, 'read committed', ''); END IF;
  RETURN found(1, format('another default for %s: VTX refuses such sessions', who), 'ALTER ROLE … SET default_transaction_isolation = ''read committed'' for roles that use VTX');
END $$;

CREATE FUNCTION check_claims() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  d record;
BEGIN
  SELECT count(*) AS claims, count(DISTINCT c.holder) AS holders INTO d FROM claim c LEFT JOIN holder h ON h.id = c.holder
    WHERE h.id IS NULL OR h.ended IS NOT NULL OR h.seen + 3 * h.lease < now_ms();
  IF d.claims = 0 THEN RETURN found(0, 'none of consumers that died', ''); END IF;
  RETURN found(1, format('%s of %s consumers that died wait to be taken over', d.claims, d.holders), 'start a consumer: any one of this database takes them over within a lease');
END $$;

-- Tables that are not needed any more, and who reads them.
CREATE FUNCTION check_leftovers() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  old record;
  readers text;
BEGIN
  SELECT count(*) AS n, sum(pg_total_relation_size(c.oid)) AS bytes, array_agg(c.oid) AS tables INTO old FROM pg_class c
    WHERE c.relnamespace = current_schema::regnamespace AND c.relkind = 'r' AND (
      EXISTS (SELECT FROM unnest(books()) b WHERE c.relname ~ ('^' || b || '_[0-9]+$') AND substring(c.relname FROM '[0-9]+$')::int < (SELECT generation FROM store))
      OR EXISTS (SELECT FROM segment g WHERE c.relname = format('message_%s_%s', g.queue, g.child) AND NOT EXISTS (
                   SELECT FROM segment s JOIN place p ON p.stream = s.stream WHERE s.queue = g.queue AND s.child = g.child AND s.last >= p.tail)));
  IF old.n = 0 THEN RETURN found(0, 'none', ''); END IF;
  readers := (SELECT string_agg(DISTINCT pid::text, ', ') FROM pg_locks WHERE locktype = 'relation' AND relation = ANY (old.tables)
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid());
  IF readers IS NULL THEN RETURN found(0, format('%s, which go with the next tending', old.n), ''); END IF;
  RETURN found(1, format('%s, %s, are kept because backends %s have them open', old.n, pg_size_pretty(old.bytes), readers), 'end those transactions');
END $$;

-- Which doors are open to who asks; those of one right that are open in part only have been touched by hand.
CREATE FUNCTION check_rights() RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
  r record;
  who name := caller();
  may text := '';
  missing text;
BEGIN
  FOR r IN
    SELECT w.what, bool_and(has_function_privilege(who, p.oid, 'EXECUTE')) AS whole,
           string_agg(p.proname, ', ') FILTER (WHERE NOT has_function_privilege(who, p.oid, 'EXECUTE')) AS lacking
    FROM unnest('{send,receive,sql,look,operate}'::text[]) WITH ORDINALITY AS w (what, n)
    JOIN pg_proc p ON p.pronamespace = current_schema::regnamespace AND p.proname = ANY (functions_of(w.what)) GROUP BY w.what, w.n ORDER BY w.n
  LOOP
    IF r.whole THEN
      may := may || ', ' || r.what;
    ELSIF EXISTS (SELECT FROM given g WHERE g.what = r.what AND pg_has_role(who, g.role, 'USAGE')) THEN
      missing := format('%s was allowed to %s but may not call %s', who, r.what, r.lacking);
    END IF;
  END LOOP;
  IF missing IS NOT NULL THEN RETURN found(2, missing, 'its owner calls allow() again'); END IF;
  RETURN found(0, format('%s may %s', who, coalesce(nullif(substr(may, 3), ''), 'do nothing else')), '');
END $$;

-- Looked at as owner: who may ask need not be able to see by itself.
CREATE FUNCTION check_store(their_life uuid, their_mark bigint) RETURNS TABLE (mark bigint, level int, subject text, text text, remedy text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  set_here text := current_setting('synchronous_commit');
  m bigint := enter(their_life, their_mark, false);
  c record;
  f finding;
BEGIN
  FOR c IN SELECT * FROM (VALUES
    ('server', 'check_version()'), ('encoding', 'check_encoding()'), ('schema', 'check_schema()'), ('epoch', 'check_epoch()'), ('rights', 'check_rights()'),
    ('horizon', 'check_horizon()'), ('dead rows', 'check_dead_rows()'), ('autovacuum', 'check_autovacuum()'), ('notifications', 'check_notifications()'),
    ('commits', format('check_commits(%L)', set_here)), ('standbys', 'check_standbys()'), ('isolation', 'check_isolation()'), ('claims', 'check_claims()'),
    ('tables left over', 'check_leftovers()')) AS x (subject, call)
  LOOP
    BEGIN
      EXECUTE 'SELECT (f).* FROM ' || c.call || ' f' INTO f;
    EXCEPTION WHEN OTHERS THEN
      f := found(1, 'could not be looked at: ' || SQLERRM, 'look at it as a superuser');
    END;
    RETURN QUERY SELECT m, f.level, c.subject, f.text, f.remedy;
  END LOOP;
END $$;
