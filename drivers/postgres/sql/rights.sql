-- SPDX-License-Identifier: MPL-2.0
--
-- What a role that does not own the schema may do: all of it by calling functions that run with the owner's rights. What was given is kept in a table, so that
-- functions that are made anew by a later version are given as well.

-- Names of functions.
CREATE FUNCTION functions_of(what text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  session text := 'about begin_session look_at_queue look_at_stream inspect fetch_sent look_for arm disarm ';
  -- Opening makes what is missing. Looking after a queue is for all who use it.
  link text := 'open_queue open_stream commit_tallies forget_producer tend maintain ';
  look text := 'read_stream locate check_store book_rows text_of line_of at_time count_letters group_text ';
BEGIN
  RETURN string_to_array(rtrim(CASE what
    WHEN 'send' THEN session || link || 'commit_sends commit_append'
    WHEN 'receive' THEN session || link || 'open_group claim_next read_stream locate commit_settles beat take_over end_holders hold_name list_peers'
    WHEN 'sql' THEN 'send send_frames publish'
    WHEN 'look' THEN session || look
    WHEN 'operate' THEN session || look || 'seek_group drop_group steer_dead trim_queue tend maintain'
  END), ' ');
END $$;

CREATE FUNCTION give(to_role name, what text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  f regprocedure;
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema, to_role);
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema::regnamespace AND p.proname = ANY (functions_of(what)) LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, to_role);
  END LOOP;
  IF what IN ('look', 'operate') THEN EXECUTE format('GRANT SELECT ON queues, consumers, messages, dead_letters TO %I', to_role); END IF;
END $$;

CREATE FUNCTION check_right(role name, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF what IS NULL OR NOT what IN ('send', 'receive', 'sql', 'look', 'operate') THEN
    PERFORM refuse('VX004', format('a role may send, receive, sql, look or operate, and not %s', coalesce(what, 'NULL')));
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role) THEN PERFORM refuse('VX001', format('no such role: %s', coalesce(role, 'NULL'))); END IF;
END $$;

-- Lets a role send, receive, send from sql, look, or operate. For the schema's owner.
CREATE FUNCTION allow(role name, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM check_right(role, what);
  INSERT INTO given (role, what) VALUES (allow.role, allow.what) ON CONFLICT DO NOTHING;
  PERFORM give(role, what);
END $$;

-- Takes that back.
CREATE FUNCTION forbid(role name, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM check_right(role, what);
  DELETE FROM given g WHERE g.role = forbid.role AND g.what = forbid.what;
  EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %1$I FROM %2$I; REVOKE ALL ON queues, consumers, messages, dead_letters FROM %2$I; REVOKE ALL ON SCHEMA %1$I FROM %2$I',
                 current_schema, role);
  PERFORM give(g.role, g.what) FROM given g WHERE g.role = forbid.role;
END $$;
