/* SPDX-License-Identifier: MPL-2.0 */
//
// The statement that makes or renews a schema. One, so that it is one transaction through any pooler: a DO block that executes the texts.
#include "migrations.hpp"

namespace vtx::postgres {
namespace {

/// No text of ours contains the tag.
std::string quoted(const std::string& text) { return "$vtx_text$" + text + "$vtx_text$"; }

std::string execute(const std::string& text) { return "  EXECUTE " + quoted(text) + ";\n"; }

/// What would fail in the middle, with words that nobody could use.
std::string refusals(const std::string& name) {
  const std::string schema = quoted("\"" + name + "\"");
  return "  IF current_setting('server_version_num')::int < 140000 THEN\n"
         "    RAISE EXCEPTION USING ERRCODE = 'VX006', MESSAGE = 'PostgreSQL ' || current_setting('server_version') || "
         "' is too old for VTX: it needs 14 or newer';\n"
         "  END IF;\n"
         "  IF to_regnamespace(" +
         schema +
         ") IS NULL AND NOT has_database_privilege(current_database(), 'CREATE') THEN\n"
         "    RAISE EXCEPTION USING ERRCODE = 'VX010', MESSAGE = format('role %I may not make VTX''s schema %I in "
         "database %I: GRANT CREATE ON DATABASE %3$I TO %1$I, or '\n"
         "      'let an owner run vtx migrate, and then SELECT %2$I.allow(%1$L, ''send'') or ''receive''', "
         "current_user, " +
         quoted(name) +
         ", current_database());\n"
         "  END IF;\n"
         "  IF NOT pg_has_role((SELECT nspowner FROM pg_namespace WHERE oid = to_regnamespace(" +
         schema +
         ")), 'USAGE') THEN\n"
         "    RAISE EXCEPTION USING ERRCODE = 'VX010', MESSAGE = format('role %I may not bring VTX''s schema %I to "
         "what this VTX knows: let %s, its owner, run vtx migrate',\n"
         "      current_user, " +
         quoted(name) + ", (SELECT nspowner::regrole FROM pg_namespace WHERE oid = to_regnamespace(" + schema +
         ")));\n"
         "  END IF;\n";
}

}  // namespace

std::string migration_statement(const std::string& name) {
  const auto all = migrations();
  const auto texts = functions();
  std::string body =
      "DECLARE\n  present int := 0;\n  f record;\nBEGIN\n"
      "  PERFORM pg_advisory_xact_lock(hashtext('vtx'), hashtext(" +
      quoted(name) +
      "));\n"
      "  IF to_regclass(" +
      quoted("\"" + name + "\".store") +
      ") IS NOT NULL THEN\n"
      "    EXECUTE " +
      quoted("SELECT schema FROM \"" + name + "\".store") +
      " INTO present;\n  END IF;\n"
      "  IF present >= " +
      std::to_string(all.size()) + " THEN RETURN; END IF;\n" + refusals(name) + "  IF to_regnamespace(" +
      quoted("\"" + name + "\"") + ") IS NULL THEN CREATE SCHEMA \"" + name +
      "\"; END IF;\n"
      "  PERFORM set_config('search_path', " +
      quoted("\"" + name + "\"") +
      ", true), set_config('check_function_bodies', 'off', true);\n"
      // The books' lock for itself, as lock_class() has it: what others make just now is seen by what follows.
      "  PERFORM pg_advisory_xact_lock(current_schema::regnamespace::oid::bigint::bit(32)::int, 0);\n"
      "  IF to_regproc('lock_class') IS NOT NULL THEN PERFORM pg_advisory_xact_lock(lock_class(), 0); END IF;\n";
  for (std::size_t i = 0; i < all.size(); ++i)
    body += "  IF present < " + std::to_string(i + 1) + " THEN\n" + execute(all[i]) + "  END IF;\n";
  body +=
      "  FOR f IN SELECT oid::regprocedure AS called FROM pg_proc WHERE pronamespace = current_schema::regnamespace "
      "LOOP\n"
      "    EXECUTE 'DROP FUNCTION ' || f.called || ' CASCADE';\n  END LOOP;\n";
  for (const char* text : texts) body += execute(text);
  body += "  UPDATE store SET schema = " + std::to_string(all.size()) + ";\nEND ";
  return "DO $vtx_block$\n" + body + "$vtx_block$";
}

}  // namespace vtx::postgres
