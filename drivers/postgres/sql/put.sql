-- SPDX-License-Identifier: MPL-2.0
--
-- Messages on their way into streams, at once, when their time has come, or when they are found in the intake. The streams' locks are held.

-- Puts into the ledger what is not for now, counted from `present`. Its time is never before what has been fired.
CREATE FUNCTION delay_all(its_stream int, present bigint, bodies bytea[], frame_counts int[], property_texts bytea[], delays bigint[], ttls bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  p record;
  added record;
BEGIN
  SELECT * INTO p FROM place WHERE stream = its_stream;
  WITH put AS (
    INSERT INTO delayed (stream, due, expires, frames, properties, body)
      SELECT its_stream, greatest(present + m.d, p.fired_due), CASE WHEN m.t > 0 THEN present + m.d + m.t END, coalesce(m.f, 1), m.p, m.b
      FROM unnest(bodies, frame_counts, property_texts, delays, ttls) WITH ORDINALITY AS m (b, f, p, d, t, n) WHERE m.d > 0 ORDER BY m.n
      RETURNING due, octet_length(body) AS size
  ) SELECT count(*) AS many, coalesce(sum(size), 0) AS bytes, min(due) AS due INTO added FROM put;
  UPDATE place SET delayed = place.delayed + added.many, delayed_bytes = place.delayed_bytes + added.bytes, due = least(place.due, added.due)
    WHERE stream = its_stream;
END $$;

-- Appends what is for now and puts aside what is not. Answers the newest number, and whether something came or now comes sooner than all that was known.
CREATE FUNCTION put(its_queue int, its_stream int, present bigint, bodies bytea[], frame_counts int[], property_texts bytea[], delays bigint[], ttls bigint[],
                    OUT newest bigint, OUT tells boolean) LANGUAGE plpgsql AS $$
DECLARE
  m record;
  before bigint;
BEGIN
  IF delays IS NULL THEN
    newest := append_all(its_queue, its_stream, bodies, frame_counts, property_texts, ttls);
    tells := true;
    RETURN;
  END IF;
  before := (SELECT due FROM place WHERE stream = its_stream);
  PERFORM delay_all(its_stream, present, bodies, frame_counts, property_texts, delays, ttls);
  SELECT array_agg(x.b ORDER BY x.n) AS b, array_agg(x.f ORDER BY x.n) AS f, array_agg(x.p ORDER BY x.n) AS p, array_agg(x.t ORDER BY x.n) AS t INTO m
    FROM unnest(bodies, frame_counts, property_texts, delays, ttls) WITH ORDINALITY AS x (b, f, p, d, t, n) WHERE coalesce(x.d, 0) <= 0;
  IF m.b IS NOT NULL THEN
    newest := append_all(its_queue, its_stream, m.b, m.f, m.p, m.t);
    tells := true;
    RETURN;
  END IF;
  SELECT next - 1, before IS NULL OR due < before INTO newest, tells FROM place WHERE stream = its_stream;
END $$;

-- Appends delayed messages that are due, in the order of their times, as far as the budget reaches. What has expired meanwhile is counted; who lives on lives from
-- when it was due, however much later somebody came for it. Answers how many were due.
CREATE FUNCTION fire(its_stream int, most int, most_bytes bigint) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  present bigint := now_ms();
  p record;
  m record;
BEGIN
  SELECT l.*, s.queue INTO p FROM place l JOIN stream s ON s.id = l.stream WHERE l.stream = its_stream;
  IF p.due IS NULL OR p.due > present THEN RETURN 0; END IF;
  SELECT count(*)::int AS many, sum(size) AS bytes, max(due) AS due, (array_agg(id ORDER BY due, id))[count(*)] AS id,
         array_agg(body ORDER BY due, id) FILTER (WHERE lives) AS bodies, array_agg(frames ORDER BY due, id) FILTER (WHERE lives) AS frames,
         array_agg(properties ORDER BY due, id) FILTER (WHERE lives) AS properties,
         array_agg(coalesce(expires - present, 0) ORDER BY due, id) FILTER (WHERE lives) AS ttls, count(*) FILTER (WHERE NOT lives) AS late
    INTO m
    FROM (SELECT *, coalesce(expires > present, true) AS lives, octet_length(body) AS size,
                 sum(octet_length(body)) OVER (ORDER BY due, id) - octet_length(body) AS before
          FROM (SELECT * FROM delayed WHERE stream = its_stream AND (due, id) > (p.fired_due, p.fired_id) AND due <= present ORDER BY due, id LIMIT most) d) d
    WHERE before < most_bytes;
  IF m.many = 0 THEN
    UPDATE place SET due = (SELECT d.due FROM delayed d WHERE d.stream = its_stream AND (d.due, d.id) > (p.fired_due, p.fired_id) ORDER BY d.due, d.id LIMIT 1)
      WHERE stream = its_stream;
    RETURN 0;
  END IF;
  UPDATE place SET delayed = place.delayed - m.many, delayed_bytes = place.delayed_bytes - m.bytes, fired_due = m.due, fired_id = m.id,
                   due = (SELECT d.due FROM delayed d WHERE d.stream = its_stream AND (d.due, d.id) > (m.due, m.id) ORDER BY d.due, d.id LIMIT 1)
    WHERE stream = its_stream;
  IF m.bodies IS NOT NULL THEN PERFORM append_all(p.queue, its_stream, m.bodies, m.frames, m.properties, m.ttls); END IF;
  PERFORM add_tally(p.queue, 0, 'expired', m.late);
  RETURN m.many;
END $$;

-- What was sent from SQL and is committed, in the order in which it was sent. Transactions that are older than all that was found settled need not be looked for again.
CREATE FUNCTION has_intake(its_queue int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT EXISTS (SELECT FROM intake i WHERE i.queue = its_queue AND i.xid >= coalesce((SELECT xid FROM looked WHERE queue = its_queue), '0'::xid8)));
END $$;

CREATE FUNCTION take_in(its_queue int, most int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  oldest xid8 := pg_snapshot_xmin(pg_current_snapshot());
  m record;
  many int := 0;
BEGIN
  FOR m IN
    WITH taken AS (
      DELETE FROM intake WHERE ctid = ANY (ARRAY(
        SELECT b.at FROM (
          SELECT a.at, sum(a.size) OVER (ORDER BY a.xid, a.id) - a.size AS before FROM (
            SELECT i.ctid AS at, i.xid, i.id, octet_length(i.body) AS size FROM intake i
            WHERE i.queue = its_queue AND i.xid >= coalesce((SELECT xid FROM looked WHERE queue = its_queue), '0'::xid8) ORDER BY i.xid, i.id LIMIT most) a) b
        WHERE b.before < 16777216))
        AND queue = its_queue RETURNING *)
    SELECT stream, count(*)::int AS n, array_agg(body ORDER BY xid, id) AS bodies, array_agg(frames ORDER BY xid, id) AS frames, array_agg(properties ORDER BY xid, id) AS properties
      FROM taken GROUP BY stream
  LOOP
    PERFORM append_all(its_queue, m.stream, m.bodies, m.frames, m.properties, NULL);
    many := many + m.n;
  END LOOP;
  IF many > 0 AND NOT EXISTS (SELECT FROM intake i WHERE i.queue = its_queue AND i.xid < oldest
                              AND i.xid >= coalesce((SELECT xid FROM looked WHERE queue = its_queue), '0'::xid8)) THEN
    INSERT INTO looked AS l (queue, xid) VALUES (its_queue, oldest) ON CONFLICT (queue) DO UPDATE SET xid = greatest(l.xid, excluded.xid);
  END IF;
  RETURN many;
END $$;
