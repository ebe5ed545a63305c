/* SPDX-License-Identifier: MPL-2.0 */
//
// Where `send` reads from: the messages of files, or of standard input under the name "-", one after the other.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format.hpp"
#include "session.hpp"

namespace vtx::cli {

/// Opens each once, so that a mistyped name fails before anything is sent. @throws Failure
void check_inputs(const std::vector<std::string>& names);

/// A MessageReader::Wait that ends for a signal, and shows the events of the link meanwhile.
bool wait_for_input(Link& link, int fd);

/// One thread at a time.
class Inputs {
 public:
  /// @param names  of the files, checked before; borrowed
  Inputs(const std::vector<std::string>& names, Format format, MessageReader::Wait wait);
  ~Inputs();

  /// As MessageReader::next(), to the end of the last file.
  MessageReader::Next next(Message& message);
  /// The share of all bytes that is still to be read over that which was; nothing when a file is a pipe or the like.
  std::optional<double> left() const;

 private:
  class File;

  const std::vector<std::string>& names_;
  const Format format_;
  const MessageReader::Wait wait_;
  const std::optional<std::uint64_t> total_;
  std::size_t next_ = 0;  // of names_
  std::unique_ptr<File> file_;
  std::uint64_t bytes_before_ = 0;  // of the files before file_
};

}  // namespace vtx::cli
