-- SPDX-License-Identifier: MPL-2.0
--
-- Who waits, and who is told. NOTIFY takes a lock of the whole cluster at commit, so it is sent only where somebody waits: who does shares an advisory lock of the
-- class -lock_class(), and who changes something tries to get it. Had nobody it, the transaction keeps it to its end: who comes meanwhile to wait gets it only then, and looks
-- once more. Payload: words of a letter and a number: s stream, g group, r room in a stream's queue, j joined a queue, i sent from SQL to a queue; more than
-- fit are told by a star: anything.

CREATE FUNCTION own_channel() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'vtx.' || current_schema $$;
-- Likewise, for who has another search path: setting one costs as much as several statements.
CREATE FUNCTION channel() RETURNS text LANGUAGE sql STABLE AS $$ SELECT own_channel() $$;

-- What others can learn of a transaction that put something into the streams `appended`, gave something back to the groups `retried`, made room in the queues of the
-- streams `freed`, and let peers join the queues `joined`.
CREATE FUNCTION wake(appended int[], retried int[] DEFAULT NULL, freed int[] DEFAULT NULL, joined int[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  class int := -lock_class();
  k record;
  told text := '';
  nothing text;
BEGIN
  IF cardinality(appended) = 1 AND coalesce(cardinality(retried), 0) + coalesce(cardinality(freed), 0) + coalesce(cardinality(joined), 0) = 0 THEN
    -- Nearly always; the same as below, in one statement. OFFSET 0: no lock is tried but of what is found.
    SELECT concat(CASE WHEN NOT pg_try_advisory_xact_lock(class, s.lock) THEN ' s' || s.id END,
                  (SELECT string_agg(CASE WHEN NOT pg_try_advisory_xact_lock(class, f.lock) THEN ' g' || f.id END, '')
                   FROM (SELECT g.id, g.lock FROM consumer_group g WHERE (g.queue, g.kind, g.peer) = (s.queue, s.kind, s.peer) OFFSET 0) f))
      INTO told FROM stream s WHERE s.id = appended[1];
    IF told <> '' THEN nothing := pg_notify(own_channel(), CASE WHEN length(told) < 7900 THEN told ELSE '*' END); END IF;
    RETURN;
  END IF;
  FOR k IN
    SELECT key, string_agg(word, ' ') AS words FROM (
      SELECT s.lock AS key, 's' || s.id AS word FROM stream s WHERE s.id = ANY (appended)
      UNION
      SELECT g.lock, 'g' || g.id FROM stream s JOIN consumer_group g ON (g.queue, g.kind, g.peer) = (s.queue, s.kind, s.peer) WHERE s.id = ANY (appended)
      UNION
      SELECT g.lock, 'g' || g.id FROM consumer_group g WHERE g.id = ANY (retried)
      UNION
      SELECT -b.id, 'r' || b.id FROM stream s JOIN stream b ON (b.queue, b.kind, b.peer, b.priority) = (s.queue, s.kind, s.peer, 0) WHERE s.id = ANY (freed)
      UNION
      SELECT -j, 'j' || j FROM unnest(joined) j
    ) words GROUP BY key
  LOOP
    IF NOT pg_try_advisory_xact_lock(class, k.key) THEN
      PERFORM pg_notify(own_channel(), CASE WHEN length(k.words) < 7900 THEN k.words ELSE '*' END);
    END IF;
  END LOOP;
END $$;

-- Waits of a session, in a connection that changes nothing: shares the lock, unless somebody who changes something has it just now. Answers what it has got, and what has come
-- already (has_come()).
CREATE FUNCTION arm(groups int[], group_dues bigint[], streams int[], seqs bigint[], stream_dues bigint[], roomy int[], joined int[], peers_seen bigint[],
                    OUT got_groups int[], OUT got_streams int[], OUT got_roomy int[], OUT got_joined int[],
                    OUT new_groups int[], OUT new_streams int[], OUT new_roomy int[], OUT new_joined int[]) LANGUAGE plpgsql AS $$
DECLARE
  class int := -lock_class();
BEGIN
  -- OFFSET 0: what is asked for is found before any lock is tried, whatever the planner thinks is cheaper.
  got_groups := ARRAY(SELECT g.id FROM (SELECT id, lock FROM consumer_group WHERE id = ANY (groups) OFFSET 0) g WHERE pg_try_advisory_lock_shared(class, g.lock));
  got_streams := ARRAY(SELECT s.id FROM (SELECT id, lock FROM stream WHERE id = ANY (streams) OFFSET 0) s WHERE pg_try_advisory_lock_shared(class, s.lock));
  got_roomy := ARRAY(SELECT r FROM unnest(roomy) r WHERE pg_try_advisory_lock_shared(class, -r));
  got_joined := ARRAY(SELECT j FROM unnest(joined) j WHERE pg_try_advisory_lock_shared(class, -j));
  SELECT * INTO new_groups, new_streams, new_roomy, new_joined FROM has_come(groups, group_dues, streams, seqs, stream_dues, roomy, joined, peers_seen);
END $$;

CREATE FUNCTION disarm(groups int[], streams int[], roomy int[], joined int[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  class int := -lock_class();
BEGIN
  PERFORM pg_advisory_unlock_shared(class, lock) FROM consumer_group WHERE id = ANY (groups);
  PERFORM pg_advisory_unlock_shared(class, lock) FROM stream WHERE id = ANY (streams);
  PERFORM pg_advisory_unlock_shared(class, -r) FROM unnest(roomy) r;
  PERFORM pg_advisory_unlock_shared(class, -j) FROM unnest(joined) j;
END $$;
