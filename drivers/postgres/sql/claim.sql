-- SPDX-License-Identifier: MPL-2.0
--
-- Leasing ranges. The highest priority that has anything goes first; within one, what the group must have again before what is fresh.

-- The streams of a group, from the highest priority down.
CREATE FUNCTION sources_of(its_group int) RETURNS TABLE (queue int, stream int, priority int, from_seq bigint, next bigint, due bigint, has_cursor boolean) LANGUAGE sql STABLE AS $$
  SELECT s.queue, s.id, s.priority, greatest(coalesce(c.next, 1), p.tail), p.next, p.due, c.next IS NOT NULL
  FROM consumer_group g JOIN stream s ON (s.queue, s.kind, s.peer) = (g.queue, g.kind, g.peer) JOIN place p ON p.stream = s.id
  LEFT JOIN cursor c ON c.grp = g.id AND c.stream = s.id
  WHERE g.id = its_group ORDER BY s.priority DESC
$$;

CREATE FUNCTION is_claimable(its_group int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT EXISTS (SELECT FROM sources_of(its_group) s WHERE s.from_seq < s.next OR s.due <= now_ms() OR
                   EXISTS (SELECT FROM retry r WHERE r.grp = its_group AND r.priority = s.priority AND r.due <= now_ms()))
         OR (SELECT has_intake(queue) FROM consumer_group WHERE id = its_group AND kind = 'main'));
END $$;

-- When something will be claimable that is not yet.
CREATE FUNCTION next_due(its_group int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT least(min(r.due), min(s.due)) FROM sources_of(its_group) s
          LEFT JOIN LATERAL (SELECT x.due FROM retry x WHERE x.grp = its_group AND x.priority = s.priority ORDER BY x.due LIMIT 1) r ON true);
END $$;

