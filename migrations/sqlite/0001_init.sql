-- SPDX-License-Identifier: MPL-2.0
--
-- The tables of a VTX store in SQLite. They may live in an application's own database, so everything is named vtx_ and the schema's
-- version stands in vtx_store: user_version and application_id belong to the application. Times are milliseconds since 1970, UTC.
-- Released migrations are never edited; a change is the next number.

CREATE TABLE vtx_store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id BLOB NOT NULL,              -- 16 random bytes
  epoch INTEGER NOT NULL,        -- new when the database went back in time, as by a restored backup
  life BLOB NOT NULL,            -- 8 random bytes, new with each epoch: tells two of one number apart
  mark INTEGER NOT NULL,         -- moves with each transaction of VTX: one that is lower than somebody saw it shows that the database went back
  schema INTEGER NOT NULL,       -- number of the newest migration applied
  oldest_library TEXT NOT NULL   -- the oldest VTX that may still use this schema
);

CREATE TABLE vtx_queue (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  retain TEXT NOT NULL,
  size_limit TEXT NOT NULL,
  max_messages INTEGER,   -- what size_limit means; NULL none
  max_bytes INTEGER,
  roles TEXT NOT NULL DEFAULT ''    -- what has been linked to it on which side: "connect:REQ bind:REP"
);

CREATE TABLE vtx_stream (
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 1048574),
  queue INTEGER NOT NULL,
  kind TEXT NOT NULL,               -- main up down mailbox
  peer TEXT NOT NULL,               -- whose mailbox
  priority INTEGER NOT NULL,
  next INTEGER NOT NULL DEFAULT 1,  -- no lower sequence is given out again: an emptied stream goes on here
  stored INTEGER NOT NULL DEFAULT 0,  -- newest time among the messages removed, so that time does not go back either
  bytes INTEGER,                    -- of the bodies from sequence bytes_from on, where a size is retained; where it is limited, of all; else NULL
  bytes_from INTEGER,
  delayed INTEGER NOT NULL DEFAULT 0,        -- messages in vtx_delayed that will go to this stream
  delayed_bytes INTEGER NOT NULL DEFAULT 0,  -- of their bodies
  fork INTEGER,                     -- newest sequence that was there when the database last went back; NULL it did not
  UNIQUE (queue, kind, peer, priority)
);
-- A queue may have many thousands of mailboxes: what is to be done to few of them must not look at all.
CREATE INDEX vtx_stream_delayed ON vtx_stream (queue) WHERE delayed > 0;
CREATE INDEX vtx_stream_counted ON vtx_stream (queue) WHERE bytes IS NOT NULL;

-- One row a message: id is stream << 43 | sequence, the rowid, which is by far the fastest key.
CREATE TABLE vtx_message (
  id INTEGER PRIMARY KEY,
  stored INTEGER,
  expires INTEGER,                  -- NULL never
  frames INTEGER NOT NULL DEFAULT 1,  -- 1: body is the frame; else per frame a 32-bit big-endian length and its bytes
  properties TEXT,                  -- lines "Name: value"
  body BLOB,
  bytes INTEGER AS (ifnull(CASE typeof(body) WHEN 'text' THEN length(CAST(body AS BLOB)) ELSE length(body) END, 0)),
  stream INTEGER AS (id >> 43),
  seq INTEGER AS (id & 8796093022207)
);

-- What the limit of a queue counts: all priorities of a kind together.
CREATE VIEW vtx_load AS
  SELECT queue, kind, peer, priority,
         delayed + ifnull((SELECT max(id) FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << 43) -
                          (SELECT min(id) FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << 43) + 1, 0) AS messages,
         delayed_bytes + ifnull(bytes, 0) AS bytes
  FROM vtx_stream s;

