/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx check` and `vtx migrate`: both answer with findings, each with its remedy.
#include <fmt/format.h>

#include <memory>

#include "admin_call.hpp"
#include "commands.hpp"
#include "session.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr std::chrono::minutes kPatience{10};  // every page of the database is looked at

struct UpkeepOptions {
  std::string endpoint;
  bool json = false;
};

void print_finding(const Json& finding) {
  fmt::print("{:<8} {}: {}\n", finding.at("level").get<std::string>(),
             printable(finding.at("subject").get<std::string>()), printable(finding.at("text").get<std::string>()));
  const auto remedy = finding.value("remedy", "");
  if (!remedy.empty()) fmt::print("{:<8} -> {}\n", "", printable(remedy));
}

Exit report_findings(const UpkeepOptions& options, const std::string& question) {
  Session session;
  const Json answer = ask(session.vtx(), options.endpoint, question, kPatience);
  if (options.json) fmt::print("{}\n", answer.dump(2));
  bool sound = true;
  for (const Json& finding : answer.at("findings")) {
    if (!options.json) print_finding(finding);
    if (finding.at("level") == "error") sound = false;
  }
  return sound ? Exit::done : Exit::failed;
}

void add(CLI::App& app, Chosen& chosen, const std::string& name, const std::string& what, const std::string& footer) {
  auto options = std::make_shared<UpkeepOptions>();
  auto* command = app.add_subcommand(name, what);
  command->add_option("URI", options->endpoint, "The endpoint, as sqlite:///var/lib/app/q.db")->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(footer);
  command->callback([=, &chosen] { chosen = [=] { return report_findings(*options, name); }; });
}

}  // namespace

void add_upkeep(CLI::App& app, Chosen& chosen) {
  add(app, chosen, "migrate", "Bring a store's schema up to date",
      "Opening a store does the same; this does it at a moment that you choose.\n\nExample:\n  vtx migrate "
      "sqlite:/tmp/q.db");
  add(app, chosen, "check", "Look for what is wrong or unwise with a store",
      "Exits with 1 when there is an error among the findings.\n\nExample:\n  vtx check sqlite:/tmp/q.db");
}

}  // namespace vtx::cli
