/* SPDX-License-Identifier: MPL-2.0 */
//
// How messages stand in a file or pipe. All formats give back exactly what went in:
//
//   lines    one message a line, without its newline; an empty line is an empty message
//   records  paragraphs: one or more lines, separated by one or more empty lines (Debian's control files, for example)
//   frames   count of frames, then each frame's length and bytes; numbers are 4 bytes, big-endian. Carries every message
//   json     one object a line (json_format.hpp). Carries every message, and its properties
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "message.hpp"

namespace vtx::cli {

enum class Format { lines, records, frames, json };

/// "lines", "records", "frames" or "json", checked before.
Format format_named(const std::string& name);

/// Appends the message to `out`. @return nullptr, or why this format cannot carry it (`out` is unchanged then)
const char* encode(Format format, const Message& message, std::string& out);

/// Reads messages from a descriptor through one buffer, which grows only for a line longer than itself. One thread at a time.
class MessageReader {
 public:
  /// Waits until the descriptor is readable. @return false to stop reading
  using Wait = std::function<bool(int fd)>;
  enum class Next { message, end, stopped };

  /// @param fd    borrowed
  /// @param name  of the file, for errors
  MessageReader(int fd, std::string name, Format format, Wait wait);

  /// Puts the next message into `message`. A message that is cut short or no JSON is never given out: Failure, as for a failed read.
  Next next(Message& message);
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }

 private:
  enum class Got { data, end, stopped };

  Next next_line(Frames& frames);
  Next next_record(Frames& frames);
  Next next_frames(Frames& frames);
  Next next_json(Message& message);
  Next find_line(std::size_t& length, std::size_t& separator);
  Next rest_as_message(Frames& frames);
  void give(Frames& frames, std::size_t length, std::size_t separator);
  Got fill();
  Got read_some(char* to, std::size_t size, std::size_t& got);
  Got take(char* to, std::size_t size, std::size_t& taken);
  Got take_number(std::uint32_t& number, std::size_t& taken);
  Next cut_short(Got got) const;

  int fd_;
  std::string name_;
  Format format_;
  Wait wait_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // [begin_, end_) of buffer_ is read and not given out yet
  std::size_t end_ = 0;
  std::size_t scanned_ = 0;  // of it, bytes known to hold no separator
  std::uint64_t bytes_read_ = 0;
  std::uint64_t lines_ = 0;  // given out so far
};

}  // namespace vtx::cli
