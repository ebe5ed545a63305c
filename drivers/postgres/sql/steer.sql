-- SPDX-License-Identifier: MPL-2.0
--
-- An operator's hand on groups and dead letters.

CREATE FUNCTION find_group(its_queue int, its_kind text, its_peer text, its_name text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT id FROM consumer_group WHERE (queue, kind, peer, name) = (its_queue, its_kind, its_peer, its_name));
END $$;

-- Messages before `floor` that the group has not settled: fresh ones, in hands, to come again. In a dead-letter queue, which has holes, each row is counted.
CREATE FUNCTION passed_over(its_group int, its_stream int, floor bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  s record;
  first bigint;
  last bigint;
  passed bigint;
BEGIN
  SELECT q.id, q.dead, p.tail, p.next, coalesce(c.next, 1) AS reads INTO s FROM stream x JOIN queue q ON q.id = x.queue JOIN place p ON p.stream = x.id
    LEFT JOIN cursor c ON c.grp = its_group AND c.stream = x.id WHERE x.id = its_stream;
  first := greatest(s.reads, s.tail);
  last := least(floor, s.next);
  passed := greatest(last - first, 0);
  IF s.dead AND passed > 0 THEN
    EXECUTE format('SELECT count(*) FROM message_%s WHERE stream = $1 AND seq >= $2 AND seq < $3', s.id) INTO passed USING its_stream, first, last;
  END IF;
  RETURN passed
    + (SELECT coalesce(sum(least(r.last + 1, floor) - r.first), 0) FROM retry r WHERE r.grp = its_group AND r.stream = its_stream AND r.first < floor)
    + (SELECT coalesce(sum((SELECT count(*) FROM generate_series(0, least(c.last, floor - 1) - c.first) at WHERE c.done = ''::varbit OR get_bit(c.done, at::int) = 0)), 0)
       FROM claim c WHERE c.grp = its_group AND c.stream = its_stream AND c.first < floor);
END $$;

-- The queue and the group that are meant, or the refusal.
CREATE FUNCTION meant(its_name text, its_kind text, its_peer text, group_name text, called text, OUT q int, OUT g int) LANGUAGE plpgsql AS $$
BEGIN
  q := (SELECT id FROM queue WHERE name = its_name);
  IF q IS NULL THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
  g := find_group(q, its_kind, its_peer, group_name);
  IF g IS NULL THEN PERFORM refuse('VX001', format('queue %s has no group ''%s''', its_name, called)); END IF;
END $$;

-- Claims end with their rows: who settles late finds none, and is fenced. Dead letters that were on their way back lie where they lay.
CREATE FUNCTION seek_group(their_life uuid, their_mark bigint, its_name text, its_kind text, its_peer text, group_name text, called text, from_kind text, from_value bigint,
                           OUT mark bigint, OUT passed bigint, OUT first bigint, OUT head bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  m record;
  beside record;
  main int;
  s record;
  place_there bigint;
BEGIN
  mark := enter(their_life, their_mark, true);
  m := meant(its_name, its_kind, its_peer, group_name, called);
  PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE (queue, kind, peer) = (m.q, its_kind, its_peer)) || ARRAY(SELECT lock FROM consumer_group WHERE id = m.g));
  passed := 0;
  main := find_stream(m.q, its_kind, its_peer, 0);
  beside := start_beside(main, from_kind, from_value);
  FOR s IN SELECT x.id, p.next FROM stream x JOIN place p ON p.stream = x.id WHERE (x.queue, x.kind, x.peer) = (m.q, its_kind, its_peer) ORDER BY x.priority LOOP
    place_there := CASE WHEN s.id = main THEN position_of(s.id, from_kind, from_value) ELSE position_of(s.id, beside.kind, beside.value) END;
    passed := passed + passed_over(m.g, s.id, place_there);
    PERFORM move_cursor(m.g, s.id, place_there);
    IF s.id = main THEN SELECT place_there, s.next - 1 INTO first, head; END IF;
  END LOOP;
  DELETE FROM claim WHERE grp = m.g;
  DELETE FROM retry WHERE grp = m.g;
  PERFORM add_tally(m.q, m.g, 'skipped', passed);
  PERFORM wake(NULL, ARRAY[m.g]);
END $$;

