/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/process_name.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>

namespace vtx::driver {
namespace {

/// Which run of the kernel, and which PID namespace of it: numbers of processes mean something there only. Empty when /proc is not ours.
struct Surroundings {
  std::string boot;
  std::string space;
};
Surroundings surroundings() {
  const auto link = [](const char* path) {
    std::array<char, 64> text{};
    const auto size = ::readlink(path, text.data(), text.size());
    return std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  };
  if (link("/proc/self") != std::to_string(::getpid())) return {};  // mounted from another namespace
  Surroundings here{{}, link("/proc/self/ns/pid")};
  std::ifstream("/proc/sys/kernel/random/boot_id") >> here.boot;
  return here.boot.empty() || here.space.empty() ? Surroundings() : here;
}

/// When it started, in ticks since the boot; empty when there is no such process, or only what its parent has not yet heard of. Nothing: nobody can tell.
std::optional<std::string> start_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  // That it cannot be read may have other reasons: no descriptors left, or /proc hides it.
  if (!std::getline(file, line))
    return ::kill(pid, 0) != 0 && errno == ESRCH ? std::optional<std::string>("") : std::nullopt;
  // The name, in parentheses, may have anything in it; the state is the third field and the start the 22nd.
  const auto name_ends = line.rfind(')');
  if (name_ends == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_ends + 1));
  std::string field;
  for (int i = 3; i <= 22 && rest >> field; ++i)
    if (i == 3 && (field == "Z" || field == "X")) return "";
  return rest ? std::optional(field) : std::nullopt;
}

}  // namespace

std::string name_of_process(pid_t pid) {
  const Surroundings here = surroundings();
  const std::string start = pid > 0 ? start_of(pid).value_or("") : std::string();
  if (here.boot.empty() || start.empty()) return {};
  return here.boot + " " + here.space + " " + std::to_string(pid) + " " + start;
}

bool has_process_ended(const std::string& name) {
  std::istringstream words(name);
  Surroundings there;
  std::string start;
  pid_t pid = 0;
  if (!(words >> there.boot >> there.space >> pid >> start) || pid <= 0) return false;
  const Surroundings here = surroundings();
  // Containers may each have a boot of their own on one kernel. But no two namespaces of a kernel have one number: of ours, it was before a restart.
  if (here.space != there.space) return false;
  if (here.boot != there.boot) return true;
  const auto now = start_of(pid);
  return now && *now != start;
}

}  // namespace vtx::driver
