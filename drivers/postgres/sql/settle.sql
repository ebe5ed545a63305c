-- SPDX-License-Identifier: MPL-2.0
--
-- Settlements, the ways back into a group's retry, and dead letters. The group's lock is held, and that of the stream of dead letters where one may die.

-- What comes again at once has no due time: it goes first, in the order of the stream however it came back, and a clock that is set back cannot hold it up.
CREATE FUNCTION give_back(c claim, from_seq bigint, to_seq bigint, times int, wait bigint, why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO retry (id, grp, stream, first, last, delivered, due, reason, priority)
    VALUES (next_number(), c.grp, c.stream, from_seq, to_seq, times, CASE WHEN wait <= 0 THEN 0 ELSE now_ms() + wait END, why, c.priority);
END $$;

-- A letter that is dead once more still comes from where it came from; the lines of an earlier death would be lies now. False: the message has been removed meanwhile.
CREATE FUNCTION bury(c claim, its_seq bigint, why text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  g record;
  m record;
  letters int;
  kept bytea;
  origin text := its_seq::text;
BEGIN
  SELECT q.id, q.name, group_text(cg.kind, cg.peer, cg.name) AS called INTO g FROM consumer_group cg JOIN queue q ON q.id = cg.queue WHERE cg.id = c.grp;
  letters := dead_stream(g.id);
  EXECUTE format('SELECT frames, properties, body FROM message_%s m JOIN place p ON p.stream = m.stream AND m.seq >= p.tail WHERE m.stream = $1 AND m.seq = $2',
                 (SELECT queue FROM stream WHERE id = c.stream)) INTO m USING c.stream, its_seq;
  IF m.body IS NULL THEN RETURN false; END IF;
  IF c.stream = letters THEN origin := property_of(m.properties, 'Dead-Sequence'); END IF;
  kept := convert_to(coalesce((SELECT string_agg(line || E'\n', '' ORDER BY n)
                               FROM unnest(string_to_array(lines_of(m.properties), E'\n')) WITH ORDINALITY AS l (line, n)
                               WHERE line <> '' AND line NOT LIKE 'Dead-%'), '')
                     || format(E'Dead-Group: %s\nDead-Reason: %s\nDead-Queue: %s\nDead-Sequence: %s\nDead-Deliveries: %s\n', g.called,
                               replace(why, E'\n', ' '), g.name, origin, c.delivery)
                     || CASE WHEN c.priority > 0 THEN format(E'Dead-Priority: %s\n', c.priority) ELSE '' END, 'UTF8');
  PERFORM append_all((SELECT queue FROM stream WHERE id = letters), letters, ARRAY[m.body], ARRAY[m.frames], ARRAY[kept], NULL);
  RETURN true;
END $$;

-- One letter leaves a dead-letter queue: only there have streams holes.
CREATE FUNCTION remove_letter(its_stream int, its_seq bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  q int := (SELECT queue FROM stream WHERE id = its_stream);
BEGIN
  EXECUTE format('DELETE FROM message_%s WHERE stream = $1 AND seq = $2', q) USING its_stream, its_seq;
  UPDATE place SET tail = next_at(q, its_stream, tail) WHERE stream = its_stream AND tail <= its_seq AND tail <> next_at(q, its_stream, tail);
END $$;

-- verdicts: 0 filtered, 1 expired, 2 dead, 3 nacked, 4 unseen (given back uncounted). False: the claim is not open, or another's. What was put into other streams and
-- groups is for the caller to tell.
CREATE FUNCTION settle(its_group int, its_claim bigint, bits varbit, offsets int[], verdicts int[], waits bigint[], reasons text[], OUT held boolean, OUT back boolean, OUT died boolean)
LANGUAGE plpgsql AS $$
DECLARE
  c claim;
  s record;
  size int;
  fresh varbit;
  o record;
  stays boolean;
BEGIN
  back := false;
  died := false;
  SELECT * INTO c FROM claim WHERE id = its_claim AND grp = its_group;
  held := FOUND;
  IF NOT held THEN RETURN; END IF;
  size := c.last - c.first + 1;
  bits := substring(bits || repeat('0', greatest(size - length(bits), 0))::varbit FROM 1 FOR size);
  fresh := CASE WHEN c.done = ''::varbit THEN bits ELSE bits & ~c.done END;
  IF c.done <> ''::varbit THEN bits := bits | c.done; END IF;
  SELECT q.dead, q.id, q.id = g.queue AS own INTO s FROM stream st JOIN queue q ON q.id = st.queue, consumer_group g WHERE st.id = c.stream AND g.id = c.grp;
  IF cardinality(offsets) > 0 OR s.dead THEN
    FOR o IN
      SELECT min(at) AS first, max(at) AS last, verdict, wait, reason FROM (
        SELECT *, at - row_number() OVER (PARTITION BY verdict, wait, reason ORDER BY at) AS run
        FROM unnest(offsets, verdicts, waits, reasons) AS x (at, verdict, wait, reason) WHERE at < size AND get_bit(fresh, at) = 1) r
      GROUP BY verdict, wait, reason, run ORDER BY 1
    LOOP
      -- A dead-letter queue has no dead-letter queue: its messages come again.
      stays := o.verdict >= 3 OR (o.verdict = 2 AND s.dead AND s.own);
      IF stays THEN
        PERFORM give_back(c, c.first + o.first, c.first + o.last, CASE o.verdict WHEN 4 THEN c.delivery - 1 ELSE c.delivery END, o.wait, o.reason);
        back := true;
        IF s.dead THEN fresh := fresh & ~(repeat('0', o.first)::varbit || repeat('1', o.last - o.first + 1)::varbit || repeat('0', size - o.last - 1)::varbit); END IF;
      ELSIF o.verdict = 2 THEN
        FOR at IN o.first..o.last LOOP
          IF bury(c, c.first + at, o.reason) THEN
            PERFORM add_tally((SELECT queue FROM consumer_group WHERE id = c.grp), c.grp, 'dead_lettered', 1);
            died := true;
          ELSE
            PERFORM add_tally((SELECT queue FROM consumer_group WHERE id = c.grp), c.grp, 'trimmed', 1);
          END IF;
        END LOOP;
      ELSE
        PERFORM add_tally((SELECT queue FROM consumer_group WHERE id = c.grp), c.grp, CASE o.verdict WHEN 1 THEN 'expired' ELSE 'filtered' END, o.last - o.first + 1);
      END IF;
    END LOOP;
    IF s.dead THEN
      PERFORM remove_letter(c.stream, c.first + at) FROM generate_series(0, size - 1) at WHERE get_bit(fresh, at) = 1;
    END IF;
  END IF;
  IF bit_count(bits) = size THEN
    DELETE FROM claim WHERE id = c.id;
  ELSE
    UPDATE claim SET done = bits WHERE id = c.id;
  END IF;
END $$;

-- All that is left of a claim goes back, as after its holder's death.
CREATE FUNCTION give_up_claim(c claim) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  size int := c.last - c.first + 1;
BEGIN
  PERFORM give_back(c, c.first + r.first, c.first + r.last, c.delivery - CASE WHEN c.counted THEN 0 ELSE 1 END, 0, 'its consumer died or was cut off')
    FROM (SELECT min(at) AS first, max(at) AS last FROM (
            SELECT at, at - row_number() OVER (ORDER BY at) AS run FROM generate_series(0, size - 1) at
            WHERE c.done = ''::varbit OR get_bit(c.done, at) = 0) b GROUP BY run) r;
  DELETE FROM claim WHERE id = c.id;
END $$;