CREATE FUNCTION drop_group(their_life uuid, their_mark bigint, its_name text, its_kind text, its_peer text, group_name text, called text, forced boolean,
                           OUT mark bigint, OUT passed bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  m record;
BEGIN
  mark := enter(their_life, their_mark, true);
  m := meant(its_name, its_kind, its_peer, group_name, called);
  PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE (queue, kind, peer) = (m.q, its_kind, its_peer)) || ARRAY(SELECT lock FROM consumer_group WHERE id = m.g));
  IF NOT forced AND EXISTS (SELECT FROM (SELECT holder FROM claim WHERE grp = m.g
                                         UNION SELECT holder FROM hold WHERE queue = m.q AND its_kind = 'mailbox' AND what = 'peer:' || its_peer) u WHERE NOT is_dead(u.holder)) THEN
    PERFORM refuse('VX005', format('group ''%s'' of queue %s is in use: end its consumers first, or force it', called, its_name));
  END IF;
  IF its_kind = 'mailbox' THEN
    passed := remove_mailbox(m.q, its_peer);
    RETURN;
  END IF;
  passed := (SELECT coalesce(sum(passed_over(m.g, id, 9223372036854775806)), 0) FROM stream WHERE (queue, kind, peer) = (m.q, its_kind, its_peer));
  PERFORM wake(NULL, ARRAY[m.g]);  -- who waits there learns that it is gone
  PERFORM remove_group(m.g);
  PERFORM add_tally(m.q, 0, 'skipped', passed);
END $$;

-- Gives a dead letter back to the group it died in, as if it had never been delivered. Once: not while it waits or is in hands there already.
CREATE FUNCTION requeue_letter(its_queue int, its_stream int, its_seq bigint, text_of bytea) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  called text := property_of(text_of, 'Dead-Group');
  g int := (SELECT id FROM consumer_group c WHERE c.queue = its_queue AND group_text(c.kind, c.peer, c.name) = called);
BEGIN
  IF g IS NULL THEN
    PERFORM refuse('VX001', format('group ''%s'', where dead letter %s comes from, is no more', coalesce(called, ''), its_seq));
  END IF;
  PERFORM lock_all(ARRAY(SELECT lock FROM consumer_group WHERE id = g));
  -- Ranges of one group do not overlap, so the nearest one that begins at or before it tells.
  IF (SELECT r.last >= its_seq FROM retry r WHERE r.grp = g AND r.stream = its_stream AND r.first <= its_seq ORDER BY r.first DESC LIMIT 1)
     OR EXISTS (SELECT FROM claim WHERE grp = g AND stream = its_stream AND its_seq BETWEEN first AND last) THEN RETURN 0; END IF;
  INSERT INTO retry (id, grp, stream, first, last, delivered, due, reason, priority)
    VALUES (next_number(), g, its_stream, its_seq, its_seq, 0, 0, '', coalesce(
      -- Where there is no such stream any more it goes with what is there.
      (SELECT s.priority FROM stream s JOIN consumer_group c ON (c.queue, c.kind, c.peer) = (s.queue, s.kind, s.peer)
       WHERE c.id = g AND s.priority = property_of(text_of, 'Dead-Priority')::int), 0));
  PERFORM wake(NULL, ARRAY[g]);
  RETURN 1;
END $$;

CREATE FUNCTION steer_dead(their_life uuid, their_mark bigint, its_name text, its_seq bigint, dropped boolean, OUT mark bigint, OUT touched bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  q int := (SELECT id FROM queue WHERE name = its_name);
  letters int := dead_stream(q);
  m record;
BEGIN
  mark := enter(their_life, their_mark, true);
  IF q IS NULL THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
  touched := 0;
  IF letters IS NOT NULL THEN
    -- All groups, since a letter tells only when it is read whose it is.
    PERFORM lock_all(ARRAY[letters] || ARRAY(SELECT lock FROM consumer_group WHERE queue = q));
    FOR m IN EXECUTE format('SELECT seq, properties FROM message_%s WHERE stream = $1 AND seq >= $3 AND ($2 = 0 OR seq = $2) ORDER BY seq', (SELECT queue FROM stream WHERE id = letters))
             USING letters, its_seq, (SELECT tail FROM place WHERE stream = letters) LOOP
      IF dropped THEN
        PERFORM remove_letter(letters, m.seq);
        touched := touched + 1;
      ELSE
        touched := touched + requeue_letter(q, letters, m.seq, m.properties);
      END IF;
      its_seq := -abs(its_seq);
    END LOOP;
  END IF;
  IF its_seq > 0 THEN PERFORM refuse('VX001', format('queue %s has no dead letter %s', its_name, its_seq)); END IF;
  IF dropped THEN PERFORM add_tally(q, 0, 'skipped', touched); END IF;
END $$;
