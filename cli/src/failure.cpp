/* SPDX-License-Identifier: MPL-2.0 */
//
// Turns the errno of a VTX or system call into a sentence and an exit code.
#include "failure.hpp"

#include <vtx/vtx.h>

#include <cerrno>
#include <cstring>

namespace vtx::cli {
namespace {

/// True when the endpoint as it was typed is at fault, so that running the command again would be pointless.
bool is_wrong_usage(int error) { return error == EINVAL || error == EPROTONOSUPPORT || error == ENOTSUP; }

}  // namespace

Failure last_failure(const std::string& endpoint) {
  const int error = errno;
  std::string sentence = vtx_last_error();
  if (sentence.empty()) sentence = zmq_strerror(error);
  if (sentence.find(endpoint) == std::string::npos) sentence = endpoint + ": " + sentence;
  return Failure(sentence, is_wrong_usage(error) ? Exit::usage : Exit::failed, error);
}

Failure system_failure(const std::string& what) {
  const int error = errno;
  return Failure(what + ": " + std::strerror(error), Exit::failed, error);
}

}  // namespace vtx::cli
