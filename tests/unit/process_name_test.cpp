/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/process_name.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>
#include <vector>

namespace vtx::driver {
namespace {

std::vector<std::string> words_of(const std::string& name) {
  std::istringstream in(name);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string name_from(const std::vector<std::string>& words) {
  std::string name;
  for (const std::string& word : words) name += word + " ";
  return name;
}

/// A process that waits to be killed.
pid_t idle_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  return child;
}

TEST(ProcessName, OfThisProcessIsAlive) {
  const std::string name = name_of_process(::getpid());
  ASSERT_EQ(words_of(name).size(), 4U) << name;
  EXPECT_FALSE(has_process_ended(name));
}

TEST(ProcessName, TellsTheEndAlsoBeforeTheParentHasHeardOfIt) {
  const pid_t child = idle_child();
  const std::string name = name_of_process(child);
  EXPECT_FALSE(has_process_ended(name));
  ::kill(child, SIGKILL);
  siginfo_t end{};
  ::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT);
  EXPECT_TRUE(has_process_ended(name));
  EXPECT_TRUE(name_of_process(child).empty());
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(has_process_ended(name));
}

TEST(ProcessName, AnotherProcessOfTheSameNumberIsNotTheSame) {
  auto words = words_of(name_of_process(::getpid()));
  words.at(3) += "0";
  EXPECT_TRUE(has_process_ended(name_from(words)));
}

TEST(ProcessName, OfBeforeARestartHasEnded) {
  auto words = words_of(name_of_process(::getpid()));
  words.at(0) = "00000000-0000-0000-0000-000000000000";
  EXPECT_TRUE(has_process_ended(name_from(words)));
}

TEST(ProcessName, OfAnotherNamespaceNobodyCanTell) {
  auto words = words_of(name_of_process(::getpid()));
  words.at(1) = "pid:[1]";
  words.at(2) = "999999999";
  EXPECT_FALSE(has_process_ended(name_from(words)));
  words.at(0) = "00000000-0000-0000-0000-000000000000";  // a container may have a boot of its own
  EXPECT_FALSE(has_process_ended(name_from(words)));
}

TEST(ProcessName, RubbishIsNobody) {
  for (const std::string name : {"", " ", "a", "a b", "a b c d", "a b -1 d", "a b 1"}) {
    EXPECT_FALSE(has_process_ended(name)) << name;
  }
  EXPECT_TRUE(name_of_process(0).empty());
  EXPECT_TRUE(name_of_process(-1).empty());
}

}  // namespace
}  // namespace vtx::driver
