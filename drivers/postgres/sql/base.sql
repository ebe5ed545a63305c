-- SPDX-License-Identifier: MPL-2.0
--
-- What all functions stand on: refusals, locks, time, numbers, and the door that every transaction of VTX goes through.
--
-- Locks are advisory, of the class that the schema's number is, and held to the end of the transaction, its sync included: so whoever gets one sees all that
-- was done under it. Each transaction first shares the lock of the books (object 0), then takes those of streams and groups in ascending order, once.
-- Functions must be VOLATILE, so that each statement sees what was committed when it began, and run in READ COMMITTED.
--
-- On the way of each message statements are few, since each costs some 20 microseconds however little it does. An expression without a SELECT in it is none, nor is an assignment of one:
-- that is what `nothing` is for.

CREATE FUNCTION refuse(code text, message text, detail text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail;
END $$;

-- A number that is written into what uses it, since finding it out costs each call more than a lock does. A schema that was restored from a dump keeps that of the one that was dumped, which
-- is as good: should another schema come to have it, sessions of the two merely wait for each other at times.
DO $$ BEGIN EXECUTE format('CREATE FUNCTION lock_class() RETURNS int LANGUAGE sql IMMUTABLE AS %L', 'SELECT ' || current_schema::regnamespace::oid::bigint::bit(32)::int); END $$;

CREATE FUNCTION lock_all(wanted int[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  class int := lock_class();
  one int;
  nothing text;
BEGIN
  IF cardinality(wanted) = 1 THEN
    nothing := pg_advisory_xact_lock(class, wanted[1]);
    RETURN;
  END IF;
  FOR one IN SELECT DISTINCT w FROM unnest(wanted) w WHERE w IS NOT NULL ORDER BY w LOOP
    PERFORM pg_advisory_xact_lock(class, one);
  END LOOP;
END $$;

-- Likewise, for what can as well be done another time. False: somebody has had one of them for too long.
CREATE FUNCTION lock_soon(wanted int[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  usual text := current_setting('lock_timeout');
BEGIN
  PERFORM set_config('lock_timeout', '300ms', true);
  PERFORM lock_all(wanted);
  PERFORM set_config('lock_timeout', usual, true);
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $$;

CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT floor(date_part('epoch', clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION next_number() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT (SELECT epoch FROM store) << 40 | nextval('numbers'));
END $$;

-- Which run of which server this is. After a crash the newest numbers given out may have been forgotten. No process outlives a crash of its server: so each remembers the
-- answer, and who finds the store's server in its memory need not ask again. Statistics that are reset look like a crash, which is harmless.
CREATE FUNCTION server_life() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN set_config('vtx.server', (SELECT extract(epoch FROM pg_postmaster_start_time())::text || '/' || coalesce(extract(epoch FROM (SELECT stats_reset FROM pg_stat_wal))::text, '')), false);
END $$;

-- What a session of VTX sets when it begins, for those that cannot. Its statements go by keys, for which any plan that is there is the right one: left to itself the server plans those with arrays anew each time.
CREATE FUNCTION set_up() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  nothing text;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    PERFORM refuse('VX006', 'the role''s default_transaction_isolation must be ''read committed''',
                   'ALTER ROLE … SET default_transaction_isolation = ''read committed''');
  END IF;
  IF current_setting('plan_cache_mode') <> 'force_generic_plan' THEN nothing := set_config('plan_cache_mode', 'force_generic_plan', true); END IF;
  IF current_setting('jit') <> 'off' THEN nothing := set_config('jit', 'off', true); END IF;
END $$;

-- The door. Refuses who believes in another epoch, a later time or another run of the server; answers the mark.
CREATE FUNCTION enter(their_life uuid, their_mark bigint, durable boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  s record;
  newest bigint;
  nothing text;
BEGIN
  nothing := pg_advisory_xact_lock_shared(lock_class(), 0);
  SELECT life, server, began INTO s FROM store;
  -- The mark is looked at before it moves: who is refused must not make up for what is missing.
  newest := pg_sequence_last_value('mark');
  IF s.life <> their_life OR newest < their_mark OR their_mark < s.began
     OR (s.server IS DISTINCT FROM current_setting('vtx.server', true) AND s.server <> server_life()) THEN
    PERFORM refuse('VX009', 'the database went back in time or its server began anew; VTX opens it again',
                   format('life %s, mark %s and server %s; known were %s and %s, on %s', s.life, newest, server_life(), their_life, their_mark, s.server));
  END IF;
  IF current_setting('transaction_isolation') <> 'read committed' OR current_setting('plan_cache_mode') <> 'force_generic_plan' OR current_setting('jit') <> 'off' THEN
    nothing := set_up();
  END IF;
  IF durable = (current_setting('synchronous_commit') = 'off') THEN nothing := set_config('synchronous_commit', CASE WHEN durable THEN 'on' ELSE 'off' END, true); END IF;
  RETURN nextval('mark');
END $$;

CREATE FUNCTION add_tally(its_queue int, its_group int, word text, many bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF many > 0 THEN INSERT INTO tally (queue, grp, what, n) VALUES (its_queue, its_group, word, many); END IF;
END $$;

-- As statistics and dead letters call it.
CREATE FUNCTION group_text(kind text, peer text, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN kind = 'main' THEN name ELSE kind || CASE WHEN peer = '' THEN '' ELSE ':' || peer END || '/' || name END
$$;

-- What is no UTF-8 is escaped: a message must be able to die whatever it carries.
CREATE FUNCTION lines_of(properties bytea) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(text_of(properties), encode(properties, 'escape')) $$;

CREATE FUNCTION property_of(properties bytea, wanted text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substring(lines_of(properties) FROM '(?n)^' || wanted || ': (.*)$')
$$;
