-- SPDX-License-Identifier: MPL-2.0
--
-- Finding or creating queues, streams, groups, and what reads and writes a queue's messages. What is created is created under the lock of the structure, object -1, which comes before all others. Only
-- streams of higher priorities are made under the lock of the one beside them, which who appends has.

-- Part of a stream; `whole`: there is no more in the range that was asked for.
DROP TYPE IF EXISTS reading;
CREATE TYPE reading AS (first bigint, last bigint, whole boolean, seqs bigint[], storeds bigint[], expiries bigint[], frame_counts int[], property_texts bytea[], bodies bytea[]);

CREATE FUNCTION make_child(its_queue int, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE message_%1$s_%2$s (LIKE message INCLUDING ALL) INHERITS (message_%1$s)', its_queue, n);
END $$;

-- What is done with each queue's messages all the time, in functions of its own: their plans are kept, where those of EXECUTE are made for each call. Made anew when
-- another child is written to. Arrays that say nothing are NULL.
CREATE FUNCTION make_functions(its_queue int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  way record;
BEGIN
  -- append_to_N() answers the newest number. send_to_N() does it for a producer, whose counter moves with it, and tells who waits as wake() does; it does nothing and
  -- answers NULL when the producer is not known or has gone further already. Each is one statement, see base.sql. Numbers and time are taken from the books; bytes are
  -- counted where the stream counts them.
  FOR way IN SELECT * FROM (VALUES
    ('append_to_', '', '', '', '', '', ''),
    ('send_to_', ', its_lock int, its_producer uuid, its_counter bigint', 'class int := -lock_class();',
     'known AS (UPDATE producer SET counter = its_counter, seen = present WHERE id = its_producer AND counter < its_counter RETURNING id),',
     'AND EXISTS (SELECT FROM known)',
     $t$concat(CASE WHEN NOT pg_try_advisory_xact_lock(class, its_lock) THEN ' s' || its_stream END,
                 (SELECT string_agg(CASE WHEN NOT pg_try_advisory_xact_lock(class, f.lock) THEN ' g' || f.id END, '')
                  FROM (SELECT g.id, g.lock FROM stream s JOIN consumer_group g ON (g.queue, g.kind, g.peer) = (s.queue, s.kind, s.peer) WHERE s.id = its_stream OFFSET 0) f))$t$,
     $t$IF told <> '' THEN nothing := pg_notify(own_channel(), CASE WHEN length(told) < 7900 THEN told ELSE '*' END); END IF;$t$))
    AS w (name, more, declared, known, if_known, words, tell)
  LOOP
    EXECUTE format($f$
      CREATE OR REPLACE FUNCTION %3$s%1$s(its_stream int, bodies bytea[], frame_counts int[], property_texts bytea[], ttls bigint[]%4$s) RETURNS bigint LANGUAGE plpgsql AS $b$
      DECLARE
        newest bigint;
        present bigint := now_ms();
        n int := cardinality(bodies);
        told text;
        nothing text;
        %5$s
      BEGIN
        IF n = 1 AND frame_counts IS NULL AND property_texts IS NULL AND ttls IS NULL THEN
          WITH %6$s
               p AS (UPDATE place SET next = next + 1, stored = greatest(stored, present), bytes = bytes + octet_length(bodies[1]) WHERE stream = its_stream %7$s RETURNING next - 1 AS seq, stored),
               m AS (INSERT INTO message_%1$s_%2$s (stream, seq, stored, body) SELECT its_stream, p.seq, p.stored, bodies[1] FROM p)
            SELECT p.seq, %8$s INTO newest, told FROM p;
        ELSIF frame_counts IS NULL AND property_texts IS NULL AND ttls IS NULL THEN
          WITH %6$s
               p AS (UPDATE place SET next = next + n, stored = greatest(stored, present), bytes = CASE WHEN bytes IS NOT NULL THEN bytes + (SELECT sum(octet_length(b)) FROM unnest(bodies) b) END
                     WHERE stream = its_stream %7$s RETURNING next - n - 1 AS before, stored),
               m AS (INSERT INTO message_%1$s_%2$s (stream, seq, stored, body) SELECT its_stream, p.before + m.i, p.stored, m.b FROM p, unnest(bodies) WITH ORDINALITY AS m (b, i))
            SELECT p.before + n, %8$s INTO newest, told FROM p;
        ELSE
          WITH %6$s
               p AS (UPDATE place SET next = next + n, stored = greatest(stored, present), bytes = CASE WHEN bytes IS NOT NULL THEN bytes + (SELECT sum(octet_length(b)) FROM unnest(bodies) b) END
                     WHERE stream = its_stream %7$s RETURNING next - n - 1 AS before, stored),
               m AS (INSERT INTO message_%1$s_%2$s (stream, seq, stored, expires, frames, properties, body)
                     SELECT its_stream, p.before + m.i, p.stored, CASE WHEN m.t > 0 THEN p.stored + m.t END, coalesce(m.f, 1), m.p, m.b
                     FROM p, unnest(bodies, frame_counts, property_texts, ttls) WITH ORDINALITY AS m (b, f, p, t, i))
            SELECT p.before + n, %8$s INTO newest, told FROM p;
        END IF;
        %9$s
        RETURN newest;
      END $b$
      $f$, its_queue, (SELECT child FROM queue WHERE id = its_queue), way.name, way.more, way.declared, way.known, way.if_known, coalesce(nullif(way.words, ''), 'NULL'), way.tell);
  END LOOP;
  EXECUTE format($f$
    CREATE OR REPLACE FUNCTION read_from_%1$s(its_stream int, from_seq bigint, to_seq bigint, most int, most_bytes bigint) RETURNS reading LANGUAGE plpgsql AS $b$
    DECLARE
      got reading;
      -- Of a young table the planner knows nothing, and would fetch all that the range has and sort it. So the range is what can be wanted; where nothing is
      -- there, as between the letters of a dead-letter queue, the rest of it.
      near bigint := CASE WHEN to_seq - from_seq >= most THEN from_seq + most - 1 ELSE to_seq END;
      -- All of them are few bytes when none is larger than this: then nothing need be added up.
      small bigint := most_bytes / greatest(near - from_seq + 1, 1);
      fit boolean;
    BEGIN
      -- One is fetched without adding up: who waited gets it the sooner.
      IF from_seq = to_seq THEN
        SELECT seq, seq, true, ARRAY[seq], ARRAY[stored], ARRAY[expires], ARRAY[frames], ARRAY[properties], ARRAY[body]
          INTO got.first, got.last, got.whole, got.seqs, got.storeds, got.expiries, got.frame_counts, got.property_texts, got.bodies
          FROM message_%1$s WHERE stream = its_stream AND seq = from_seq;
        got.whole := true;
        RETURN got;
      END IF;
      SELECT min(seq), max(seq), near = to_seq, array_agg(seq), array_agg(stored), array_agg(expires), array_agg(frames),
             array_agg(CASE WHEN size <= small THEN properties END), array_agg(CASE WHEN size <= small THEN body END), bool_and(size <= small)
      INTO got.first, got.last, got.whole, got.seqs, got.storeds, got.expiries, got.frame_counts, got.property_texts, got.bodies, fit
      FROM (SELECT *, octet_length(body) + coalesce(octet_length(properties), 0) AS size FROM message_%1$s WHERE stream = its_stream AND seq BETWEEN from_seq AND near ORDER BY seq) m;
      IF fit OR (got.first IS NULL AND got.whole) THEN RETURN got; END IF;
      IF got.first IS NULL THEN near := to_seq; END IF;
      SELECT min(seq) FILTER (WHERE fits), max(seq) FILTER (WHERE fits), coalesce(bool_and(fits), true) AND near = to_seq,
             array_agg(seq) FILTER (WHERE fits), array_agg(stored) FILTER (WHERE fits), array_agg(expires) FILTER (WHERE fits),
             array_agg(frames) FILTER (WHERE fits), array_agg(properties) FILTER (WHERE fits), array_agg(body) FILTER (WHERE fits)
      INTO got.first, got.last, got.whole, got.seqs, got.storeds, got.expiries, got.frame_counts, got.property_texts, got.bodies
      FROM (SELECT seq, stored, expires, frames, properties, body,
                   row_number() OVER w = 1 OR
                   (row_number() OVER w <= most AND sum(octet_length(body) + coalesce(octet_length(properties), 0)) OVER w <= most_bytes) AS fits
            FROM (SELECT * FROM message_%1$s WHERE stream = its_stream AND seq BETWEEN from_seq AND near ORDER BY seq LIMIT most::bigint + 1) m
            WINDOW w AS (ORDER BY seq ROWS UNBOUNDED PRECEDING)) r;
      RETURN got;
    END $b$
    $f$, its_queue);
END $$;

-- The ways to these functions: append_all() answers the newest number; read_range() has messages of a range that are there, as many as the limits let and at least one. The first queues
-- are called as they are written, which costs a fifth of an EXECUTE. Made anew with each of these.
CREATE FUNCTION make_ways() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  way record;
BEGIN
  FOR way IN SELECT * FROM (VALUES
    ('append_all', 'append_to_', 'bigint', 'its_stream int, bodies bytea[], frame_counts int[], property_texts bytea[], ttls bigint[]', '$2, $3, $4, $5, $6', '$1, $2, $3, $4, $5'),
    ('send_all', 'send_to_', 'bigint', 'its_stream int, bodies bytea[], frame_counts int[], property_texts bytea[], ttls bigint[], its_lock int, its_producer uuid, its_counter bigint',
     '$2, $3, $4, $5, $6, $7, $8, $9', '$1, $2, $3, $4, $5, $6, $7, $8'),
    ('read_range', 'read_from_', 'reading', 'its_stream int, from_seq bigint, to_seq bigint, most int, most_bytes bigint', '$2, $3, $4, $5, $6', '$1, $2, $3, $4, $5'))
    AS w (name, prefix, answer, parameters, given, passed)
  LOOP
    EXECUTE format('CREATE OR REPLACE FUNCTION %I(its_queue int, %s) RETURNS %s LANGUAGE plpgsql AS %L', way.name, way.parameters, way.answer,
      format(E'DECLARE\n  answer %s;\nBEGIN\n%s  EXECUTE format(''SELECT * FROM %s%%s(%s)'', its_queue) INTO answer USING %s;\n  RETURN answer;\nEND', way.answer,
             (SELECT string_agg(format(E'  IF its_queue = %s THEN RETURN %s%s(%s); END IF;\n', id, way.prefix, id, way.given), '') FROM (SELECT id FROM queue ORDER BY id LIMIT 50) q),
             way.prefix, way.passed, way.given));
  END LOOP;
END $$;

CREATE FUNCTION make_queue(its_name text, its_retain text, its_keep text, its_amount bigint, its_limit text, most_messages bigint, most_bytes bigint)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  made int;
BEGIN
  INSERT INTO queue (name, retain, keep, amount, size_limit, max_messages, max_bytes)
    VALUES (its_name, its_retain, its_keep, its_amount, its_limit, most_messages, most_bytes) RETURNING id INTO made;
  EXECUTE format('CREATE TABLE message_%s (LIKE message INCLUDING ALL) INHERITS (message)', made);
  PERFORM make_child(made, 1);
  PERFORM make_functions(made);
  IF (SELECT count(*) FROM queue) <= 50 THEN PERFORM make_ways(); END IF;
  RETURN made;
END $$;

-- In a later epoch all that it will have is of that one.
CREATE FUNCTION make_stream(its_queue int, its_kind text, its_peer text, its_priority int, its_lock int DEFAULT NULL) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  made int := nextval('ids');
  q record;
BEGIN
  SELECT mailboxes, keep = 'size' OR max_bytes IS NOT NULL AS counted, max_messages IS NOT NULL OR max_bytes IS NOT NULL AS limited INTO q FROM queue WHERE id = its_queue;
  INSERT INTO stream (id, queue, kind, peer, priority, lock, fork)
    VALUES (made, its_queue, its_kind, its_peer, its_priority, CASE WHEN its_kind = 'mailbox' THEN q.mailboxes ELSE coalesce(its_lock, made) END,
            (SELECT 0 FROM store WHERE epoch > 1));
  INSERT INTO place (stream, bytes, plain)
    VALUES (made, CASE WHEN q.counted THEN 0 END, CASE WHEN its_kind <> 'mailbox' AND its_priority = 0 AND NOT q.limited THEN its_queue END);
  IF its_priority > 0 THEN UPDATE place p SET plain = NULL FROM stream s WHERE p.stream = s.id AND (s.queue, s.kind, s.peer) = (its_queue, its_kind, its_peer) AND p.plain IS NOT NULL; END IF;
  RETURN made;
END $$;

CREATE FUNCTION find_stream(its_queue int, its_kind text, its_peer text, its_priority int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT id FROM stream WHERE (queue, kind, peer, priority) = (its_queue, its_kind, its_peer, its_priority));
END $$;

-- The stream of another priority beside one of priority 0, whose lock is held.
CREATE FUNCTION sibling_of(its_stream int, its_priority int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  s record;
BEGIN
  SELECT * INTO s FROM stream WHERE id = its_stream;
  RETURN coalesce(find_stream(s.queue, s.kind, s.peer, its_priority), make_stream(s.queue, s.kind, s.peer, its_priority, s.lock));
END $$;

-- Where letters go that nobody can read, with the structure's lock; the queue that has them is not seen before it has had one.
CREATE FUNCTION make_dead_queue(its_queue int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  its_name text := (SELECT name || '.dead' FROM queue WHERE id = its_queue AND NOT dead);
  letters int;
BEGIN
  IF its_name IS NULL THEN RETURN; END IF;
  letters := (SELECT id FROM queue WHERE name = its_name);
  IF letters IS NULL THEN letters := make_queue(its_name, 'forever', 'forever', 0, '', NULL, NULL); END IF;
  IF find_stream(letters, 'main', '', 0) IS NULL THEN PERFORM make_stream(letters, 'main', '', 0); END IF;
END $$;

CREATE FUNCTION dead_stream(its_queue int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT s.id FROM queue q JOIN queue d ON d.name = q.name || '.dead' JOIN stream s ON s.queue = d.id AND s.kind = 'main' AND s.priority = 0 WHERE q.id = its_queue);
END $$;

-- A group begins in each of its streams by itself; one that comes later it reads from its beginning. The stream that is sent to from SQL is there as soon as somebody
-- would receive from it.
CREATE FUNCTION make_group(its_queue int, its_kind text, its_peer text, its_name text, from_kind text, from_value bigint, its_filter bytea, deliveries int)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  first_stream int := coalesce(find_stream(its_queue, its_kind, its_peer, 0), make_stream(its_queue, its_kind, its_peer, 0));
  made int := nextval('ids');
  beside record;
BEGIN
  PERFORM make_dead_queue(its_queue);
  INSERT INTO consumer_group (id, queue, kind, peer, name, lock, filter, max_deliveries)
    VALUES (made, its_queue, its_kind, its_peer, its_name, CASE WHEN its_kind = 'mailbox' THEN (SELECT mailboxes FROM queue WHERE id = its_queue) ELSE made END,
            its_filter, deliveries);
  IF its_kind = 'mailbox' THEN PERFORM wake(NULL, NULL, NULL, ARRAY[its_queue]); END IF;
  IF from_kind = 'oldest' THEN RETURN made; END IF;
  beside := start_beside(first_stream, from_kind, from_value);
  INSERT INTO cursor (grp, stream, next)
    SELECT made, id, CASE WHEN id = first_stream THEN position_of(id, from_kind, from_value) ELSE position_of(id, beside.kind, beside.value) END
    FROM stream WHERE (queue, kind, peer) = (its_queue, its_kind, its_peer);
  RETURN made;
END $$;

-- What the queue is declared with counts the bytes of its streams, or does not, and limits them, or does not.
CREATE FUNCTION count_bytes(its_queue int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  s record;
  counted boolean := (SELECT keep = 'size' OR max_bytes IS NOT NULL FROM queue WHERE id = its_queue);
  limited boolean := (SELECT max_messages IS NOT NULL OR max_bytes IS NOT NULL FROM queue WHERE id = its_queue);
  total bigint;
BEGIN
  FOR s IN
    SELECT p.stream, p.tail, t.kind <> 'mailbox' AND NOT limited AND NOT EXISTS (SELECT FROM stream x WHERE (x.queue, x.kind, x.peer) = (t.queue, t.kind, t.peer) AND x.id <> t.id) AS plain
    FROM stream t JOIN place p ON p.stream = t.id WHERE t.queue = its_queue
  LOOP
    IF counted THEN
      EXECUTE format('SELECT coalesce(sum(octet_length(body)), 0) FROM message_%s WHERE stream = $1 AND seq >= $2', its_queue) INTO total USING s.stream, s.tail;
    END IF;
    UPDATE place SET bytes = total, plain = CASE WHEN s.plain THEN its_queue END WHERE stream = s.stream;
  END LOOP;
END $$;

CREATE FUNCTION open_queue(their_life uuid, their_mark bigint, its_name text, new_retain text, new_keep text, new_amount bigint, retain_declared boolean,
                           new_limit text, most_messages bigint, most_bytes bigint, limit_declared boolean, may_create boolean, may_change boolean,
                           its_groups text[], its_role text, excluded text[],
                           OUT mark bigint, OUT id int, OUT retain text, OUT size_limit text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  q record;
  g text;
BEGIN
  mark := enter(their_life, their_mark, true);
  FOR attempt IN 1..2 LOOP
    SELECT * INTO q FROM queue WHERE name = its_name;
    EXIT WHEN FOUND AND (its_role = '' OR its_role = ANY (string_to_array(q.roles, ' ')))
      AND NOT (retain_declared AND q.retain <> new_retain) AND NOT (limit_declared AND q.size_limit <> new_limit)
      AND NOT EXISTS (SELECT FROM unnest(its_groups) n WHERE NOT EXISTS (SELECT FROM consumer_group c WHERE c.queue = q.id AND c.kind = 'main' AND c.name = n));
    IF attempt = 1 THEN PERFORM lock_all(ARRAY[-1]); END IF;
  END LOOP;
  IF q.id IS NULL THEN
    IF NOT may_create THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
    IF right(its_name, 5) = '.dead' THEN
      id := make_queue(its_name, 'forever', 'forever', 0, '', NULL, NULL);
    ELSE
      id := make_queue(its_name, new_retain, new_keep, new_amount, new_limit, most_messages, most_bytes);
    END IF;
  ELSE
    id := q.id;
    IF string_to_array(q.roles, ' ') && excluded THEN PERFORM refuse('VX002', 'roles', q.roles); END IF;
    IF NOT q.dead AND ((retain_declared AND q.retain <> new_retain) OR (limit_declared AND q.size_limit <> new_limit)) THEN
      IF NOT may_change THEN
        PERFORM refuse('VX002', format('queue %s was declared with retain=%s%s; leave the option out, or bind to change it', its_name, q.retain,
                                       CASE WHEN q.size_limit = '' THEN '' ELSE ' and limit=' || q.size_limit END));
      END IF;
      PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE queue = q.id));
      UPDATE queue SET retain = CASE WHEN retain_declared THEN new_retain ELSE retain END, keep = CASE WHEN retain_declared THEN new_keep ELSE keep END,
                       amount = CASE WHEN retain_declared THEN new_amount ELSE amount END, size_limit = CASE WHEN limit_declared THEN new_limit ELSE size_limit END,
                       max_messages = CASE WHEN limit_declared THEN most_messages ELSE max_messages END,
                       max_bytes = CASE WHEN limit_declared THEN most_bytes ELSE max_bytes END
        WHERE queue.id = q.id;
      PERFORM count_bytes(q.id);
      PERFORM wake(NULL, NULL, ARRAY(SELECT stream.id FROM stream WHERE queue = q.id AND kind <> 'mailbox'));
    END IF;
  END IF;
  FOREACH g IN ARRAY its_groups LOOP
    CONTINUE WHEN EXISTS (SELECT FROM consumer_group c WHERE c.queue = open_queue.id AND c.kind = 'main' AND c.name = g);
    IF q.id IS NOT NULL AND NOT may_change THEN
      PERFORM refuse('VX002', format('queue %s was declared without the group %s; leave the option groups out, or bind to change it', its_name, g));
    END IF;
    PERFORM make_group(open_queue.id, 'main', '', g, 'oldest', 0, '', 10);
  END LOOP;
  UPDATE queue SET roles = ltrim(roles || ' ' || its_role)
    WHERE queue.id = open_queue.id AND its_role <> '' AND NOT its_role = ANY (string_to_array(roles, ' '));
  SELECT queue.retain, queue.size_limit INTO retain, size_limit FROM queue WHERE queue.id = open_queue.id;
END $$;

CREATE FUNCTION open_stream(their_life uuid, their_mark bigint, its_queue int, its_kind text, its_peer text, its_priority int, may_create boolean,
                            OUT mark bigint, OUT id int, OUT head bigint, OUT fork bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  base int;
BEGIN
  mark := enter(their_life, their_mark, true);
  id := find_stream(its_queue, its_kind, its_peer, its_priority);
  IF id IS NULL THEN
    IF NOT EXISTS (SELECT FROM queue WHERE queue.id = its_queue) THEN PERFORM refuse('VX001', 'no such queue'); END IF;
    IF NOT may_create THEN PERFORM refuse('VX001', 'no such stream'); END IF;
    PERFORM lock_all(ARRAY[-1]);
    base := coalesce(find_stream(its_queue, its_kind, its_peer, 0), make_stream(its_queue, its_kind, its_peer, 0));
    IF its_priority > 0 THEN
      PERFORM lock_all(ARRAY(SELECT lock FROM stream WHERE stream.id = base));
      id := sibling_of(base, its_priority);
    ELSE
      id := base;
    END IF;
  END IF;
  SELECT p.next - 1, s.fork INTO head, fork FROM stream s JOIN place p ON p.stream = s.id WHERE s.id = open_stream.id;
END $$;

CREATE FUNCTION open_group(their_life uuid, their_mark bigint, its_queue int, its_kind text, its_peer text, its_name text, from_kind text, from_value bigint,
                           new_filter bytea, deliveries int, default_deliveries int,
                           OUT mark bigint, OUT id int, OUT max_deliveries int, OUT filter bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, true);
  FOR attempt IN 1..2 LOOP
    SELECT g.id, g.max_deliveries, g.filter INTO id, max_deliveries, filter FROM consumer_group g
      WHERE (g.queue, g.kind, g.peer, g.name) = (its_queue, its_kind, its_peer, its_name);
    EXIT WHEN FOUND;
    IF attempt = 1 THEN PERFORM lock_all(ARRAY[-1]); END IF;
  END LOOP;
  IF id IS NULL THEN
    IF NOT EXISTS (SELECT FROM queue WHERE queue.id = its_queue) THEN PERFORM refuse('VX001', 'no such queue'); END IF;
    max_deliveries := coalesce(deliveries, default_deliveries);
    filter := coalesce(new_filter, '');
    id := make_group(its_queue, its_kind, its_peer, its_name, from_kind, from_value, filter, max_deliveries);
    RETURN;
  END IF;
  IF coalesce(deliveries, max_deliveries) <> max_deliveries OR coalesce(new_filter, filter) <> filter THEN
    max_deliveries := coalesce(deliveries, max_deliveries);
    filter := coalesce(new_filter, filter);
    UPDATE consumer_group g SET max_deliveries = open_group.max_deliveries, filter = open_group.filter WHERE g.id = open_group.id;
  END IF;
END $$;
