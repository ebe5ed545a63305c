-- SPDX-License-Identifier: MPL-2.0
--
-- Letting go of what every group has settled, or of what is too old, too much or no longer wanted, settled or not: a stream's tail moves on, and a child whose
-- messages all lie below goes as a whole.

-- The messages before `floor` go though groups may not have settled them. What a consumer has in hands stays with it; what waited in a group, fresh or to come again, is
-- lost for it and counted. The locks of the stream and of its groups are held. What was nacked after its message had gone is found here too.
CREATE FUNCTION leave_behind(its_stream int, floor bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  s record;
  g record;
  missed bigint;
BEGIN
  SELECT st.*, p.tail, p.next INTO s FROM stream st JOIN place p ON p.stream = st.id WHERE st.id = its_stream;
  -- Nobody has lost it who could be named; but it was taken from a history that somebody may have wanted.
  IF NOT EXISTS (SELECT FROM consumer_group x WHERE (x.queue, x.kind, x.peer) = (s.queue, s.kind, s.peer)) THEN
    PERFORM add_tally(s.queue, 0, 'trimmed', floor - s.tail);
  END IF;
  FOR g IN SELECT x.id, greatest(coalesce(c.next, 1), s.tail) AS next FROM consumer_group x LEFT JOIN cursor c ON c.grp = x.id AND c.stream = its_stream
           WHERE (x.queue, x.kind, x.peer) = (s.queue, s.kind, s.peer) LOOP
    missed := greatest(floor - g.next, 0);
    IF missed > 0 THEN PERFORM move_cursor(g.id, its_stream, floor); END IF;
    missed := missed + (SELECT coalesce(sum(least(last + 1, floor) - first), 0) FROM retry WHERE grp = g.id AND stream = its_stream AND first < floor);
    DELETE FROM retry WHERE grp = g.id AND stream = its_stream AND last < floor;
    UPDATE retry SET first = floor WHERE grp = g.id AND stream = its_stream AND first < floor;
    PERFORM add_tally(s.queue, g.id, 'trimmed', missed);
  END LOOP;
END $$;

-- Moves the tail to `floor`, at most so far as one call may. Answers how many messages went.
CREATE FUNCTION move_tail(its_stream int, floor bigint, settled boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p record;
  gone_bytes bigint := 0;
BEGIN
  SELECT l.*, s.queue INTO p FROM place l JOIN stream s ON s.id = l.stream WHERE l.stream = its_stream;
  floor := least(floor, p.next, p.tail + 10000);
  IF NOT settled THEN PERFORM leave_behind(its_stream, greatest(floor, p.tail)); END IF;
  IF floor <= p.tail THEN RETURN 0; END IF;
  IF p.bytes IS NOT NULL THEN
    EXECUTE format('SELECT coalesce(sum(octet_length(body)), 0) FROM message_%s WHERE stream = $1 AND seq >= $2 AND seq < $3', p.queue)
      INTO gone_bytes USING its_stream, p.tail, floor;
  END IF;
  UPDATE place SET tail = floor, bytes = bytes - gone_bytes WHERE stream = its_stream;
  RETURN floor - p.tail;
END $$;

-- What no group needs any more lies below; 0 when the stream has no group yet, which may want all of it.
CREATE FUNCTION consumed_floor(its_stream int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT least((SELECT coalesce(min(coalesce(c.next, 1)), 0) FROM stream s JOIN consumer_group g ON (g.queue, g.kind, g.peer) = (s.queue, s.kind, s.peer)
                  LEFT JOIN cursor c ON c.grp = g.id AND c.stream = s.id WHERE s.id = its_stream),
               (SELECT min(first) FROM retry WHERE stream = its_stream),
               (SELECT min(first + CASE WHEN done = ''::varbit THEN 0 ELSE position(B'0' IN done) - 1 END) FROM claim WHERE stream = its_stream)));
END $$;

-- The newest messages that fit into the amount begin here, as far as one call may look.
CREATE FUNCTION size_floor(its_stream int, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p record;
  found bigint;
BEGIN
  SELECT l.*, s.queue INTO p FROM place l JOIN stream s ON s.id = l.stream WHERE l.stream = its_stream;
  IF coalesce(p.bytes, 0) <= most THEN RETURN p.tail; END IF;
  EXECUTE format($q$
    SELECT max(seq) + 1 FROM (SELECT seq, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before
                              FROM (SELECT seq, body FROM message_%s WHERE stream = $1 AND seq >= $2 AND seq < $2 + 10000) m) r WHERE $3 - before > $4
    $q$, p.queue) INTO found USING its_stream, p.tail, p.bytes, most;
  RETURN coalesce(found, p.tail);
END $$;

CREATE FUNCTION floor_of(its_stream int, keep text, amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  p record;
BEGIN
  SELECT l.*, s.queue INTO p FROM place l JOIN stream s ON s.id = l.stream WHERE l.stream = its_stream;
  RETURN CASE keep
    WHEN 'consumed' THEN consumed_floor(its_stream)
    WHEN 'count' THEN p.next - amount
    WHEN 'age' THEN first_stored(p.queue, its_stream, p.tail, least(p.next, p.tail + 20000), now_ms() - amount)
    WHEN 'size' THEN size_floor(its_stream, amount)
    ELSE p.tail
  END;
END $$;

-- Of mailboxes, which may be many, some in turn from `after_stream` on.
CREATE FUNCTION tend(their_life uuid, their_mark bigint, its_name text, after_stream int,
                     OUT mark bigint, OUT gone bigint, OUT more boolean, OUT retain text, OUT size_limit text, OUT turn int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  q record;
  s record;
  locked int[];
  touched int[];
  freed int[] := '{}';
  n bigint;
  floor bigint;
  looked_at int := 0;
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT * INTO q FROM queue WHERE name = its_name;
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
  gone := 0;
  more := false;
  turn := 0;
  SELECT q.retain, q.size_limit INTO retain, size_limit;
  locked := ARRAY(SELECT lock FROM stream WHERE queue = q.id) ||
            ARRAY(SELECT lock FROM consumer_group WHERE queue = q.id AND q.keep IN ('age', 'count', 'size'));
  -- What was made or declared while it waited is for the next time.
  IF NOT lock_soon(locked) OR EXISTS (SELECT FROM queue x WHERE x.id = q.id AND x.retain <> q.retain)
     OR EXISTS (SELECT FROM stream WHERE queue = q.id AND NOT lock = ANY (locked))
     OR EXISTS (SELECT FROM consumer_group WHERE queue = q.id AND q.keep IN ('age', 'count', 'size') AND NOT lock = ANY (locked)) THEN
    more := true;
    turn := after_stream;
    RETURN;
  END IF;
  touched := fetch_due(ARRAY(SELECT p.stream FROM place p JOIN stream x ON x.id = p.stream WHERE x.queue = q.id AND p.due <= now_ms()), q.id, 4000);
  more := EXISTS (SELECT FROM place p JOIN stream x ON x.id = p.stream WHERE x.queue = q.id AND p.due <= now_ms());
  freed := touched;
  DELETE FROM delayed d USING place p, stream x WHERE x.queue = q.id AND p.stream = x.id AND p.fired_due > 0
    AND d.stream = p.stream AND (d.due, d.id) <= (p.fired_due, p.fired_id);
  IF q.keep <> 'forever' THEN
    FOR s IN
      (SELECT x.id, 0 AS rank FROM stream x JOIN place p ON p.stream = x.id WHERE x.queue = q.id AND x.kind <> 'mailbox' AND p.tail < p.next)
      UNION ALL
      (SELECT x.id, 1 FROM stream x JOIN place p ON p.stream = x.id WHERE x.queue = q.id AND x.kind = 'mailbox' AND p.tail < p.next AND x.id > after_stream
       ORDER BY x.id LIMIT 1000)
    LOOP
      floor := floor_of(s.id, q.keep, q.amount);
      n := move_tail(s.id, floor, q.keep = 'consumed');
      gone := gone + n;
      IF n > 0 THEN freed := freed || s.id; END IF;
      more := more OR n >= 10000;
      IF s.rank = 1 THEN
        looked_at := looked_at + 1;
        turn := s.id;
      END IF;
    END LOOP;
    IF looked_at < 1000 THEN
      more := more OR (after_stream > 0 AND gone > 0);
      turn := 0;
    ELSE
      more := true;
    END IF;
  END IF;
  PERFORM wake(touched, NULL, freed);
END $$;

-- An operator's hand: goes as far as told, whatever is declared. `keep_newest` instead of a place; all but so many.
CREATE FUNCTION trim_queue(their_life uuid, their_mark bigint, its_name text, from_kind text, from_value bigint, keep_newest bigint,
                           OUT mark bigint, OUT gone bigint, OUT more boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  q int := (SELECT id FROM queue WHERE name = its_name);
  main int := find_stream(q, 'main', '', 0);
  beside record;
  s record;
  floor bigint;
BEGIN
  mark := enter(their_life, their_mark, false);
  IF q IS NULL THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
  PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE queue = q AND kind = 'main') || ARRAY(SELECT lock FROM consumer_group WHERE queue = q AND kind = 'main'));
  gone := 0;
  more := false;
  IF main IS NULL THEN RETURN; END IF;
  beside := start_beside(main, from_kind, from_value);
  FOR s IN SELECT x.id, p.next, p.tail FROM stream x JOIN place p ON p.stream = x.id WHERE x.queue = q AND x.kind = 'main' ORDER BY x.priority LOOP
    floor := CASE WHEN keep_newest IS NOT NULL THEN s.next - least(s.next, keep_newest)
                  WHEN s.id = main THEN position_of(s.id, from_kind, from_value) ELSE position_of(s.id, beside.kind, beside.value) END;
    more := more OR floor > s.tail + 10000;
    gone := gone + move_tail(s.id, floor, false);
  END LOOP;
  PERFORM wake(NULL, NULL, ARRAY(SELECT id FROM stream WHERE queue = q AND kind = 'main'));
END $$;

-- Queues whose child that is written to is large, with what lies outside its rows: over 64 MiB, and over a sixteenth of all that the queue has.
CREATE FUNCTION full_children() RETURNS TABLE (queue int, child int) LANGUAGE sql VOLATILE AS $$
  SELECT q.id, q.child FROM queue q JOIN pg_class c ON c.relnamespace = current_schema::regnamespace AND c.relname = 'message_' || q.id || '_' || q.child
  WHERE pg_table_size(c.oid) > coalesce(nullif(current_setting('vtx.child_bytes', true), '')::bigint, 64 * 1048576)
    AND pg_table_size(c.oid) > (SELECT sum(pg_table_size(i.inhrelid)) / 16 FROM pg_inherits i
                                   WHERE i.inhparent = (quote_ident(current_schema) || '.message_' || q.id)::regclass)
$$;

-- One child more for each. Nobody writes meanwhile: the books' lock is held alone.
CREATE FUNCTION begin_children() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  f record;
BEGIN
  FOR f IN SELECT * FROM full_children() LOOP
    -- The row of stream 0 stands for a child all of whose streams are empty.
    INSERT INTO segment (queue, child, stream, last)
      SELECT f.queue, f.child, p.stream, p.next - 1 FROM stream s JOIN place p ON p.stream = s.id WHERE s.queue = f.queue AND p.next > p.tail
      UNION ALL SELECT f.queue, f.child, 0, 0;
    PERFORM make_child(f.queue, f.child + 1);
    UPDATE queue SET child = f.child + 1 WHERE id = f.queue;
    PERFORM make_functions(f.queue);
  END LOOP;
END $$;

CREATE FUNCTION drop_children() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  d record;
BEGIN
  FOR d IN
    SELECT DISTINCT queue, child FROM segment g WHERE NOT EXISTS (
      SELECT FROM segment s JOIN place p ON p.stream = s.stream WHERE s.queue = g.queue AND s.child = g.child AND s.last >= p.tail)
  LOOP
    BEGIN
      EXECUTE format('DROP TABLE IF EXISTS message_%s_%s', d.queue, d.child);
      DELETE FROM segment WHERE queue = d.queue AND child = d.child;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      NULL;  -- somebody still reads it
    END;
  END LOOP;
END $$;

CREATE FUNCTION maintain(their_life uuid, their_mark bigint, OUT mark bigint) LANGUAGE plpgsql AS $$
BEGIN
  mark := enter(their_life, their_mark, false);
  -- One at a time is enough.
  IF NOT pg_try_advisory_xact_lock(lock_class(), -2) THEN RETURN; END IF;
  IF size_of_books() >= greatest(1048576, 3 * (SELECT books_bytes FROM store)) OR EXISTS (SELECT FROM full_children()) THEN
    BEGIN
      PERFORM set_config('lock_timeout', '100ms', true);
      PERFORM pg_advisory_xact_lock(lock_class(), 0);
      PERFORM set_config('lock_timeout', '5ms', true);  -- nobody is kept out for long by who only reads the views
      IF size_of_books() >= greatest(1048576, 3 * (SELECT books_bytes FROM store)) THEN PERFORM begin_generation(); END IF;
      PERFORM begin_children();
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      NULL;  -- another time
    END;
  END IF;
  PERFORM set_config('lock_timeout', '5ms', true);
  PERFORM drop_old_books();
  PERFORM drop_children();
  PERFORM sweep_holders();
END $$;
