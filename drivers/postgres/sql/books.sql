-- SPDX-License-Identifier: MPL-2.0
--
-- The first books, whose views the functions behind this take their rows' types from.
DO $$ BEGIN IF (SELECT generation FROM store) = 0 THEN PERFORM begin_generation(); END IF; END $$;