CREATE FUNCTION move_cursor(its_group int, its_stream int, seq bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE cursor SET next = seq WHERE grp = its_group AND stream = its_stream;
  IF NOT FOUND THEN INSERT INTO cursor (grp, stream, next) VALUES (its_group, its_stream, seq); END IF;
END $$;

-- Notes the number of a holder's newest claim; false: it was noted before, or the holder has ended.
CREATE FUNCTION note_claim(its_holder bigint, its_number bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE holder SET claimed = greatest(its_number, claimed) WHERE id = its_holder AND ended IS NULL AND (its_number = 0 OR its_number > claimed);
  RETURN FOUND;
END $$;

-- Appends what is due, with its streams locked; what was sent from SQL, too. Answers the streams that it touched.
CREATE FUNCTION fetch_due(its_streams int[], its_queue int, most int) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
  left_over int := most;
  touched int[] := '{}';
  n int;
  s int;
BEGIN
  FOREACH s IN ARRAY its_streams LOOP
    n := fire(s, left_over, 1048576);
    IF n > 0 THEN touched := touched || s; END IF;
    left_over := left_over - n;
    EXIT WHEN left_over <= 0;
  END LOOP;
  IF its_queue IS NOT NULL AND has_intake(its_queue) THEN
    IF take_in(its_queue, most) > 0 THEN touched := touched || find_stream(its_queue, 'main', '', 0); END IF;
  END IF;
  RETURN touched;
END $$;

CREATE FUNCTION claim_next(their_life uuid, their_mark bigint, its_group int, its_holder bigint, its_number bigint, most int, most_bytes bigint, is_alone boolean, is_uncounted boolean,
                           OUT mark bigint, OUT id bigint, OUT stream int, OUT first bigint, OUT last bigint, OUT delivery int, OUT reason text, OUT priority int,
                           OUT head bigint, OUT more boolean, OUT retry_waiting boolean, OUT retry_later boolean, OUT due_in bigint,
                           OUT seqs bigint[], OUT storeds bigint[], OUT expiries bigint[], OUT frame_counts int[], OUT property_texts bytea[], OUT bodies bytea[], OUT due_at bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  g record;
  s record;
  r record;
  got record;
  present bigint := now_ms();
  touched int[];
  gone bigint;
  noted boolean := false;
  nothing text;
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT x.queue, x.lock, EXISTS (SELECT FROM stream st JOIN place p ON p.stream = st.id WHERE (st.queue, st.kind, st.peer) = (x.queue, x.kind, x.peer) AND p.due <= present) AS asks_ledger,
         x.kind = 'main' AND EXISTS (SELECT FROM intake i WHERE i.queue = x.queue AND i.xid >= coalesce((SELECT l.xid FROM looked l WHERE l.queue = x.queue), '0'::xid8)) AS asks_intake,
         (SELECT its_number = 0 OR its_number > h.claimed FROM holder h WHERE h.id = its_holder AND h.ended IS NULL) AS is_new
    INTO g FROM consumer_group x WHERE x.id = its_group;
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no such group'); END IF;
  IF g.asks_ledger OR g.asks_intake THEN
    -- Of one snapshot: no stream is fired whose lock is not held.
    SELECT array_agg(st.id ORDER BY st.priority DESC) FILTER (WHERE p.due <= present) AS due, array_agg(st.lock) AS locks INTO s
      FROM consumer_group x JOIN stream st ON (st.queue, st.kind, st.peer) = (x.queue, x.kind, x.peer) JOIN place p ON p.stream = st.id WHERE x.id = its_group;
    PERFORM lock_all(s.locks || g.lock);
    touched := fetch_due(coalesce(s.due, '{}'), CASE WHEN g.asks_intake THEN g.queue END, 1000);
    PERFORM wake(touched, NULL, touched);
  ELSE
    nothing := pg_advisory_xact_lock(lock_class(), g.lock);
  END IF;
  -- The number is noted in the same statement as the claim where it can be. Until then somebody may have noted it while this waited for the lock.
  IF g.is_new THEN
    <<sources>>
    FOR s IN
      SELECT x.*, (SELECT min(y.due) FROM retry y WHERE y.grp = its_group AND y.priority = x.priority) AS retry_due FROM sources_of(its_group) x
    LOOP
      IF id IS NOT NULL THEN
        more := more OR coalesce(s.retry_due <= present, false) OR s.from_seq < s.next;
        CONTINUE;
      END IF;
      WHILE s.retry_due <= present LOOP
        SELECT * INTO r FROM retry x WHERE x.grp = its_group AND x.priority = s.priority AND x.due <= present ORDER BY x.due, x.first, x.id LIMIT 1;
        noted := noted OR note_claim(its_holder, its_number);
        EXIT sources WHEN NOT noted;
        IF r.delivered > 0 AND NOT is_alone THEN
          retry_waiting := true;
          RETURN;
        END IF;
        SELECT x.*, p.next, t.dead INTO got FROM stream st JOIN queue t ON t.id = st.queue JOIN place p ON p.stream = st.id,
          LATERAL read_range(st.queue, r.stream, greatest(r.first, p.tail), r.last, CASE WHEN r.delivered > 0 THEN 1 ELSE most END, most_bytes) x WHERE st.id = r.stream;
        IF got.first IS NULL OR got.whole THEN
          DELETE FROM retry x WHERE x.id = r.id;
        ELSE
          UPDATE retry SET first = got.last + 1 WHERE retry.id = r.id;
        END IF;
        -- Retention may have removed some meanwhile, in a dead-letter queue a person, which was counted then.
        gone := CASE WHEN got.first IS NULL THEN r.last + 1 - r.first ELSE got.first - r.first END;
        IF gone > 0 AND got.dead IS FALSE THEN PERFORM add_tally(g.queue, its_group, 'trimmed', gone); END IF;
        IF got.first IS NOT NULL THEN
          INSERT INTO claim AS c (id, grp, stream, holder, number, first, last, delivery, counted, priority, reason)
            VALUES ((SELECT x.epoch FROM store x) << 40 | nextval('numbers'), its_group, r.stream, its_holder, its_number, got.first, got.last, r.delivered + 1, NOT is_uncounted, r.priority, r.reason)
            RETURNING c.id, c.stream, c.first, c.last, c.delivery, c.reason, c.priority INTO id, stream, first, last, delivery, reason, priority;
          head := got.next - 1;
          more := is_claimable(its_group);
          EXIT;
        END IF;
        s.retry_due := (SELECT min(y.due) FROM retry y WHERE y.grp = its_group AND y.priority = s.priority);
      END LOOP;
      CONTINUE WHEN id IS NOT NULL;
      IF s.from_seq < s.next THEN
        got := read_range(s.queue, s.stream, s.from_seq, s.next - 1, most, most_bytes);
        IF got.first IS NULL OR NOT s.has_cursor THEN
          noted := noted OR note_claim(its_holder, its_number);
          EXIT WHEN NOT noted;
          PERFORM move_cursor(its_group, s.stream, coalesce(got.last + 1, s.next));
        END IF;
        IF got.first IS NOT NULL THEN
          WITH note AS (UPDATE holder x SET claimed = greatest(its_number, claimed) WHERE x.id = its_holder AND NOT noted AND x.ended IS NULL AND (its_number = 0 OR its_number > claimed)
                        RETURNING x.id),
               moved AS (UPDATE cursor SET next = got.last + 1 WHERE grp = its_group AND cursor.stream = s.stream AND s.has_cursor AND (noted OR EXISTS (SELECT FROM note)))
          INSERT INTO claim AS c (id, grp, stream, holder, number, first, last, delivery, counted, priority, reason)
            SELECT x.epoch << 40 | nextval('numbers'), its_group, s.stream, its_holder, its_number, got.first, got.last, 1, NOT is_uncounted, s.priority, ''
            FROM store x WHERE noted OR EXISTS (SELECT FROM note)
            RETURNING c.id, c.stream, c.first, c.last, c.delivery, c.reason, c.priority INTO id, stream, first, last, delivery, reason, priority;
          EXIT WHEN id IS NULL;
          head := s.next - 1;
          more := got.last + 1 < s.next;
          CONTINUE;
        END IF;
      END IF;
      retry_later := coalesce(retry_later, false) OR s.retry_due IS NOT NULL;
      due_at := least(due_at, s.due, s.retry_due);
    END LOOP;
    -- Only so much was fetched.
    IF id IS NOT NULL AND NOT more AND (g.asks_ledger OR g.asks_intake) THEN more := is_claimable(its_group); END IF;
  END IF;
  IF id IS NULL AND NOT noted AND NOT coalesce(g.is_new AND note_claim(its_holder, its_number), false) THEN
    -- Asked again, because the answer was lost; or it has been asked again and settled since: this one was left over in a session that was cut off.
    SELECT c.id, c.stream, c.first, c.last, c.delivery, c.reason, c.priority INTO id, stream, first, last, delivery, reason, priority
      FROM holder x LEFT JOIN claim c ON c.holder = x.id AND c.number = its_number AND c.grp = its_group WHERE x.id = its_holder AND x.ended IS NULL;
    IF NOT FOUND THEN PERFORM refuse('VX007', 'holder ' || its_holder || ' has ended'); END IF;
    IF id IS NULL THEN
      retry_later := true;  -- what the first one had to say is not known any more: it may have been that
      RETURN;
    END IF;
    SELECT p.next, st.queue INTO s FROM stream st JOIN place p ON p.stream = st.id WHERE st.id = claim_next.stream;
    head := s.next - 1;
    got := read_range(s.queue, claim_next.stream, claim_next.first, claim_next.last, 2147483646, 9223372036854775807);
    more := is_claimable(its_group);
  END IF;
  IF id IS NULL THEN
    IF due_at IS NOT NULL THEN due_in := greatest(due_at - now_ms(), 0); END IF;
    RETURN;
  END IF;
  seqs := got.seqs;
  storeds := got.storeds;
  expiries := got.expiries;
  frame_counts := got.frame_counts;
  property_texts := got.property_texts;
  bodies := got.bodies;
END $$;

-- Reading without leasing.
CREATE FUNCTION read_stream(their_life uuid, their_mark bigint, its_stream int, from_seq bigint, most int, most_bytes bigint,
                            OUT mark bigint, OUT head bigint, OUT tail bigint, OUT more boolean, OUT due_in bigint,
                            OUT seqs bigint[], OUT storeds bigint[], OUT expiries bigint[], OUT frame_counts int[], OUT property_texts bytea[], OUT bodies bytea[], OUT due_at bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  s record;
  p record;
  got record;
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT * INTO s FROM stream WHERE id = its_stream;
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no such stream ' || its_stream); END IF;
  SELECT * INTO p FROM place x WHERE x.stream = its_stream;
  got := read_range(s.queue, its_stream, greatest(from_seq, p.tail), p.next - 1, most, most_bytes);
  head := p.next - 1;
  tail := CASE WHEN (SELECT dead FROM queue WHERE id = s.queue) THEN next_at(s.queue, its_stream, p.tail) ELSE p.tail END;
  more := NOT got.whole;
  due_at := p.due;
  due_in := CASE WHEN p.due IS NOT NULL THEN greatest(p.due - now_ms(), 0) END;
  seqs := got.seqs;
  storeds := got.storeds;
  expiries := got.expiries;
  frame_counts := got.frame_counts;
  property_texts := got.property_texts;
  bodies := got.bodies;
END $$;

CREATE FUNCTION locate(their_life uuid, their_mark bigint, its_stream int, from_kind text, from_value bigint, OUT mark bigint, OUT first bigint, OUT head bigint, OUT tail bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT p.next - 1, p.tail INTO head, tail FROM place p WHERE p.stream = its_stream;
  IF NOT FOUND THEN PERFORM refuse('VX001', 'no such stream ' || its_stream); END IF;
  first := position_of(its_stream, from_kind, from_value);
END $$;

-- What was sent from SQL to a queue goes to its place, for those who wait there.
CREATE FUNCTION fetch_sent(their_life uuid, their_mark bigint, its_queue int, OUT mark bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  IF NOT has_intake(its_queue) THEN RETURN; END IF;
  PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE queue = its_queue AND kind = 'main'));
  PERFORM wake(fetch_due('{}', its_queue, 10000));
END $$;

-- Of what a session waits for, what has come: groups that have something to claim or will have sooner than was known, streams that are longer than they were seen to be, or will be sooner; what is gone;
-- room, and peers after those that were seen. Nothing known is the largest number.
CREATE FUNCTION has_come(groups int[], group_dues bigint[], streams int[], seqs bigint[], stream_dues bigint[], roomy int[], joined int[], peers_seen bigint[],
                         OUT new_groups int[], OUT new_streams int[], OUT new_roomy int[], OUT new_joined int[]) LANGUAGE plpgsql AS $$
BEGIN
  new_groups := ARRAY(SELECT w.g FROM unnest(groups, group_dues) AS w (g, d) WHERE is_claimable(w.g) OR next_due(w.g) < w.d OR NOT EXISTS (SELECT FROM consumer_group WHERE id = w.g));
  new_streams := ARRAY(SELECT w.s FROM unnest(streams, seqs, stream_dues) AS w (s, n, d) LEFT JOIN place p ON p.stream = w.s
                       WHERE p.stream IS NULL OR p.next - 1 > w.n OR p.due < w.d);
  new_roomy := ARRAY(SELECT r FROM unnest(roomy) r WHERE has_room(r));
  new_joined := ARRAY(SELECT w.j FROM unnest(joined, peers_seen) AS w (j, n)
                      WHERE EXISTS (SELECT FROM consumer_group WHERE queue = w.j AND kind = 'mailbox' AND id > w.n));
END $$;

-- Likewise, and the queues that something was sent to from SQL.
CREATE FUNCTION look_for(their_life uuid, their_mark bigint, groups int[], group_dues bigint[], streams int[], seqs bigint[], stream_dues bigint[], roomy int[], joined int[], peers_seen bigint[],
                         OUT mark bigint, OUT new_groups int[], OUT new_streams int[], OUT new_roomy int[], OUT new_joined int[], OUT sent int[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  SELECT * INTO new_groups, new_streams, new_roomy, new_joined FROM has_come(groups, group_dues, streams, seqs, stream_dues, roomy, joined, peers_seen);
  sent := ARRAY(SELECT id FROM queue WHERE has_intake(id));
END $$;
