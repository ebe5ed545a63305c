/* SPDX-License-Identifier: MPL-2.0 */
//
// See message.hpp.
#include "message.hpp"

#include <algorithm>

namespace vtx::cli {

std::string_view property_of(const zmq::message_t& properties, std::string_view name) {
  std::string_view text = properties.to_string_view();
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      const std::string_view value = line.substr(name.size() + 1);
      return value.starts_with(' ') ? value.substr(1) : value;
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return {};
}

}  // namespace vtx::cli
