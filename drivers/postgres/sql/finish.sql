-- SPDX-License-Identifier: MPL-2.0
--
-- All functions that a session calls run with their owner's rights and in this schema: who may call which is all that a role needs to be given (rights.sql).
-- Nobody but the owner may call any unless it says so. Plans are as enter() wants them, also where it is not called.

DO $$ BEGIN PERFORM make_functions(id) FROM queue; PERFORM make_ways(); END $$;

DO $$
DECLARE
  f record;
BEGIN
  FOR f IN SELECT p.oid::regprocedure AS called, p.proname IN ('allow', 'forbid') AS owners,
                  p.proargnames[1] IN ('their_life', 'known_id')
                  OR p.proname IN ('send', 'send_frames', 'publish', 'arm', 'disarm', 'channel', 'about', 'book_rows', 'count_letters') AS door,
                  p.proargnames[1] = 'their_life' AS enters
           FROM pg_proc p WHERE p.pronamespace = current_schema::regnamespace LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.called);
    IF f.door OR f.owners THEN EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f.called, current_schema); END IF;
    IF f.door THEN
      EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', f.called);
    END IF;
    IF f.door AND NOT f.enters THEN
      EXECUTE format('ALTER FUNCTION %s SET plan_cache_mode = force_generic_plan', f.called);
      EXECUTE format('ALTER FUNCTION %s SET jit = off', f.called);
    END IF;
  END LOOP;
  PERFORM give(g.role, g.what) FROM given g JOIN pg_roles r ON r.rolname = g.role;
END $$;
