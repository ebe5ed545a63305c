/* SPDX-License-Identifier: MPL-2.0 */
//
// Text or frames to messages: the reading half of format.hpp.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.hpp"
#include "format.hpp"
#include "json_format.hpp"

namespace vtx::cli {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20;
constexpr std::size_t kLongestJson = std::size_t{2} << 30;  // more than any store takes: this is no JSON by lines

}  // namespace

MessageReader::MessageReader(int fd, std::string name, Format format, Wait wait)
    : fd_(fd), name_(std::move(name)), format_(format), wait_(std::move(wait)), buffer_(kBuffer) {}

MessageReader::Next MessageReader::next(Message& message) {
  message.clear();
  Frames& frames = message.frames;
  switch (format_) {
    case Format::lines: return next_line(frames);
    case Format::records: return next_record(frames);
    case Format::frames: return next_frames(frames);
    case Format::json: return next_json(message);
  }
  return Next::end;
}

MessageReader::Next MessageReader::next_line(Frames& frames) {
  std::size_t length = 0;
  std::size_t separator = 0;
  const Next next = find_line(length, separator);
  if (next == Next::message) give(frames, length, separator);
  return next;
}

MessageReader::Next MessageReader::next_json(Message& message) {
  for (;;) {
    std::size_t length = 0;
    std::size_t separator = 0;
    if (const Next next = find_line(length, separator); next != Next::message) return next;
    const std::string_view line(buffer_.data() + begin_, length);
    begin_ += length + separator;
    scanned_ = 0;
    ++lines_;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    try {
      decode_json(line, message);
      return Next::message;
    } catch (const Failure& failure) {
      throw Failure(fmt::format("{}: line {}: {}", name_, lines_, failure.what()));
    }
  }
}

// The next line is [begin_, begin_ + length) of the buffer; what stands behind the last newline of the file is one, too.
MessageReader::Next MessageReader::find_line(std::size_t& length, std::size_t& separator) {
  for (;;) {
    const char* data = buffer_.data() + begin_;
    const std::size_t size = end_ - begin_;
    if (const void* newline = std::memchr(data + scanned_, '\n', size - scanned_)) {
      length = static_cast<std::size_t>(static_cast<const char*>(newline) - data);
      separator = 1;
      return Next::message;
    }
    if (format_ == Format::json && size > kLongestJson)
      throw Failure(fmt::format("{}: line {}: is longer than 2 GiB", name_, lines_ + 1));
    scanned_ = size;
    const Got got = fill();
    if (got == Got::stopped) return Next::stopped;
    if (got == Got::end) {
      length = end_ - begin_;
      separator = 0;
      return length == 0 ? Next::end : Next::message;
    }
  }
}

MessageReader::Next MessageReader::next_record(Frames& frames) {
  for (;;) {
    while (begin_ < end_ && scanned_ == 0 && buffer_[begin_] == '\n') ++begin_;
    const std::string_view data(buffer_.data() + begin_, end_ - begin_);
    const auto at = data.find("\n\n", scanned_);
    if (at != std::string_view::npos) {
      give(frames, at, 2);
      return Next::message;
    }
    scanned_ = data.empty() ? 0 : data.size() - 1;  // its last byte may be the first of the two newlines
    const Got got = fill();
    if (got == Got::stopped) return Next::stopped;
    if (got == Got::end) return rest_as_message(frames);
  }
}

// What stands behind the last empty line of the file.
MessageReader::Next MessageReader::rest_as_message(Frames& frames) {
  if (begin_ == end_) return Next::end;
  const std::size_t newline = buffer_[end_ - 1] == '\n' ? 1 : 0;
  give(frames, end_ - begin_ - newline, newline);
  return Next::message;
}

void MessageReader::give(Frames& frames, std::size_t length, std::size_t separator) {
  frames.emplace_back(buffer_.data() + begin_, length);
  begin_ += length + separator;
  scanned_ = 0;
}

MessageReader::Next MessageReader::next_frames(Frames& frames) {
  std::uint32_t count = 0;
  std::size_t taken = 0;
  const Got got = take_number(count, taken);
  if (got == Got::end && taken == 0) return Next::end;
  if (got != Got::data) return cut_short(got);
  if (count == 0)
    throw Failure(fmt::format("{}: a message of no frames before byte {}; is this file in the format `frames`?", name_,
                              bytes_read_ - (end_ - begin_)));
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (const Got head = take_number(length, taken); head != Got::data) return cut_short(head);
    zmq::message_t frame(length);
    if (const Got body = take(frame.data<char>(), length, taken); body != Got::data) return cut_short(body);
    frames.push_back(std::move(frame));
  }
  return Next::message;
}

MessageReader::Next MessageReader::cut_short(Got got) const {
  if (got == Got::stopped) return Next::stopped;
  throw Failure(
      fmt::format("{}: the last message is cut short at byte {} and was not sent; is this file whole, and in "
                  "the format `frames`?",
                  name_, bytes_read_));
}

MessageReader::Got MessageReader::take_number(std::uint32_t& number, std::size_t& taken) {
  unsigned char bytes[4];
  const Got got = take(reinterpret_cast<char*>(bytes), sizeof bytes, taken);
  if (got != Got::data) return got;
  number = 0;
  for (const unsigned char byte : bytes) number = number << 8 | byte;
  return Got::data;
}

// What the buffer does not hold of a large frame is read straight into it.
MessageReader::Got MessageReader::take(char* to, std::size_t size, std::size_t& taken) {
  taken = 0;
  while (taken < size) {
    if (begin_ < end_) {
      const std::size_t part = std::min(size - taken, end_ - begin_);
      std::memcpy(to + taken, buffer_.data() + begin_, part);
      begin_ += part;
      taken += part;
    } else {
      std::size_t direct = 0;
      const Got got = size - taken >= kBuffer ? read_some(to + taken, size - taken, direct) : fill();
      if (got != Got::data) return got;
      taken += direct;
    }
  }
  return Got::data;
}

// Reads behind what is there, after making room for it.
MessageReader::Got MessageReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
  std::size_t got = 0;
  const Got outcome = read_some(buffer_.data() + end_, buffer_.size() - end_, got);
  end_ += got;
  return outcome;
}

MessageReader::Got MessageReader::read_some(char* to, std::size_t size, std::size_t& got) {
  for (;;) {
    if (!wait_(fd_)) return Got::stopped;
    const ssize_t count = ::read(fd_, to, size);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) throw system_failure(name_);
    got = static_cast<std::size_t>(count);
    bytes_read_ += got;
    return count == 0 ? Got::end : Got::data;
  }
}

}  // namespace vtx::cli
