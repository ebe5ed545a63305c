-- SPDX-License-Identifier: MPL-2.0
--
-- The tables of a VTX store in Postgres, in a schema of their own (the search path while this runs). Times are milliseconds since 1970, UTC.
-- Released migrations are never edited; a change is the next number. Functions are in drivers/postgres/sql and made anew with each.
--
-- Messages are only ever inserted, into children of message_QUEUE that are dropped whole. What changes with every message is bookkeeping: a few small
-- rows, in tables that are exchanged as a whole for new ones with only the living rows in them (sql/generation.sql). So nothing decays when some transaction
-- elsewhere keeps vacuum from its work.

CREATE TABLE store (
  one int PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  epoch bigint NOT NULL DEFAULT 1,               -- new when the database went back in time, as by a restored backup
  life uuid NOT NULL DEFAULT gen_random_uuid(),  -- new with each epoch: tells two of one number apart
  server text NOT NULL DEFAULT '',               -- life of the server that gave out the newest numbers: one that crashed may have forgotten some
  began bigint NOT NULL DEFAULT 0,               -- the mark at that run's beginning: who knows only lower ones has not begun a session in it
  since bigint NOT NULL DEFAULT 0,               -- when that was
  system bigint NOT NULL DEFAULT 0,              -- the cluster it lives in, whose transaction numbers the intake goes by
  generation int NOT NULL DEFAULT 0,             -- of the books
  books_bytes bigint NOT NULL DEFAULT 0,         -- their size when they were new
  schema int NOT NULL,                           -- number of the newest migration applied
  oldest_library text NOT NULL                   -- the oldest VTX that may still use this schema
);

-- Queues, streams and groups are locked by their numbers, which therefore come from one sequence.
CREATE SEQUENCE ids AS int;
-- Claims, holders and what comes again: epoch << 40 | number. Never given out twice.
CREATE SEQUENCE numbers;
-- Moves with each transaction of VTX: one that is lower than somebody saw it shows that the database went back.
CREATE SEQUENCE mark;

CREATE TABLE queue (
  id int PRIMARY KEY DEFAULT nextval('ids'),
  name text NOT NULL UNIQUE,
  retain text NOT NULL,
  keep text NOT NULL,              -- what retain means: consumed forever age count size,
  amount bigint NOT NULL,          -- so many milliseconds, messages, bytes
  size_limit text NOT NULL,
  max_messages bigint,             -- what size_limit means; NULL none
  max_bytes bigint,
  roles text NOT NULL DEFAULT '',  -- what has been linked to it on which side: "connect:REQ bind:REP"
  mailboxes int NOT NULL DEFAULT nextval('ids'),  -- the one lock of all its mailboxes
  child int NOT NULL DEFAULT 1,    -- the child of its messages that is written to
  dead boolean GENERATED ALWAYS AS (right(name, 5) = '.dead') STORED
);

CREATE TABLE stream (
  id int PRIMARY KEY DEFAULT nextval('ids'),
  queue int NOT NULL,
  kind text NOT NULL,              -- main up down mailbox
  peer text NOT NULL,              -- whose mailbox
  priority int NOT NULL,
  lock int NOT NULL,               -- who appends holds it: one for all priorities; one for all mailboxes of a queue
  fork bigint,                     -- newest sequence that was there when the database last went back; NULL it did not
  UNIQUE (queue, kind, peer, priority)
);

CREATE TABLE consumer_group (
  id int PRIMARY KEY DEFAULT nextval('ids'),
  queue int NOT NULL,
  kind text NOT NULL,
  peer text NOT NULL,
  name text NOT NULL,
  lock int NOT NULL,               -- who claims or settles holds it: its own; of mailboxes the queue's
  filter bytea NOT NULL,
  max_deliveries int NOT NULL,
  UNIQUE (queue, kind, peer, name)
);

-- The shape of all messages; each queue has an heir of its own, message_QUEUE, and that the children that hold them, message_QUEUE_CHILD.
CREATE TABLE message (
  stream int NOT NULL,
  seq bigint NOT NULL,
  stored bigint NOT NULL,
  expires bigint,                    -- NULL never
  frames int NOT NULL DEFAULT 1,     -- 1: body is the frame; else per frame a 32-bit big-endian length and its bytes
  properties bytea,                  -- lines "Name: value", UTF-8
  body bytea NOT NULL,
  PRIMARY KEY (stream, seq)
);

-- Children that are no longer written to, with the newest sequence of each stream then: once all are below their streams' tails it goes.
CREATE TABLE segment (
  queue int NOT NULL,
  child int NOT NULL,
  stream int NOT NULL,
  last bigint NOT NULL,
  PRIMARY KEY (queue, child, stream)
);

-- Messages that are not yet due. They are appended to their streams by their times, equal ones in the order in which they came.
CREATE TABLE delayed (
  stream int NOT NULL,
  due bigint NOT NULL,
  id bigint NOT NULL DEFAULT nextval('numbers'),
  expires bigint,                    -- NULL never
  frames int NOT NULL,
  properties bytea,
  body bytea NOT NULL,
  PRIMARY KEY (stream, due, id)
);

