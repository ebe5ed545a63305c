/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/dead_letter.hpp"

#include <algorithm>

#include "codec/properties.hpp"

namespace vtx::driver {
namespace {

constexpr std::string_view kLines = "Dead-";
constexpr std::string_view kGroup = "Dead-Group";
constexpr std::string_view kQueue = "Dead-Queue";
constexpr std::string_view kSequence = "Dead-Sequence";
constexpr std::string_view kPriority = "Dead-Priority";

/// Each line ends with \n then.
std::string without_death(std::string_view properties) {
  std::string kept;
  while (!properties.empty()) {
    const std::string_view line = properties.substr(0, properties.find('\n'));
    if (!line.starts_with(kLines)) kept.append(line).append("\n");
    properties.remove_prefix(std::min(line.size() + 1, properties.size()));
  }
  return kept;
}

}  // namespace

std::string with_death(std::string_view properties, const Death& death) {
  std::string text = without_death(properties);
  std::string reason = death.reason;
  std::ranges::replace(reason, '\n', ' ');
  const std::string sequence =
      death.again ? std::string(property_of(properties, kSequence)) : std::to_string(death.seq);
  add_property(text, kGroup, to_text(death.group));
  add_property(text, "Dead-Reason", reason);
  add_property(text, kQueue, death.queue);
  add_property(text, kSequence, sequence);
  add_property(text, "Dead-Deliveries", std::to_string(death.delivery));
  if (death.priority > 0) add_property(text, kPriority, std::to_string(death.priority));
  return text;
}

DeadFrom dead_from(std::string_view properties) {
  DeadFrom found{std::string(property_of(properties, kQueue)), std::string(property_of(properties, kGroup)), 0};
  const std::string_view priority = property_of(properties, kPriority);
  if (priority.size() == 1 && priority[0] >= '0' && priority[0] <= '9') found.priority = priority[0] - '0';
  return found;
}

}  // namespace vtx::driver
