-- SPDX-License-Identifier: MPL-2.0
--
-- Positions in a stream. Ends are in the books; what lies between them is there, except in a dead-letter queue, whose letters go one by one.

-- The first message at `from_seq` or behind it; one behind the newest when there is none.
CREATE FUNCTION next_at(its_queue int, its_stream int, from_seq bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  found bigint;
BEGIN
  EXECUTE format('SELECT seq FROM message_%s WHERE stream = $1 AND seq >= $2 ORDER BY seq LIMIT 1', its_queue) INTO found USING its_stream, from_seq;
  RETURN coalesce(found, (SELECT next FROM place WHERE stream = its_stream));
END $$;

-- Where among low..high-1 the messages begin that were stored at `at_time` or later; `high` when none was. Times do not decrease within a stream, so a bisection
-- finds it however long the stream is.
CREATE FUNCTION first_stored(its_queue int, its_stream int, low bigint, high bigint, at_time bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  middle bigint;
  found record;
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    EXECUTE format('SELECT seq, stored FROM message_%s WHERE stream = $1 AND seq >= $2 AND seq < $3 ORDER BY seq LIMIT 1', its_queue)
      INTO found USING its_stream, middle, high;
    IF found.stored < at_time THEN
      low := found.seq + 1;
    ELSE
      high := middle;
    END IF;
  END LOOP;
  RETURN low;
END $$;

-- kind: oldest, now, seq, time (stored at `value` or later), age (so many milliseconds ago).
CREATE FUNCTION position_of(its_stream int, kind text, value bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  s record;
BEGIN
  SELECT p.next, p.tail, t.queue INTO s FROM place p JOIN stream t ON t.id = p.stream WHERE p.stream = its_stream;
  RETURN CASE kind
    WHEN 'now' THEN s.next
    WHEN 'seq' THEN CASE WHEN value >= s.next THEN s.next ELSE next_at(s.queue, its_stream, greatest(value, s.tail)) END
    WHEN 'time' THEN first_stored(s.queue, its_stream, s.tail, s.next, value)
    WHEN 'age' THEN first_stored(s.queue, its_stream, s.tail, s.next, now_ms() - value)
    ELSE s.tail
  END;
END $$;

-- A sequence is of one stream. Where several priorities are meant it is that of priority 0; the others begin at the time of that message. Beyond the newest
-- is now. Where there is no such message any more, nothing tells what came before it.
CREATE FUNCTION start_beside(first_stream int, INOUT kind text, INOUT value bigint) LANGUAGE plpgsql AS $$
DECLARE
  s record;
  at_time bigint;
BEGIN
  IF kind <> 'seq' THEN RETURN; END IF;
  SELECT p.next, t.queue INTO s FROM place p JOIN stream t ON t.id = p.stream WHERE p.stream = first_stream;
  EXECUTE format('SELECT stored FROM message_%s WHERE stream = $1 AND seq = $2', s.queue) INTO at_time
    USING first_stream, position_of(first_stream, kind, value);
  IF at_time IS NOT NULL THEN
    kind := 'time';
    value := at_time;
  ELSE
    kind := CASE WHEN s.next > 1 AND value >= s.next THEN 'now' ELSE 'oldest' END;
    value := 0;
  END IF;
END $$;