-- What was sent from SQL in somebody's own transaction, which must hold up nobody: whoever looks next puts it into its stream.
CREATE TABLE intake (
  queue int NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  id bigint NOT NULL DEFAULT nextval('numbers'),
  stream int NOT NULL,
  frames int NOT NULL,
  properties bytea,
  body bytea NOT NULL,
  PRIMARY KEY (queue, xid, id)
);

-- What roles that do not own the schema may do: send, receive, sql, look, operate (sql/rights.sql).
CREATE TABLE given (
  role name NOT NULL,
  what text NOT NULL,
  PRIMARY KEY (role, what)
);

-- The books. These are their shapes; rows are in NAME_GENERATION, half full so that a changed row stays on its page, and the views NAME lead there.

-- Where a stream is. Its messages are those from tail to next - 1.
CREATE TABLE shape_place (
  stream int PRIMARY KEY,
  next bigint NOT NULL DEFAULT 1,
  tail bigint NOT NULL DEFAULT 1,
  stored bigint NOT NULL DEFAULT 0,          -- newest time of a message, so that time does not go back
  bytes bigint,                              -- of the bodies from tail on, where a size is retained or limited; else NULL
  delayed bigint NOT NULL DEFAULT 0,         -- messages that wait for their time
  delayed_bytes bigint NOT NULL DEFAULT 0,
  due bigint,                                -- the first one's time; NULL none
  fired_due bigint NOT NULL DEFAULT 0,       -- delayed messages up to this time and number have been appended
  fired_id bigint NOT NULL DEFAULT 0,
  plain int                                  -- its queue, where nothing is special about it: no mailbox, no other priority beside it, no limit. Then its lock is its number
);

-- What each link committed last: a commit whose answer was lost is recognised when it comes again.
CREATE TABLE shape_producer (
  id uuid PRIMARY KEY,
  counter bigint NOT NULL,
  seen bigint NOT NULL,
  fenced int[],                              -- settlements of a commit that were refused: it gets the same answer again
  fenced_at bigint                           -- that commit's counter
);

-- Where each group reads on; a stream without a row is at its beginning.
CREATE TABLE shape_cursor (
  grp int NOT NULL,
  stream int NOT NULL,
  next bigint NOT NULL,
  PRIMARY KEY (grp, stream)
);

-- Ranges in consumers' hands. Bit i of done, from the left: message first+i is settled. A claim with all bits set is deleted.
CREATE TABLE shape_claim (
  id bigint PRIMARY KEY,
  grp int NOT NULL,
  stream int NOT NULL,
  holder bigint NOT NULL,
  number bigint NOT NULL,                    -- the holder's nth, so that one whose answer was lost is the same again
  first bigint NOT NULL,
  last bigint NOT NULL,
  delivery int NOT NULL,
  counted boolean NOT NULL,                  -- false: the holder's death is not held against the messages
  priority int NOT NULL,                     -- what of it comes again has it too
  reason text NOT NULL,
  done varbit NOT NULL DEFAULT ''
);
CREATE INDEX ON shape_claim (grp, stream);
CREATE INDEX ON shape_claim (stream);
CREATE INDEX ON shape_claim (holder, number);

-- Ranges to be delivered again, oldest due first; shrinks from the front.
CREATE TABLE shape_retry (
  id bigint PRIMARY KEY,
  grp int NOT NULL,
  stream int NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  delivered int NOT NULL,
  due bigint NOT NULL,                       -- 0: at once
  reason text NOT NULL,
  priority int NOT NULL                      -- of the stream; of a requeued dead letter, that of the stream it died in
);
CREATE INDEX ON shape_retry (grp, priority, due, first, id);
CREATE INDEX ON shape_retry (stream, first);

-- Consumers, and how often they have shown that they live.
CREATE TABLE shape_holder (
  id bigint PRIMARY KEY,
  beats bigint NOT NULL,
  claimed bigint NOT NULL DEFAULT 0,         -- number of its newest claim
  lease bigint NOT NULL,
  seen bigint NOT NULL,                      -- when it last did, for people
  ended bigint                               -- when it said so itself, or that was noticed
);

-- Names that one holder has: 'peer:X', the mailbox of X.
CREATE TABLE shape_hold (
  queue int NOT NULL,
  what text NOT NULL,
  holder bigint NOT NULL,
  PRIMARY KEY (queue, what)
);
CREATE INDEX ON shape_hold (holder);

-- What ended without being consumed: dead_lettered, expired, filtered, refused, skipped, trimmed, undeliverable. grp 0: of no group. Rows add up.
CREATE TABLE shape_tally (
  queue int NOT NULL,
  grp int NOT NULL,
  what text NOT NULL,
  n bigint NOT NULL
);
CREATE INDEX ON shape_tally (queue);

-- Up to which transaction number each queue's intake has been looked through.
CREATE TABLE shape_looked (
  queue int PRIMARY KEY,
  xid xid8 NOT NULL
);

INSERT INTO store (schema, oldest_library) VALUES (1, '0.1.0');
