-- SPDX-License-Identifier: MPL-2.0
--
-- The books: tables of small rows that change all the time. Vacuum cannot clean them while any old transaction is open anywhere in the cluster, so they are
-- not kept for long: a new generation begins with the living rows, and the old tables are dropped as soon as nobody reads them.

CREATE FUNCTION books() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY['place', 'producer', 'cursor', 'claim', 'retry', 'holder', 'hold', 'tally', 'looked']
$$;

CREATE FUNCTION size_of_books() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT sum(pg_relation_size(c.oid))::bigint
  FROM store s, unnest(books()) b JOIN pg_class c ON true
  WHERE c.relnamespace = current_schema::regnamespace AND c.relname = b || '_' || s.generation);
END $$;

-- With the books' lock for itself. Views of the first generation are made, later ones lead on to the new tables.
CREATE FUNCTION begin_generation() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now int := (SELECT generation FROM store) + 1;
  book text;
BEGIN
  FOREACH book IN ARRAY books() LOOP
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 50)', book || '_' || now, 'shape_' || book);
    EXECUTE format('CREATE OR REPLACE VIEW %I AS SELECT * FROM %I', book, book || '_' || now);
  END LOOP;
  -- Only now, when nobody who reads a view can be in the way any more.
  FOREACH book IN ARRAY CASE WHEN now > 1 THEN books() ELSE '{}' END LOOP
    EXECUTE CASE book
      -- A link that commits again after a day merely gets a new row.
      WHEN 'producer' THEN format('INSERT INTO producer SELECT * FROM %I WHERE seen > %s', 'producer_' || now - 1, now_ms() - 86400000)
      WHEN 'tally' THEN format('INSERT INTO tally SELECT queue, grp, what, sum(n) FROM %I GROUP BY 1, 2, 3', 'tally_' || now - 1)
      ELSE format('INSERT INTO %I SELECT * FROM %I', book, book || '_' || now - 1)
    END;
  END LOOP;
  UPDATE store SET generation = now;
  UPDATE store SET books_bytes = size_of_books();
END $$;

CREATE FUNCTION drop_old_books() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  old record;
BEGIN
  FOR old IN
    SELECT c.relname FROM unnest(books()) b JOIN pg_class c ON c.relname ~ ('^' || b || '_[0-9]+$')
    WHERE c.relnamespace = current_schema::regnamespace AND c.relkind = 'r' AND substring(c.relname FROM '[0-9]+$')::int < (SELECT generation FROM store)
  LOOP
    BEGIN
      EXECUTE format('DROP TABLE %I', old.relname);
    EXCEPTION WHEN lock_not_available OR undefined_table THEN
      NULL;  -- somebody still reads it, or has dropped it
    END;
  END LOOP;
END $$;
