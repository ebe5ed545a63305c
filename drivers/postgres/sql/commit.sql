-- SPDX-License-Identifier: MPL-2.0
--
-- Commits: settlements, then messages at the ends of their streams, then the producer's watermark. One call a commit, so that a client that vanishes never holds a
-- lock. A commit whose answer was lost comes again: the locks are taken first, which waits for the one that may still be at work, then the watermark is read.

-- What is there in the direction that the stream of priority 0 belongs to: all priorities together.
CREATE FUNCTION load_of(its_stream int, OUT messages bigint, OUT bytes bigint) LANGUAGE plpgsql AS $$
BEGIN
  SELECT sum(p.next - p.tail + p.delayed)::bigint, sum(coalesce(p.bytes, 0) + p.delayed_bytes)::bigint INTO messages, bytes
  FROM stream s JOIN stream b ON (b.queue, b.kind, b.peer) = (s.queue, s.kind, s.peer) JOIN place p ON p.stream = b.id WHERE s.id = its_stream;
END $$;

CREATE FUNCTION has_room(its_stream int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT l.messages < coalesce(q.max_messages, 9223372036854775807) AND l.bytes < coalesce(q.max_bytes, 9223372036854775807)
  FROM stream s JOIN queue q ON q.id = s.queue, LATERAL load_of(s.id) l WHERE s.id = its_stream);
END $$;

