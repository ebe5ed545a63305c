-- SPDX-License-Identifier: MPL-2.0
--
-- Where a session begins: whether the store is what it was. A mark that is lower than one that was on disk, or than one that this same run of the server gave out, shows that the
-- database went back in time. A server that crashed may have forgotten the newest numbers that were not yet on disk: its next run leaves them out.

-- All claims end as if their holders had died, and all holders end.
CREATE FUNCTION begin_epoch(newer_than bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  c claim;
BEGIN
  UPDATE store SET epoch = newer_than + 1, life = gen_random_uuid();
  FOR c IN SELECT * FROM claim ORDER BY id LOOP
    PERFORM give_up_claim(c);
  END LOOP;
  UPDATE holder SET ended = coalesce(ended, now_ms());
  UPDATE stream SET fork = p.next - 1 FROM place p WHERE p.stream = stream.id;
  DELETE FROM looked;
END $$;

CREATE FUNCTION begin_session(known_id uuid, known_epoch bigint, known_synced bigint, known_mark bigint, known_server text,
                              OUT mark bigint, OUT id uuid, OUT epoch bigint, OUT life uuid, OUT server text, OUT went_back boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  s record;
  here bigint := (SELECT system_identifier FROM pg_control_system());
  newest bigint;
  later bigint;
BEGIN
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  PERFORM pg_advisory_xact_lock_shared(lock_class(), 0);
  SELECT * INTO s FROM store;
  server := server_life();
  newest := (SELECT last_value FROM mark);
  went_back := s.id = known_id AND (newest < known_synced OR (newest < known_mark AND server = known_server));
  IF went_back OR s.server <> server OR s.system <> here THEN
    -- Others that found it out as well wait for each other here; who comes second finds it done.
    PERFORM pg_advisory_xact_lock(lock_class(), -3);
    SELECT * INTO s FROM store;
    newest := (SELECT last_value FROM mark);
    went_back := s.id = known_id AND (newest < known_synced OR (newest < known_mark AND server = known_server));
    IF went_back THEN PERFORM begin_epoch(greatest(s.epoch, known_epoch)); END IF;
    IF s.system <> here THEN
      DELETE FROM looked;
      UPDATE store SET system = here;
    END IF;
    later := greatest(newest, CASE WHEN went_back THEN greatest(known_synced, known_mark) END) + 1000000;
    IF s.server <> server THEN
      UPDATE store SET server = begin_session.server, began = later, since = now_ms();
    END IF;
    -- Last, since it is not undone when anything before fails.
    IF s.server <> server OR went_back THEN
      PERFORM setval('numbers', (SELECT last_value FROM numbers) + 1000000), setval('mark', later);
    END IF;
  END IF;
  mark := nextval('mark');
  SELECT store.id, store.epoch, store.life INTO id, epoch, life FROM store;
END $$;
