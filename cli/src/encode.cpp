/* SPDX-License-Identifier: MPL-2.0 */
//
// Messages to text or frames: the writing half of format.hpp.
#include <limits>

#include "format.hpp"
#include "json_format.hpp"

namespace vtx::cli {
namespace {

void append_number(std::string& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

const char* encode_line(const Frames& frames, std::string& out) {
  if (frames.size() != 1) return "has several frames";
  const std::string_view body = frames[0].to_string_view();
  if (body.find('\n') != std::string_view::npos) return "has a newline in it";
  out.append(body).push_back('\n');
  return nullptr;
}

const char* encode_record(const Frames& frames, std::string& out) {
  if (frames.size() != 1) return "has several frames";
  const std::string_view body = frames[0].to_string_view();
  if (body.empty()) return "is empty";
  if (body.front() == '\n' || body.back() == '\n' || body.find("\n\n") != std::string_view::npos)
    return "has an empty line in it";
  out.append(body).append("\n\n");
  return nullptr;
}

const char* encode_frames(const Frames& frames, std::string& out) {
  for (const auto& frame : frames)
    if (frame.size() > std::numeric_limits<std::uint32_t>::max()) return "has a frame of over 4 GiB";
  append_number(out, static_cast<std::uint32_t>(frames.size()));
  for (const auto& frame : frames) {
    append_number(out, static_cast<std::uint32_t>(frame.size()));
    out.append(frame.to_string_view());
  }
  return nullptr;
}

}  // namespace

Format format_named(const std::string& name) {
  if (name == "frames") return Format::frames;
  if (name == "json") return Format::json;
  return name == "records" ? Format::records : Format::lines;
}

const char* encode(Format format, const Message& message, std::string& out) {
  switch (format) {
    case Format::lines: return encode_line(message.frames, out);
    case Format::records: return encode_record(message.frames, out);
    case Format::frames: return encode_frames(message.frames, out);
    case Format::json: encode_json(message, out); return nullptr;
  }
  return "has an unknown format";
}

}  // namespace vtx::cli
