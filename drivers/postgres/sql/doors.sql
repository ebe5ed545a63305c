-- SPDX-License-Identifier: MPL-2.0
--
-- Doors that are narrower than what is behind them, for roles that may not do everything: a commit of one kind, a look that makes nothing.

-- What commit_all() is, with a refusal before it that their names tell: a call of it would cost as much as the refusal saves.
DO $$
DECLARE
  door record;
BEGIN
  FOR door IN SELECT * FROM (VALUES
    ('commit_sends', 'cardinality($17) > 0', 'settle'),
    ('commit_settles', 'EXISTS (SELECT FROM unnest($6) s WHERE s <> 0)', 'send'),
    ('commit_tallies', 'cardinality($17) > 0 OR cardinality($6) > 0', 'send or settle')) AS d (name, refused, deed)
  LOOP
    EXECUTE format($f$
      CREATE FUNCTION %I(%s) LANGUAGE plpgsql AS %L $f$, door.name, pg_get_function_arguments('commit_all'::regproc),
      replace(replace((SELECT prosrc FROM pg_proc WHERE oid = 'commit_all'::regproc), 'commit_all.', door.name || '.'), '-- (the door)',
              format($f$IF %s THEN PERFORM refuse('VX010', 'this may not %s messages'); END IF;$f$, door.refused, door.deed)));
  END LOOP;
END $$;

-- What the schema is, for who has no rights on its tables.
CREATE FUNCTION about(OUT schema int, OUT oldest_library text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  SELECT s.schema, s.oldest_library INTO schema, oldest_library FROM store s;
END $$;

CREATE FUNCTION look_at_queue(their_life uuid, their_mark bigint, its_name text, OUT mark bigint, OUT id int, OUT retain text, OUT size_limit text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT q.id, q.retain, q.size_limit INTO id, retain, size_limit FROM queue q WHERE q.name = its_name;
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
END $$;

CREATE FUNCTION look_at_stream(their_life uuid, their_mark bigint, its_queue int, its_kind text, its_peer text, its_priority int,
                               OUT mark bigint, OUT id int, OUT head bigint, OUT fork bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT s.id, p.next - 1, s.fork INTO id, head, fork FROM stream s JOIN place p ON p.stream = s.id
    WHERE (s.queue, s.kind, s.peer, s.priority) = (its_queue, its_kind, its_peer, its_priority);
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no such stream'); END IF;
END $$;