-- Messages that are not yet due. They are appended to their streams by their times, equal ones in the order in which they came.
CREATE TABLE vtx_delayed (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  stream INTEGER NOT NULL,
  due INTEGER NOT NULL,
  expires INTEGER,                  -- NULL never
  frames INTEGER NOT NULL,          -- these as in vtx_message
  properties TEXT,
  body BLOB
);
CREATE INDEX vtx_delayed_due ON vtx_delayed (stream, due, id);

CREATE TABLE vtx_group (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  queue INTEGER NOT NULL,
  kind TEXT NOT NULL,
  peer TEXT NOT NULL,
  name TEXT NOT NULL,
  filter BLOB,
  max_deliveries INTEGER NOT NULL,
  UNIQUE (queue, kind, peer, name)
);

-- Where each group reads on; a stream without a row is at its beginning.
CREATE TABLE vtx_cursor (
  grp INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  next INTEGER NOT NULL,
  PRIMARY KEY (grp, stream)
) WITHOUT ROWID;

-- Ranges in consumers' hands. Bit i of done (byte i/8, bit i%8): message first+i is settled. A claim with all bits set is deleted.
CREATE TABLE vtx_claim (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  grp INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  holder INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  counted INTEGER NOT NULL,         -- 0: the holder's death is not held against the messages
  priority INTEGER NOT NULL,        -- what of it comes again has it too
  done BLOB
);
CREATE INDEX vtx_claim_stream ON vtx_claim (stream);

-- Ranges to be delivered again, oldest due first; shrinks from the front.
CREATE TABLE vtx_retry (
  id INTEGER PRIMARY KEY,
  grp INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  due INTEGER NOT NULL,             -- 0: at once
  reason TEXT,
  priority INTEGER NOT NULL         -- of the stream; of a requeued dead letter, that of the stream it died in
);
CREATE INDEX vtx_retry_due ON vtx_retry (grp, priority, due, first);
CREATE INDEX vtx_retry_range ON vtx_retry (stream, grp, first);

-- What each link committed last: a commit whose answer was lost is recognised when it comes again.
CREATE TABLE vtx_producer (
  id BLOB PRIMARY KEY,
  counter INTEGER NOT NULL,
  seen INTEGER NOT NULL
) WITHOUT ROWID;

-- Settlements that were refused: the same commit gets the same answer again.
CREATE TABLE vtx_fenced (
  producer BLOB NOT NULL,
  counter INTEGER NOT NULL,
  settle INTEGER NOT NULL,          -- index within the commit
  PRIMARY KEY (producer, counter, settle)
) WITHOUT ROWID;

-- Consumers that live; their beats are in the side file, slot by slot.
CREATE TABLE vtx_holder (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  slot INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  ended INTEGER                     -- when that was noticed, while it holds the name of an anonymous peer
);

-- Names that one holder has: 'peer:X', the mailbox of X.
CREATE TABLE vtx_hold (
  queue INTEGER NOT NULL,
  what TEXT NOT NULL,
  holder INTEGER NOT NULL,
  PRIMARY KEY (queue, what)
) WITHOUT ROWID;
CREATE INDEX vtx_hold_holder ON vtx_hold (holder);

-- What ended without being consumed: dead_lettered, expired, filtered, refused, skipped, trimmed, undeliverable. grp 0: of no group.
CREATE TABLE vtx_tally (
  queue INTEGER NOT NULL,
  grp INTEGER NOT NULL,
  what TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (queue, grp, what)
) WITHOUT ROWID;

