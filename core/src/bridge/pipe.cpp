/* SPDX-License-Identifier: MPL-2.0 */
#include "bridge/pipe.hpp"

namespace vtx {

const std::string& Pipe::source() const {
  static const std::string nobody;
  return nobody;
}

}  // namespace vtx
