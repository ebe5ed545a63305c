-- SPDX-License-Identifier: MPL-2.0
--
-- Looking at queues without touching them. What adds up must be of one moment: these functions are STABLE, and so see what the statement sees that calls them.

-- A stream has no holes, so its ends will do; of a dead-letter queue each row is counted.
CREATE FUNCTION rows_in(its_stream int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  s record;
  n bigint;
BEGIN
  SELECT q.id, q.dead, p.tail, p.next INTO s FROM stream x JOIN queue q ON q.id = x.queue JOIN place p ON p.stream = x.id WHERE x.id = its_stream;
  IF NOT FOUND THEN RETURN 0; END IF;
  IF NOT s.dead THEN RETURN s.next - s.tail; END IF;
  EXECUTE format('SELECT count(*) FROM message_%s WHERE stream = $1 AND seq >= $2', s.id) INTO n USING its_stream, s.tail;
  RETURN n;
END $$;

-- Where they are not counted they are estimated from the newest.
CREATE FUNCTION bytes_in(its_stream int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  s record;
  sample record;
BEGIN
  SELECT x.queue, p.* INTO s FROM stream x JOIN place p ON p.stream = x.id WHERE x.id = its_stream;
  IF s.bytes IS NOT NULL THEN RETURN s.bytes; END IF;
  EXECUTE format('SELECT coalesce(sum(octet_length(body)), 0) AS bytes, count(*) AS n FROM (SELECT body FROM message_%s WHERE stream = $1 AND seq >= $2 ORDER BY seq DESC LIMIT 10000) m',
                 s.queue) INTO sample USING its_stream, greatest(s.tail, s.next - 10000);
  RETURN CASE WHEN s.next - s.tail <= 10000 THEN sample.bytes ELSE sample.bytes * (s.next - s.tail) / 10000 END;
END $$;

-- The first message of a stream that the group may still need.
CREATE FUNCTION needed_from(its_group int, its_stream int) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT greatest(p.tail, least(coalesce((SELECT next FROM cursor WHERE grp = its_group AND stream = its_stream), 1),
    (SELECT min(first) FROM retry WHERE grp = its_group AND stream = its_stream),
    (SELECT min(first + CASE WHEN done = ''::varbit THEN 0 ELSE position(B'0' IN done) - 1 END) FROM claim WHERE grp = its_group AND stream = its_stream)))
  FROM place p WHERE p.stream = its_stream
$$;

CREATE FUNCTION oldest_for(its_group int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  s record;
  at_time bigint;
  oldest bigint;
BEGIN
  FOR s IN SELECT x.id, x.queue FROM stream x JOIN consumer_group g ON (g.queue, g.kind, g.peer) = (x.queue, x.kind, x.peer) JOIN place p ON p.stream = x.id
           WHERE g.id = its_group AND needed_from(g.id, x.id) < p.next LOOP
    EXECUTE format('SELECT stored FROM message_%s WHERE stream = $1 AND seq >= $2 ORDER BY seq LIMIT 1', s.queue) INTO at_time USING s.id, needed_from(its_group, s.id);
    oldest := least(oldest, at_time);
  END LOOP;
  RETURN oldest;
END $$;

CREATE FUNCTION group_stats(its_queue int, all_mailboxes boolean)
RETURNS TABLE (kind text, peer text, name text, depth bigint, claimed bigint, retrying bigint, trimmed bigint, filter bytea, seq bigint, oldest bigint) LANGUAGE sql STABLE AS $$
  SELECT g.kind, g.peer, g.name, x.fresh + x.retrying + x.claimed, x.claimed, x.retrying, x.trimmed, g.filter,
         coalesce((SELECT needed_from(g.id, s.id) FROM stream s WHERE (s.queue, s.kind, s.peer, s.priority) = (g.queue, g.kind, g.peer, 0)), 0),
         coalesce(oldest_for(g.id), 0)
  FROM consumer_group g, LATERAL (
    SELECT (SELECT coalesce(sum(greatest(f.next - f.from_seq, 0)), 0)::bigint FROM sources_of(g.id) f) AS fresh, waiting_in(g.id) AS retrying, claimed_in(g.id) AS claimed,
           (SELECT coalesce(sum(t.n), 0)::bigint FROM tally t WHERE t.queue = its_queue AND t.grp = g.id AND t.what = 'trimmed') AS trimmed) x
  WHERE g.queue = its_queue AND (all_mailboxes OR g.kind <> 'mailbox' OR x.fresh + x.retrying + x.claimed > 0)
  ORDER BY g.kind, g.peer, g.name
$$;

CREATE FUNCTION inspect(their_life uuid, their_mark bigint, its_name text, all_mailboxes boolean)
RETURNS TABLE (mark bigint, name text, retain text, size_limit text, messages bigint, bytes bigint, head bigint, tail bigint, delayed bigint, dead bigint,
               words text[], counts bigint[], kinds text[], peers text[], names text[], depths bigint[], claims bigint[], retries bigint[], trims bigint[],
               filters bytea[], seqs bigint[], oldests bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  m bigint := enter(their_life, their_mark, false);
BEGIN
  RETURN QUERY
    SELECT m, q.name, q.retain, q.size_limit,
           (SELECT coalesce(sum(rows_in(s.id)), 0)::bigint FROM stream s WHERE s.queue = q.id),
           (SELECT coalesce(sum(bytes_in(s.id)), 0)::bigint FROM stream s WHERE s.queue = q.id),
           coalesce(p.next - 1, 0), CASE WHEN q.dead AND p.stream IS NOT NULL THEN next_at(q.id, p.stream, p.tail) ELSE coalesce(p.tail, 1) END,
           (SELECT coalesce(sum(d.delayed), 0)::bigint FROM stream s JOIN place d ON d.stream = s.id WHERE s.queue = q.id),
           coalesce(rows_in(dead_stream(q.id)), 0), t.words, t.counts, g.kinds, g.peers, g.names, g.depths, g.claims, g.retries, g.trims, g.filters, g.seqs, g.oldests
    FROM queue q LEFT JOIN stream main ON (main.queue, main.kind, main.priority) = (q.id, 'main', 0) LEFT JOIN place p ON p.stream = main.id,
    LATERAL (SELECT array_agg(x.what ORDER BY x.what) AS words, array_agg(x.n ORDER BY x.what) AS counts
             FROM (SELECT y.what, sum(y.n)::bigint AS n FROM tally y WHERE y.queue = q.id GROUP BY y.what) x) t,
    LATERAL (SELECT array_agg(x.kind) AS kinds, array_agg(x.peer) AS peers, array_agg(x.name) AS names, array_agg(x.depth) AS depths, array_agg(x.claimed) AS claims,
                    array_agg(x.retrying) AS retries, array_agg(x.trimmed) AS trims, array_agg(x.filter) AS filters, array_agg(x.seq) AS seqs, array_agg(x.oldest) AS oldests
             FROM group_stats(q.id, all_mailboxes) x) g
    -- One that was made for letters that never died is nobody's business.
    WHERE (its_name = '' OR q.name = its_name)
      AND NOT (q.dead AND its_name = '' AND coalesce(p.next, 1) = 1 AND NOT EXISTS (SELECT FROM consumer_group c WHERE c.queue = q.id))
    ORDER BY q.name;
  IF NOT FOUND THEN
    IF its_name <> '' THEN PERFORM refuse('VX001', 'no queue ' || its_name); END IF;
    mark := m;
    name := NULL;
    RETURN NEXT;
  END IF;
END $$;
