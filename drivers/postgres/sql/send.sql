-- SPDX-License-Identifier: MPL-2.0
--
-- Sending from SQL, in the application's own transaction. It takes no lock that others wait for: the message lies in the intake, and who looks for messages after the
-- commit puts it into its stream. docs/postgres.md shows how.

-- What a queue holds, as far as the transaction sees it; it may stay open for long, so it must not read the books' views, which a new generation replaces.
-- NULL where its snapshot is older than the books.
CREATE FUNCTION load_seen(its_stream int, OUT messages bigint, OUT bytes bigint) LANGUAGE plpgsql AS $$
BEGIN
  FOR attempt IN 1..3 LOOP
    BEGIN
      EXECUTE format('SELECT sum(p.next - p.tail + p.delayed)::bigint, sum(coalesce(p.bytes, 0) + p.delayed_bytes)::bigint
                      FROM stream s JOIN stream b ON (b.queue, b.kind, b.peer) = (s.queue, s.kind, s.peer) JOIN place_%s p ON p.stream = b.id WHERE s.id = $1',
                     (SELECT generation FROM store)) INTO messages, bytes USING its_stream;
      RETURN;
    EXCEPTION WHEN undefined_table THEN
      NULL;  -- a new generation began meanwhile, and the old one went
    END;
  END LOOP;
END $$;

CREATE FUNCTION take_message(its_name text, count_of_frames int, its_body bytea, its_properties text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  q record;
  l record;
  bad text;
BEGIN
  SELECT x.*, s.id AS stream INTO q FROM queue x JOIN stream s ON (s.queue, s.kind, s.priority) = (x.id, 'main', 0) WHERE x.name = its_name;
  IF NOT FOUND THEN PERFORM refuse('VX001', format('no such VTX queue: %s', coalesce(its_name, 'NULL'))); END IF;
  IF q.dead THEN PERFORM refuse('VX004', 'a dead-letter queue is written by VTX alone'); END IF;
  IF its_body IS NULL THEN PERFORM refuse('VX004', 'the message has no body: write '''' for an empty one'); END IF;
  IF octet_length(its_body) > 536870912 THEN PERFORM refuse('VX004', 'a message has at most 512 MiB'); END IF;
  bad := (SELECT line FROM unnest(string_to_array(rtrim(coalesce(its_properties, ''), E'\n'), E'\n')) line
          WHERE line !~ '^[A-Za-z0-9._-]{1,64}:' OR line ~* '^(delay|ttl|priority):' LIMIT 1);
  IF bad IS NOT NULL THEN
    PERFORM refuse('VX004', CASE WHEN bad ~* '^(delay|ttl|priority):' THEN 'Delay, Ttl and Priority are for messages that are sent through a socket'
                                 ELSE format('properties are lines "Name: value", and this is none: %s', bad) END);
  END IF;
  IF q.max_messages IS NOT NULL OR q.max_bytes IS NOT NULL THEN
    l := load_seen(q.stream);
    IF l.messages >= q.max_messages OR (l.messages > 0 AND l.bytes + octet_length(its_body) > q.max_bytes) THEN
      PERFORM refuse('VX003', format('queue %s is at its limit of %s: consume what is in it', its_name, q.size_limit));
    END IF;
  END IF;
  INSERT INTO intake (queue, stream, frames, properties, body)
    VALUES (q.id, q.stream, count_of_frames, convert_to(nullif(rtrim(its_properties, E'\n'), '') || E'\n', 'UTF8'), its_body);
  IF lower(coalesce(current_setting('vtx.notify', true), 'on')) NOT IN ('off', 'false', 'no', '0') THEN
    PERFORM pg_notify(channel(), 'i' || q.id);
  END IF;
END $$;

CREATE FUNCTION frames_of(parts bytea[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(int4send(octet_length(f)) || f, ''::bytea ORDER BY n) FROM unnest(parts) WITH ORDINALITY AS x (f, n)
$$;

CREATE FUNCTION send(queue text, body bytea, properties text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$ SELECT take_message(queue, 1, body, properties) $$;

CREATE FUNCTION send(queue text, body text, properties text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT take_message(queue, 1, convert_to(body, 'UTF8'), properties)
$$;

CREATE FUNCTION send_frames(queue text, frames bytea[], properties text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(cardinality(frames), 0) = 0 OR array_position(frames, NULL) IS NOT NULL THEN PERFORM refuse('VX004', 'a message has at least one frame, and none is NULL'); END IF;
  PERFORM take_message(queue, cardinality(frames), CASE WHEN cardinality(frames) = 1 THEN frames[1] ELSE frames_of(frames) END, properties);
END $$;

-- For subscribers, who choose by how the first frame begins.
CREATE FUNCTION publish(queue text, topic text, body bytea, properties text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT send_frames(queue, ARRAY[convert_to(topic, 'UTF8'), body], properties)
$$;