-- Sending from SQL, in the application's own transaction: INSERT INTO vtx_send (queue, body) VALUES ('jobs', ?);
-- properties: lines "Name: value"; frames: as in vtx_message, left out for a body that is one frame.
CREATE VIEW vtx_send AS SELECT name AS queue, NULL AS body, NULL AS properties, 1 AS frames FROM vtx_queue WHERE name NOT GLOB '*.dead';
CREATE TRIGGER vtx_send_one INSTEAD OF INSERT ON vtx_send BEGIN
  SELECT RAISE(ABORT, 'a dead-letter queue is written by VTX alone') WHERE NEW.queue GLOB '*.dead';
  SELECT RAISE(ABORT, 'the message has no body: write '''' for an empty one') WHERE NEW.body IS NULL;
  SELECT RAISE(ABORT, 'frames must be a whole number from 1 on: leave it out for one frame')
    WHERE typeof(ifnull(NEW.frames, 1)) <> 'integer' OR NEW.frames < 1;
  -- From length to length, of eight hexadecimal digits each, until all frames are passed: that is where the body must end.
  SELECT RAISE(ABORT, 'the body does not hold that many frames: a blob, each with a 32-bit big-endian length ahead')
    WHERE NEW.frames > 1 AND (typeof(NEW.body) <> 'blob' OR length(NEW.body) + 1 IS NOT (
      WITH RECURSIVE
        digit (d) AS (VALUES (1), (2), (3), (4), (5), (6), (7), (8)),
        frame (n, at) AS (
          SELECT 0, 1 UNION ALL
          SELECT n + 1, at + 4 + (SELECT sum(instr('123456789ABCDEF', substr(hex(substr(NEW.body, at, 4)), d, 1)) << 32 - 4 * d) FROM digit)
          FROM frame WHERE n < NEW.frames AND at + 3 <= length(NEW.body))
      SELECT at FROM frame WHERE n = NEW.frames));
  SELECT RAISE(ABORT, 'Delay, Ttl and Priority are for messages that are sent through a socket')
    WHERE char(10) || lower(NEW.properties) GLOB '*' || char(10) || 'delay:*' OR
          char(10) || lower(NEW.properties) GLOB '*' || char(10) || 'ttl:*' OR
          char(10) || lower(NEW.properties) GLOB '*' || char(10) || 'priority:*';
  SELECT RAISE(ABORT, 'the VTX queue is full')
    FROM vtx_queue q WHERE q.name = NEW.queue AND (q.max_messages IS NOT NULL OR q.max_bytes IS NOT NULL) AND
      (SELECT sum(messages) >= q.max_messages OR
              (sum(messages) > 0 AND sum(bytes) + length(CAST(NEW.body AS BLOB)) > q.max_bytes)
       FROM vtx_load l WHERE l.queue = q.id AND l.kind = 'main');
  SELECT RAISE(ABORT, 'no such VTX queue')
    WHERE NOT EXISTS (SELECT 1 FROM vtx_queue q JOIN vtx_stream s ON s.queue = q.id
                      WHERE q.name = NEW.queue AND s.kind = 'main' AND s.priority = 0);
  INSERT INTO vtx_message (id, stored, frames, properties, body)
    SELECT max(ifnull((SELECT max(id) FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << 43), 0), (s.id << 43) + s.next - 1) + 1,
           max(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), s.stored, ifnull(
             (SELECT stored FROM vtx_message WHERE id >= s.id << 43 AND id < (s.id + 1) << 43 ORDER BY id DESC LIMIT 1), 0)),
           ifnull(NEW.frames, 1), NEW.properties, NEW.body
    FROM vtx_stream s JOIN vtx_queue q ON q.id = s.queue WHERE q.name = NEW.queue AND s.kind = 'main' AND s.peer = '' AND s.priority = 0;
  UPDATE vtx_stream SET bytes = bytes + (SELECT bytes FROM vtx_message WHERE id >= vtx_stream.id << 43 AND id < (vtx_stream.id + 1) << 43
                                         ORDER BY id DESC LIMIT 1)
    WHERE queue = (SELECT id FROM vtx_queue WHERE name = NEW.queue) AND kind = 'main' AND peer = '' AND priority = 0 AND bytes IS NOT NULL;
END;

INSERT INTO vtx_store (one, id, epoch, life, mark, schema, oldest_library)
  VALUES (1, randomblob(16), 1, randomblob(8), 0, 1, '0.1.0');