-- Refuses a commit that would fill a queue over its limit, with what it has room for. Replies are not counted: who could not answer would hold the requests that
-- fill the queue. A single message that is larger than all fits where nothing is.
CREATE FUNCTION check_room(streams int[], counts int[], bodies bytea[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  w record;
  l record;
  more bigint;
BEGIN
  FOR w IN
    SELECT a.stream, q.id, q.name, q.size_limit, q.max_messages, q.max_bytes, sum(a.n) AS messages, min(a.first) AS first, max(a.last) AS last
    FROM (SELECT s AS stream, n, sum(n) OVER (ORDER BY i) - n + 1 AS first, sum(n) OVER (ORDER BY i) AS last FROM unnest(streams, counts) WITH ORDINALITY AS x (s, n, i)) a
    JOIN stream s ON s.id = a.stream JOIN queue q ON q.id = s.queue
    WHERE s.kind <> 'mailbox' AND (q.max_messages IS NOT NULL OR q.max_bytes IS NOT NULL)
    GROUP BY 1, 2 ORDER BY 1
  LOOP
    l := load_of(w.stream);
    more := (SELECT sum(octet_length(b)) FROM unnest(bodies[w.first:w.last]) b);
    CONTINUE WHEN (l.messages = 0 AND w.messages = 1)
      OR (l.messages + w.messages <= coalesce(w.max_messages, 9223372036854775807) AND l.bytes + more <= coalesce(w.max_bytes, 9223372036854775807));
    PERFORM refuse('VX003', format('queue %s is at its limit of %s: consume what is in it', w.name, w.size_limit),
                   format('%s %s %s', w.stream, greatest(coalesce(w.max_messages - l.messages, 4096), 0),
                          greatest(coalesce(w.max_bytes, 9223372036854775807) - l.bytes, 0)));
  END LOOP;
END $$;

CREATE FUNCTION commit_all(their_life uuid, their_mark bigint, its_producer uuid, its_counter bigint, durable boolean,
                           a_stream int[], a_queue int[], a_peer text[], a_priority int[], a_only_if int[], a_count int[],
                           m_body bytea[], m_frames int[], m_properties bytea[], m_delay bigint[], m_ttl bigint[],
                           s_group int[], s_claim bigint[], s_done varbit[],
                           o_settle int[], o_offset int[], o_verdict int[], o_delay bigint[], o_reason text[],
                           t_queue int[], t_what text[], t_n bigint[],
                           OUT mark bigint, OUT head bigint, OUT lost bigint, OUT fenced int[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  appends int := coalesce(cardinality(a_count), 0);
  settles int := coalesce(cardinality(s_group), 0);
  locks int[] := '{}';
  appended int[] := '{}';
  retried int[] := '{}';
  known record;
  outcome record;
  into_one record;
  target int;
  its_queue int;
  from_n int := 1;
  to_n int;
  present bigint;
  nothing text;
BEGIN
  -- (the door)
  mark := enter(their_life, their_mark, durable);
  lost := 0;
  fenced := '{}';
  IF appends = 1 AND a_stream[1] <> 0 THEN
    SELECT s.lock, s.queue, q.max_messages IS NOT NULL OR q.max_bytes IS NOT NULL AS limited INTO into_one FROM stream s JOIN queue q ON q.id = s.queue WHERE s.id = a_stream[1];
    IF NOT FOUND THEN PERFORM refuse('VX001', 'no such stream'); END IF;
    locks := ARRAY[into_one.lock];
  ELSIF appends > 0 THEN
    SELECT array_agg(s.lock) AS locks, array_agg(s.id) AS ids, min(s.queue) AS queue, bool_or(q.max_messages IS NOT NULL OR q.max_bytes IS NOT NULL) AS limited
      INTO into_one FROM stream s JOIN queue q ON q.id = s.queue WHERE s.id = ANY (a_stream);
    IF NOT a_stream <@ (coalesce(into_one.ids, '{}') || 0) THEN PERFORM refuse('VX001', 'no such stream'); END IF;
    locks := into_one.locks;
    IF 0 = ANY (a_stream) THEN locks := coalesce(locks, '{}') || ARRAY(SELECT mailboxes FROM queue WHERE id = ANY (a_queue)); END IF;
  END IF;
  IF settles = 1 THEN
    locks := locks || (SELECT lock FROM consumer_group WHERE id = s_group[1]);
  ELSIF settles > 0 THEN
    locks := locks || ARRAY(SELECT lock FROM consumer_group WHERE id = ANY (s_group));
  END IF;
  IF settles > 0 THEN
    IF 2 = ANY (o_verdict) THEN
      locks := locks || ARRAY(SELECT dead_stream(queue) FROM consumer_group WHERE id = ANY (s_group));
    END IF;
  END IF;
  nothing := lock_all(locks);
  present := now_ms();
  IF its_counter > 0 THEN
    UPDATE producer SET counter = its_counter, seen = present WHERE id = its_producer AND counter < its_counter;
    IF NOT FOUND THEN
      -- Written, so that the answer waits for a standby as the first one did.
      UPDATE producer p SET seen = present WHERE p.id = its_producer RETURNING p.fenced, p.fenced_at INTO known;
      IF FOUND THEN
        IF known.fenced_at = its_counter THEN fenced := coalesce(known.fenced, '{}'); END IF;
        IF appends > 0 THEN
          target := a_stream[appends];
          IF target = 0 THEN target := find_stream(a_queue[appends], 'mailbox', a_peer[appends], 0); END IF;
          IF a_priority[appends] > 0 AND target IS NOT NULL THEN target := sibling_of(target, a_priority[appends]); END IF;
          head := (SELECT next - 1 FROM place WHERE stream = target);
        END IF;
        RETURN;
      END IF;
      INSERT INTO producer (id, counter, seen, fenced, fenced_at) VALUES (its_producer, its_counter, present, '{}', its_counter);
    END IF;
  END IF;
  -- A limit that was declared while this waited for the locks holds from the next commit on.
  IF appends > 0 THEN
    IF into_one.limited THEN PERFORM check_room(a_stream, a_count, m_body); END IF;
  END IF;
  FOR i IN 1..settles LOOP
    IF o_settle IS NULL THEN
      outcome := settle(s_group[i], s_claim[i], s_done[i], NULL, NULL, NULL, NULL);
    ELSE
      outcome := settle(s_group[i], s_claim[i], s_done[i], o.offsets, o.verdicts, o.waits, o.reasons)
        FROM (SELECT array_agg(at) AS offsets, array_agg(v) AS verdicts, array_agg(w) AS waits, array_agg(r) AS reasons
              FROM unnest(o_settle, o_offset, o_verdict, o_delay, o_reason) AS x (n, at, v, w, r) WHERE n = i - 1) o;
    END IF;
    IF NOT outcome.held THEN fenced := fenced || (i - 1); END IF;
    IF outcome.back THEN retried := retried || s_group[i]; END IF;
    IF outcome.died THEN appended := appended || dead_stream((SELECT queue FROM consumer_group WHERE id = s_group[i])); END IF;
  END LOOP;
  FOR i IN 1..appends LOOP
    to_n := from_n + a_count[i] - 1;
    IF a_only_if[i] < 0 OR NOT a_only_if[i] = ANY (fenced) THEN
      target := a_stream[i];
      IF target = 0 THEN target := find_stream(a_queue[i], 'mailbox', a_peer[i], 0); END IF;
      IF target IS NULL THEN
        lost := lost + a_count[i];
        PERFORM add_tally(a_queue[i], 0, 'undeliverable', a_count[i]);
      ELSE
        IF a_priority[i] > 0 THEN target := sibling_of(target, a_priority[i]); END IF;
        IF appends = 1 THEN
          its_queue := CASE WHEN a_stream[1] = 0 THEN a_queue[1] ELSE into_one.queue END;
          IF m_delay IS NULL THEN
            head := append_all(its_queue, target, m_body, m_frames, m_properties, m_ttl);
            appended := appended || target;
            CONTINUE;
          END IF;
          outcome := put(its_queue, target, present, m_body, m_frames, m_properties, m_delay, m_ttl);
        ELSE
          its_queue := (SELECT queue FROM stream WHERE id = target);
          outcome := put(its_queue, target, present, m_body[from_n:to_n], m_frames[from_n:to_n], m_properties[from_n:to_n], m_delay[from_n:to_n], m_ttl[from_n:to_n]);
        END IF;
        IF outcome.tells THEN appended := appended || target; END IF;
        head := outcome.newest;
      END IF;
    END IF;
    from_n := to_n + 1;
  END LOOP;
  FOR i IN 1..coalesce(cardinality(t_queue), 0) LOOP
    PERFORM add_tally(t_queue[i], 0, t_what[i], t_n[i]);
  END LOOP;
  IF its_counter > 0 AND fenced <> '{}' THEN
    -- The newest refusals are kept, also behind commits that met none.
    UPDATE producer p SET fenced = commit_all.fenced, fenced_at = its_counter WHERE p.id = its_producer;
  END IF;
  IF appended <> '{}' OR retried <> '{}' THEN nothing := wake(appended, retried); END IF;
END $$;

-- What most commits are: one append, with nothing delayed. All else, and what is found to be, is for the function above.
CREATE FUNCTION commit_append(their_life uuid, their_mark bigint, its_producer uuid, its_counter bigint, durable boolean, its_stream int,
                              bodies bytea[], frame_counts int[], property_texts bytea[], ttls bigint[], OUT mark bigint, OUT head bigint, OUT lost bigint, OUT fenced int[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  its_queue int;
  nothing text;
BEGIN
  mark := enter(their_life, their_mark, durable);
  -- Of a stream that is not plain the number is nobody's lock.
  nothing := pg_advisory_xact_lock(lock_class(), its_stream);
  SELECT p.plain INTO its_queue FROM place p WHERE p.stream = its_stream;
  IF its_queue IS NOT NULL THEN head := send_all(its_queue, its_stream, bodies, frame_counts, property_texts, ttls, its_stream, its_producer, its_counter); END IF;
  IF head IS NULL THEN
    SELECT c.* INTO mark, head, lost, fenced
      FROM commit_all(their_life, their_mark, its_producer, its_counter, durable, ARRAY[its_stream], '{0}', '{""}', '{0}', '{-1}', ARRAY[cardinality(bodies)],
                      bodies, frame_counts, property_texts, NULL, ttls, '{}', '{}', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) c;
  END IF;
END $$;
