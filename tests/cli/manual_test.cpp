/* SPDX-License-Identifier: MPL-2.0 */
//
// What is made from the same source as --help: manual pages without a warning, with every option in them, and a completion that bash runs.
#include <cstdlib>
#include <regex>

#include "cli_test.hpp"

namespace vtx::test {
namespace {

/// Hyphens as a reader sees them.
std::string plain(std::string page) {
  for (auto at = page.find("\\-"); at != std::string::npos; at = page.find("\\-", at)) page.erase(at, 1);
  return page;
}

class ManualTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    const Outcome made = run({"manual", manual().string()});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  std::filesystem::path manual() const { return scratch_ / "manual"; }
  std::string page(const std::string& name) const {
    return read_file(manual() / ("man" + name.substr(name.size() - 1)) / name);
  }

  /// The commands that a --help lists under its heading.
  Strings commands_of(const Strings& arguments) const {
    Strings asked = arguments;
    asked.emplace_back("--help");
    Strings found;
    bool listed = false;
    for (const auto& line : whole_lines(run(asked).out)) {
      if (listed && line.starts_with("  ") && line[2] != ' ') found.push_back(line.substr(2, line.find(' ', 2) - 2));
      if (listed && line.empty()) break;
      listed = listed || line == "Subcommands:";
    }
    return found;
  }
  Strings options_of(const Strings& arguments) const {
    Strings asked = arguments;
    asked.emplace_back("--help");
    const std::string help = run(asked).out;
    const std::regex option("\n  (-[-a-z,]+)");
    Strings found;
    for (auto it = std::sregex_iterator(help.begin(), help.end(), option); it != std::sregex_iterator(); ++it) {
      std::istringstream names((*it)[1]);
      for (std::string name; std::getline(names, name, ',');) found.push_back(name);
    }
    return found;
  }

  /// What the script offers for the last of these words.
  Strings complete(const Strings& words) const {
    std::string script = "source '" + (manual() / "bash-completion" / "vtx").string() + "'\nCOMP_WORDS=(";
    for (const auto& word : words) script += "'" + word + "' ";
    script += ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) + "\n_vtx\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    const Outcome ran = Process(scratch_, {"-eu", file(script, "script").string()}, "/dev/null", Process::Out::file,
                                Process::In::file, "bash")
                            .wait();
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    Strings lines = whole_lines(ran.out);
    std::erase(lines, "");
    return lines;
  }
};

TEST_F(ManualTest, EveryCommandHasAPageWithAllItsOptions) {
  const Strings commands = commands_of({});
  EXPECT_GE(commands.size(), 12U);
  for (const auto& command : commands) {
    EXPECT_NE(page("vtx.1").find(command), std::string::npos) << command;
    const std::string text = plain(page("vtx-" + command + ".1"));
    Strings options = options_of({command});
    for (const auto& part : commands_of({command}))
      for (const auto& option : options_of({command, part})) options.push_back(option);
    EXPECT_FALSE(options.empty()) << command;
    for (const auto& option : options) EXPECT_NE(text.find(option), std::string::npos) << command << ' ' << option;
    EXPECT_NE(text.find("EXAMPLES"), std::string::npos) << command;
  }
  EXPECT_FALSE(std::filesystem::exists(manual() / "man1" / "vtx-manual.1"));  // it is for the build
}

TEST_F(ManualTest, EndpointsHaveAPageWithTheirOptions) {
  const std::string text = plain(page("vtx-endpoints.7"));
  for (const std::string option : {"queue", "group", "subscription", "from", "ack", "hold", "durability", "prefetch",
                                   "lease", "max_deliveries", "retain", "properties"})
    EXPECT_NE(text.find("\\fB" + option + "\\fR"), std::string::npos) << option;
  EXPECT_NE(text.find("release, next, manual, none"), std::string::npos);
}

TEST_F(ManualTest, PagesAreSoundRoff) {
  if (std::system("groff --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "this machine has no groff";
  int pages = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(manual())) {
    if (!entry.path().parent_path().filename().string().starts_with("man")) continue;
    ++pages;
    const Outcome checked = Process(scratch_, {"-man", "-Tutf8", "-Kutf8", "-ww", "-z", entry.path().string()},
                                    "/dev/null", Process::Out::file, Process::In::file, "groff")
                                .wait();
    EXPECT_EQ(checked.code, 0) << entry.path();
    EXPECT_EQ(checked.err, "") << entry.path();
  }
  EXPECT_GE(pages, 14);
}

TEST_F(ManualTest, BashCompletesCommandsOptionsAndChoices) {
  EXPECT_EQ(complete({"vtx", "se"}), Strings{"send"});
  EXPECT_EQ(complete({"vtx", "dead", "re"}), Strings{"requeue"});
  EXPECT_EQ(complete({"vtx", "groups", ""}), (Strings{"list", "seek", "drop", "-h", "--help"}));
  EXPECT_EQ(complete({"vtx", "recv", "--idl"}), Strings{"--idle"});
  EXPECT_EQ(complete({"vtx", "recv", "sqlite:q.db", "--rep"}), Strings{"--reply"});
  EXPECT_EQ(complete({"vtx", "trim", "sqlite:q.db", "--kee"}), Strings{"--keep"});
  EXPECT_EQ(complete({"vtx", "groups", "drop", "sqlite:q.db", "--fo"}), Strings{"--force"});
  EXPECT_EQ(sorted(complete({"vtx", "send", "--format", ""})), (Strings{"frames", "json", "lines", "records"}));
  EXPECT_EQ(complete({"vtx", "send", "--format", "js"}), Strings{"json"});
  EXPECT_EQ(complete({"vtx", "send", "--format", "=", "fr"}), Strings{"frames"});
  EXPECT_EQ(sorted(complete({"vtx", "recv", "--type", ""})),
            (Strings{"dealer", "pair", "pull", "rep", "router", "sub"}));
  EXPECT_EQ(complete({"vtx", "recv", "--idle", ""}), Strings());         // a time: nobody can guess it
  EXPECT_EQ(complete({"vtx", "send", "sqlite:q.db", "in"}), Strings());  // a file: bash itself knows
}

TEST_F(ManualTest, TheManualIsNoCommandForPeople) {
  EXPECT_EQ(run({"--help"}).out.find("manual"), std::string::npos);
  EXPECT_EQ(run({"manual"}).code, 2);
  const Outcome failed = run({"manual", "/proc/none"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_NE(failed.err.find("/proc/none"), std::string::npos) << failed.err;
}

}  // namespace
}  // namespace vtx::test
