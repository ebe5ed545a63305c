/* SPDX-License-Identifier: MPL-2.0 */
//
// See inputs.hpp.
#include "inputs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "failure.hpp"

namespace vtx::cli {
namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& name) {
    if (name == "-") return;
    fd_ = open(name.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd_ < 0 || fstat(fd_, &status) != 0) throw system_failure(name);
    if (S_ISDIR(status.st_mode)) {
      close(fd_);
      throw Failure(name + ": is a directory; name the files in it");
    }
  }
  ~Descriptor() {
    if (fd_ > 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const noexcept { return fd_; }

 private:
  int fd_ = STDIN_FILENO;
};

/// Bytes of all files; nothing when one is a pipe or the like.
std::optional<std::uint64_t> total_size(const std::vector<std::string>& names) {
  std::uint64_t total = 0;
  for (const auto& name : names) {
    struct stat status {};
    const int rc = name == "-" ? fstat(STDIN_FILENO, &status) : stat(name.c_str(), &status);
    if (rc != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    total += static_cast<std::uint64_t>(status.st_size);
  }
  return total;
}

}  // namespace

void check_inputs(const std::vector<std::string>& names) {
  for (const auto& name : names) Descriptor{name};
}

bool wait_for_input(Link& link, int fd) {
  for (;;) {
    const Ready ready = link.wait(0, fd, std::chrono::seconds(1));
    if (ready.stop || ready.input) return !ready.stop;
  }
}

class Inputs::File {
 public:
  File(const std::string& name, Format format, const MessageReader::Wait& wait)
      : fd_(name), reader_(fd_.get(), name == "-" ? "standard input" : name, format, wait) {}

  MessageReader& reader() noexcept { return reader_; }

 private:
  Descriptor fd_;
  MessageReader reader_;
};

Inputs::Inputs(const std::vector<std::string>& names, Format format, MessageReader::Wait wait)
    : names_(names), format_(format), wait_(std::move(wait)), total_(total_size(names)) {}

Inputs::~Inputs() = default;

MessageReader::Next Inputs::next(Message& message) {
  for (;;) {
    if (!file_) {
      if (next_ == names_.size()) return MessageReader::Next::end;
      file_ = std::make_unique<File>(names_[next_++], format_, wait_);
    }
    const auto next = file_->reader().next(message);
    if (next != MessageReader::Next::end) return next;
    bytes_before_ += file_->reader().bytes_read();
    file_.reset();
  }
}

std::optional<double> Inputs::left() const {
  const std::uint64_t bytes = bytes_before_ + (file_ ? file_->reader().bytes_read() : 0);
  if (!total_ || bytes == 0) return std::nullopt;
  return static_cast<double>(*total_ - std::min(bytes, *total_)) / static_cast<double>(bytes);
}

}  // namespace vtx::cli
