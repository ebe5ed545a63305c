-- SPDX-License-Identifier: MPL-2.0
--
-- Holders, which show that they live by counting, and names that one holder has; what ends with a name: the mailbox of a peer that nobody can come back as.

CREATE FUNCTION is_dead(its_holder bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT NOT EXISTS (SELECT FROM holder WHERE id = its_holder AND ended IS NULL));
END $$;

CREATE FUNCTION beat(their_life uuid, their_mark bigint, its_holder bigint, its_lease bigint,
                     OUT mark bigint, OUT id bigint, OUT others bigint[], OUT beats bigint[], OUT leases bigint[], OUT dead boolean[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  IF its_holder = 0 THEN
    id := next_number();
    INSERT INTO holder (id, beats, lease, seen) VALUES (id, 1, its_lease, now_ms());
  ELSE
    UPDATE holder h SET beats = h.beats + 1, lease = its_lease, seen = now_ms() WHERE h.id = its_holder AND h.ended IS NULL;
    IF NOT FOUND THEN PERFORM refuse('VX007', 'holder ' || its_holder || ' has ended'); END IF;
    id := its_holder;
  END IF;
  SELECT array_agg(c.holder), array_agg(coalesce(h.beats, 0)), array_agg(coalesce(h.lease, 0)), array_agg(h.id IS NULL OR h.ended IS NOT NULL)
    INTO others, beats, leases, dead
    FROM (SELECT DISTINCT claim.holder FROM claim WHERE claim.holder <> beat.id) c LEFT JOIN holder h ON h.id = c.holder;
END $$;

CREATE FUNCTION waiting_in(its_group int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT coalesce(sum(last - first + 1), 0)::bigint FROM retry WHERE grp = its_group);
END $$;

CREATE FUNCTION claimed_in(its_group int) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT coalesce(sum(last - first + 1 - bit_count(done)), 0)::bigint FROM claim WHERE grp = its_group);
END $$;

-- What it counted stays in the queue's counters.
CREATE FUNCTION remove_group(its_group int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tally SET grp = 0 WHERE queue = (SELECT queue FROM consumer_group WHERE id = its_group) AND grp = its_group;
  DELETE FROM retry WHERE grp = its_group;
  DELETE FROM claim WHERE grp = its_group;
  DELETE FROM cursor WHERE grp = its_group;
  DELETE FROM consumer_group WHERE id = its_group;
END $$;

-- With the lock of the queue's mailboxes. Answers how many messages nobody had read, which are counted. The rows go with their child.
CREATE FUNCTION remove_mailbox(its_queue int, its_peer text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  unread bigint;
  one int;
BEGIN
  PERFORM wake(NULL, ARRAY(SELECT id FROM consumer_group WHERE (queue, kind, peer) = (its_queue, 'mailbox', its_peer)));
  SELECT coalesce(sum(p.delayed + coalesce((SELECT sum(greatest(p.next - greatest(coalesce(c.next, 1), p.tail), 0)) FROM consumer_group g
                                            LEFT JOIN cursor c ON c.grp = g.id AND c.stream = s.id WHERE (g.queue, g.kind, g.peer) = (s.queue, s.kind, s.peer)),
                                           p.next - p.tail)), 0)
    INTO unread FROM stream s JOIN place p ON p.stream = s.id WHERE (s.queue, s.kind, s.peer) = (its_queue, 'mailbox', its_peer);
  FOR one IN SELECT id FROM consumer_group WHERE (queue, kind, peer) = (its_queue, 'mailbox', its_peer) LOOP
    unread := unread + waiting_in(one) + claimed_in(one);
    PERFORM remove_group(one);
  END LOOP;
  FOR one IN SELECT id FROM stream WHERE (queue, kind, peer) = (its_queue, 'mailbox', its_peer) LOOP
    DELETE FROM delayed WHERE stream = one;
    DELETE FROM place WHERE stream = one;
    DELETE FROM stream WHERE id = one;
  END LOOP;
  PERFORM add_tally(its_queue, 0, 'undeliverable', unread);
  RETURN unread;
END $$;

CREATE FUNCTION release_name(its_queue int, its_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM hold WHERE queue = its_queue AND what = its_name;
  IF its_name LIKE 'peer:~%' THEN PERFORM remove_mailbox(its_queue, substr(its_name, 6)); END IF;
END $$;

-- The locks that end_holder() wants to be held.
CREATE FUNCTION locks_of_names(its_holder bigint) RETURNS int[] LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(array_agg(q.mailboxes), '{}') FROM hold h JOIN queue q ON q.id = h.queue WHERE h.holder = its_holder
$$;

-- A link whose session was lost comes back as another holder, soon, and takes its name and its mailbox with it. So that of an anonymous peer is kept for a minute.
CREATE FUNCTION end_holder(its_holder bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE holder SET ended = now_ms() WHERE id = its_holder AND ended IS NULL;
  IF EXISTS (SELECT FROM hold WHERE holder = its_holder AND what LIKE 'peer:~%')
     AND EXISTS (SELECT FROM holder WHERE id = its_holder AND ended > now_ms() - 60000) THEN RETURN; END IF;
  PERFORM release_name(queue, what) FROM (SELECT queue, what FROM hold WHERE holder = its_holder) h;
  DELETE FROM holder WHERE id = its_holder;
END $$;

-- Holders that nobody will take anything over from: of programs that were killed with nothing in hands, and those that have waited for their peers to come back.
CREATE FUNCTION sweep_holders() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  one bigint;
BEGIN
  FOR one IN SELECT h.id FROM holder h WHERE (h.ended < now_ms() - 60000 OR h.seen + 10 * h.lease + 60000 < now_ms())
               AND NOT EXISTS (SELECT FROM claim c WHERE c.holder = h.id) LIMIT 20 LOOP
    BEGIN
      PERFORM lock_all(locks_of_names(one));
      PERFORM end_holder(h.id) FROM holder h WHERE h.id = one AND (h.ended < now_ms() - 60000 OR h.seen + 10 * h.lease + 60000 < now_ms());
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      NULL;  -- another time
    END;
  END LOOP;
END $$;

CREATE FUNCTION take_over(their_life uuid, their_mark bigint, its_holder bigint, seen_beats bigint, OUT mark bigint, OUT taken bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  c claim;
  retried int[] := '{}';
  locked int[];
BEGIN
  mark := enter(their_life, their_mark, false);
  taken := 0;
  locked := ARRAY(SELECT g.lock FROM claim x JOIN consumer_group g ON g.id = x.grp WHERE x.holder = its_holder);
  PERFORM lock_all(locked || locks_of_names(its_holder));
  IF NOT is_dead(its_holder) AND (SELECT beats FROM holder h WHERE h.id = its_holder) <> seen_beats THEN RETURN; END IF;
  -- One that is only slow may have claimed of another group meanwhile: that is for the next time.
  FOR c IN SELECT * FROM claim x WHERE x.holder = its_holder AND x.grp IN (SELECT id FROM consumer_group WHERE lock = ANY (locked)) ORDER BY x.id LOOP
    PERFORM give_up_claim(c);
    retried := retried || c.grp;
    taken := taken + 1;
  END LOOP;
  -- One that is only slow keeps its number: it may claim again.
  IF is_dead(its_holder) AND NOT EXISTS (SELECT FROM claim x WHERE x.holder = its_holder) THEN PERFORM end_holder(its_holder); END IF;
  PERFORM wake(NULL, retried);
END $$;

-- A session ends in order: its holders' claims can be taken over at once.
CREATE FUNCTION end_holders(their_life uuid, their_mark bigint, its_holders bigint[], OUT mark bigint) LANGUAGE plpgsql AS $$
DECLARE
  one bigint;
BEGIN
  mark := enter(their_life, their_mark, false);
  PERFORM lock_all(ARRAY(SELECT x FROM unnest(its_holders) h, unnest(locks_of_names(h)) x));
  FOREACH one IN ARRAY its_holders LOOP
    IF EXISTS (SELECT FROM claim WHERE holder = one) THEN
      UPDATE holder SET ended = now_ms() WHERE id = one AND ended IS NULL;
    ELSE
      PERFORM end_holder(one);
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION hold_name(their_life uuid, their_mark bigint, its_queue int, its_name text, its_holder bigint, let_go boolean, OUT mark bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  other bigint;
BEGIN
  mark := enter(their_life, their_mark, false);
  PERFORM lock_all(ARRAY(SELECT mailboxes FROM queue WHERE id = its_queue));
  other := (SELECT h.holder FROM hold h WHERE h.queue = its_queue AND h.what = its_name);
  -- One that was killed cannot say so. Both times are this server's; after an outage the others are let come back first.
  UPDATE holder h SET ended = now_ms() WHERE h.id = other AND h.id <> its_holder AND h.ended IS NULL AND h.seen + 2 * h.lease < now_ms()
    AND (SELECT since FROM store) + 2 * h.lease < now_ms();
  IF let_go THEN
    IF other = its_holder THEN PERFORM release_name(its_queue, its_name); END IF;
  ELSIF is_dead(its_holder) THEN
    PERFORM refuse('VX007', 'holder ' || its_holder || ' has ended');
  ELSIF other <> its_holder AND NOT is_dead(other) THEN
    PERFORM refuse('VX005', its_name || ' is held by another');
  ELSE
    INSERT INTO hold (queue, what, holder) VALUES (its_queue, its_name, its_holder) ON CONFLICT (queue, what) DO UPDATE SET holder = excluded.holder;
  END IF;
END $$;

CREATE FUNCTION forget_producer(their_life uuid, their_mark bigint, its_producer uuid, OUT mark bigint) LANGUAGE plpgsql AS $$
BEGIN
  mark := enter(their_life, their_mark, false);
  DELETE FROM producer WHERE id = its_producer;
END $$;

CREATE FUNCTION list_peers(their_life uuid, their_mark bigint, its_queue int, after_id int, only_anonymous boolean,
                           OUT mark bigint, OUT peer_ids int[], OUT peers text[], OUT more boolean, OUT head int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  mark := enter(their_life, their_mark, false);
  -- Before the list: who comes in between is in it, or is waited for.
  head := greatest(after_id, (SELECT max(id) FROM consumer_group WHERE queue = its_queue));
  SELECT array_agg(p.id) FILTER (WHERE p.n <= 1000), array_agg(p.peer) FILTER (WHERE p.n <= 1000), count(*) > 1000 INTO peer_ids, peers, more
    FROM (SELECT id, peer, row_number() OVER (ORDER BY id) AS n FROM consumer_group
          WHERE queue = its_queue AND kind = 'mailbox' AND id > after_id AND (NOT only_anonymous OR peer LIKE '~%') ORDER BY id LIMIT 1001) p;
END $$;
