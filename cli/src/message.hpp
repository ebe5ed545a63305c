/* SPDX-License-Identifier: MPL-2.0 */
//
// A message as the commands handle it: its frames, and beside them the properties that a VTX link gives and takes as one more frame.
#pragma once

#include <string_view>
#include <vector>
#include <zmq.hpp>

namespace vtx::cli {

using Frames = std::vector<zmq::message_t>;

struct Message {
  Frames frames;              ///< at least one
  zmq::message_t properties;  ///< lines `Name: value`, each ended by a line feed; empty when there are none

  void clear() {
    frames.clear();
    properties.rebuild();
  }
};

/// The value of the first line with this name, as a part of `properties`; empty when there is none.
std::string_view property_of(const zmq::message_t& properties, std::string_view name);

}  // namespace vtx::cli
