-- SPDX-License-Identifier: MPL-2.0
--
-- Views for people. Who reads them may stay in a transaction for long: they take no lock on the books' views, which a new generation replaces, but on one
-- generation's tables and on the children that hold messages, and those are left over for so long, and dropped later.

DROP VIEW IF EXISTS queues, consumers, messages, dead_letters;

-- Functions that views call run as who reads the view, with its search path: each stands by itself, or is given ours (finish.sql).

-- A book's rows of now, by the type of its shape: book_rows(NULL::shape_place).
CREATE FUNCTION book_rows(shape anyelement) RETURNS SETOF anyelement LANGUAGE plpgsql AS $$
DECLARE
  book text := substring(pg_typeof(shape)::text FROM '^shape_(.*)$');
BEGIN
  IF book IS NULL OR NOT book = ANY (books()) THEN PERFORM refuse('VX004', 'this is none of the books'); END IF;
  FOR attempt IN 1..3 LOOP
    BEGIN
      RETURN QUERY EXECUTE format('SELECT * FROM %I', book || '_' || (SELECT generation FROM store));
      RETURN;
    EXCEPTION WHEN undefined_table THEN
      NULL;  -- a new generation began meanwhile, and the old one went
    END;
  END LOOP;
  PERFORM refuse('VX005', 'what this transaction could see is no more: begin another one to look at VTX''s queues');
END $$;

-- NULL where the bytes are no text.
CREATE FUNCTION text_of(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN NULL;
END $$;

CREATE FUNCTION line_of(properties text, wanted text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT substring(properties FROM '(?n)^' || wanted || ': (.*)$')
$$;

CREATE FUNCTION at_time(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$ SELECT to_timestamp(ms / 1000.0) $$;

-- A dead-letter queue has holes: its rows are counted.
CREATE FUNCTION count_letters(its_queue int, its_stream int, INOUT tail bigint, OUT n bigint) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT count(*), coalesce(min(seq), $2) FROM message_%s WHERE stream = $1 AND seq >= $2', its_queue) INTO n, tail USING its_stream, tail;
END $$;

CREATE VIEW queues AS
  WITH places AS MATERIALIZED (SELECT s.queue, s.kind, s.priority, q.dead, p.* FROM book_rows(NULL::shape_place) p JOIN stream s ON s.id = p.stream JOIN queue q ON q.id = s.queue),
  ends AS MATERIALIZED (SELECT p.queue, p.kind, p.priority, p.next, p.delayed, coalesce(l.tail, p.tail) AS tail, coalesce(l.n, p.next - p.tail) AS n
                        FROM places p LEFT JOIN LATERAL count_letters(p.queue, p.stream, p.tail) l ON p.dead),
  tallies AS MATERIALIZED (SELECT t.queue, t.what, sum(t.n)::bigint AS n FROM book_rows(NULL::shape_tally) t GROUP BY 1, 2)
  SELECT q.name, q.retain, nullif(q.size_limit, '') AS "limit",
         (SELECT coalesce(sum(e.n), 0)::bigint FROM ends e WHERE e.queue = q.id) AS messages,
         coalesce(main.next - 1, 0) AS head, coalesce(main.tail, 1) AS tail,
         (SELECT coalesce(sum(e.delayed), 0)::bigint FROM ends e WHERE e.queue = q.id) AS delayed,
         (SELECT coalesce(sum(e.n), 0)::bigint FROM ends e JOIN queue d ON d.id = e.queue WHERE d.name = q.name || '.dead' AND e.kind = 'main') AS dead,
         (SELECT coalesce(jsonb_object_agg(t.what, t.n), '{}') FROM tallies t WHERE t.queue = q.id) AS counters
  FROM queue q LEFT JOIN ends main ON (main.queue, main.kind, main.priority) = (q.id, 'main', 0)
  -- One that was made for letters that never died is nobody's business.
  WHERE NOT (q.dead AND coalesce(main.next, 1) = 1 AND NOT EXISTS (SELECT FROM consumer_group c WHERE c.queue = q.id));

CREATE VIEW consumers AS
  WITH places AS MATERIALIZED (SELECT * FROM book_rows(NULL::shape_place)),
  cursors AS MATERIALIZED (SELECT * FROM book_rows(NULL::shape_cursor)),
  claims AS MATERIALIZED (SELECT * FROM book_rows(NULL::shape_claim)),
  retries AS MATERIALIZED (SELECT * FROM book_rows(NULL::shape_retry)),
  reads AS MATERIALIZED (
    SELECT g.id AS grp, s.id AS stream, s.priority, p.tail, greatest(coalesce(c.next, 1), p.tail) AS at, p.next
    FROM consumer_group g JOIN stream s ON (s.queue, s.kind, s.peer) = (g.queue, g.kind, g.peer) JOIN places p ON p.stream = s.id
    LEFT JOIN cursors c ON c.grp = g.id AND c.stream = s.id)
  SELECT q.name AS queue, group_text(g.kind, g.peer, g.name) AS "group",
         (SELECT greatest(r.tail, least(r.at, (SELECT min(y.first) FROM retries y WHERE y.grp = g.id AND y.stream = r.stream),
                                        (SELECT min(c.first + CASE WHEN c.done = ''::varbit THEN 0 ELSE position(B'0' IN c.done) - 1 END)
                                         FROM claims c WHERE c.grp = g.id AND c.stream = r.stream)))
          FROM reads r WHERE r.grp = g.id AND r.priority = 0) AS position,
         (SELECT coalesce(sum(greatest(r.next - r.at, 0)), 0)::bigint FROM reads r WHERE r.grp = g.id) + x.claimed + y.retrying AS depth,
         x.claimed, y.retrying, x.holders
  FROM consumer_group g JOIN queue q ON q.id = g.queue,
  LATERAL (SELECT coalesce(sum(c.last - c.first + 1 - bit_count(c.done)), 0)::bigint AS claimed, count(DISTINCT c.holder)::int AS holders FROM claims c WHERE c.grp = g.id) x,
  LATERAL (SELECT coalesce(sum(r.last - r.first + 1), 0)::bigint AS retrying FROM retries r WHERE r.grp = g.id) y;

CREATE VIEW messages AS
  SELECT q.name AS queue, s.kind, s.peer, s.priority, m.seq, at_time(m.stored) AS stored, at_time(m.expires) AS expires, m.frames,
         coalesce(text_of(m.properties), encode(m.properties, 'escape')) AS properties, m.body, CASE WHEN m.frames = 1 THEN text_of(m.body) END AS text
  FROM queue q JOIN stream s ON s.queue = q.id JOIN book_rows(NULL::shape_place) p ON p.stream = s.id JOIN message m ON m.stream = s.id AND m.seq >= p.tail;

CREATE VIEW dead_letters AS
  SELECT left(m.queue, -5) AS queue, line_of(m.properties, 'Dead-Group') AS "group", line_of(m.properties, 'Dead-Reason') AS reason,
         line_of(m.properties, 'Dead-Deliveries')::int AS deliveries, m.seq AS sequence, line_of(m.properties, 'Dead-Sequence')::bigint AS original_sequence,
         m.stored, m.frames, m.properties, m.body, m.text
  FROM messages m WHERE right(m.queue, 5) = '.dead' AND m.kind = 'main';
