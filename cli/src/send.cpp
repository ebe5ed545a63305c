/* SPDX-License-Identifier: MPL-2.0 */
//
// `vtx send`: messages from files or standard input into a queue. Done means durable.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "commands.hpp"
#include "endpoint_text.hpp"
#include "link_options.hpp"
#include "report.hpp"
#include "sender.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

constexpr const char* kFooter =
    "Without FILE, or with -, standard input is read. With --type pub the queue keeps its messages for whoever comes, "
    "as\n"
    "its retention says; on a plain transport they wait for the first subscriber.\n"
    "Exits with 0 only when every message is durable, and says on standard error how many are. SIGINT and SIGTERM end "
    "it\n"
    "with 1 after what was read has been made durable.\n"
    "\n"
    "Examples:\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=jobs' jobs.txt            one message a line\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=packages' --format records /var/lib/dpkg/status\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=ticks' --type pub ticks.txt\n"
    "  vtx send 'sqlite:/tmp/q.db?queue=jobs' --format json jobs.json\n"
    "                                 each line as {\"frames\": [\"hello\"], \"properties\": {\"Ttl\": \"1h\"}}\n"
    "  printf 'hello\\n' | vtx send 'sqlite:q.db?queue=jobs'";

struct SendOptions {
  LinkOptions link;
  std::vector<std::string> files;
};

/// An open file, or standard input under the name "-".
class Input {
 public:
  explicit Input(const std::string& name) : name_(name) {
    if (name == "-") return;
    fd_ = open(name.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (fd_ < 0 || fstat(fd_, &status) != 0) throw system_failure(name);
    if (S_ISDIR(status.st_mode)) {
      close(fd_);
      throw Failure(name + ": is a directory; name the files in it");
    }
  }
  ~Input() {
    if (fd_ > 0) close(fd_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  int fd() const noexcept { return fd_; }
  std::string name() const { return name_ == "-" ? "standard input" : name_; }

 private:
  std::string name_;
  int fd_ = STDIN_FILENO;
};

/// Bytes of all files; nothing when one is a pipe or the like.
std::optional<std::uint64_t> total_size(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const auto& name : files) {
    struct stat status {};
    const int rc = name == "-" ? fstat(STDIN_FILENO, &status) : stat(name.c_str(), &status);
    if (rc != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    total += static_cast<std::uint64_t>(status.st_size);
  }
  return total;
}

/// Sends one run of the command. One thread.
class Run {
 public:
  explicit Run(const SendOptions& options)
      : options_(options),
        link_(session_, options.link.socket_type(), options.link.linked(), options.link.side()),
        sender_(link_, options.link.carries_properties()) {}

  Exit run() {
    std::optional<Failure> cause;
    attempt(cause, [this] { send_files(); });
    bool durable = false;
    attempt(cause, [&] { durable = sender_.flush(); });
    report(durable);
    if (!durable) link_.abandon();
    if (cause) throw Failure(*cause);
    return durable && !stopped_ ? Exit::done : Exit::failed;
  }

 private:
  /// Keeps the first failure: what was sent before it must still be made durable and be counted.
  template <class Step>
  void attempt(std::optional<Failure>& cause, Step step) {
    try {
      step();
    } catch (const Failure& failure) {
      if (!cause) cause = failure;
    }
  }

  void send_files() {
    for (const auto& name : options_.files) {
      const Input input(name);
      MessageReader reader(input.fd(), input.name(), format_named(options_.link.format),
                           [this](int fd) { return wait_for_input(fd); });
      Message message;
      MessageReader::Next next;
      while ((next = reader.next(message)) == MessageReader::Next::message) {
        if (!sender_.send(message)) stopped_ = true;
        if (stopped_) return;
        if (progress_.due()) show_progress(bytes_before_ + reader.bytes_read());
      }
      if (next == MessageReader::Next::stopped) stopped_ = true;
      if (stopped_) return;
      bytes_before_ += reader.bytes_read();
    }
  }

  bool wait_for_input(int fd) {
    for (;;) {
      const Ready ready = link_.wait(0, fd, std::chrono::seconds(1));
      if (ready.stop || ready.input) return !ready.stop;
    }
  }

  void show_progress(std::uint64_t bytes) {
    std::optional<double> left;
    if (total_ && bytes > 0)
      left = static_cast<double>(*total_ - std::min(bytes, *total_)) / static_cast<double>(bytes);
    progress_.show(sender_.count(), link_.depth(), left);
  }

  void report(bool durable) {
    const std::string stopped = stopped_ ? "stopped by a signal; " : "";
    if (durable) {
      note(fmt::format("{}{} messages sent{}", stopped, sender_.count(),
                       is_plain(link_.endpoint()) ? "" : ", all durable"));
      return;
    }
    std::uint64_t known = 0;
    try {
      known = link_.stats().durable;
    } catch (const Failure&) {  // the link has ended: nothing more is known
    }
    note(fmt::format("{}{} of {} messages are known to be durable; send the others again", stopped, known,
                     sender_.count()));
  }

  const SendOptions& options_;
  Session session_;
  Link link_;
  Sender sender_;
  Progress progress_;
  const std::optional<std::uint64_t> total_ = total_size(options_.files);
  std::uint64_t bytes_before_ = 0;
  bool stopped_ = false;
};

Exit send(const SendOptions& options) {
  for (const auto& name : options.files) Input{name};  // a mistyped name fails before anything is sent
  return Run(options).run();
}

}  // namespace

void add_send(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<SendOptions>();
  auto* command = app.add_subcommand("send", "Send messages from files or standard input");
  options->link.add_to(*command, {"push", "pub"});
  command->add_option("FILE", options->files, "Files to read; - is standard input");
  command->footer(kFooter);
  command->callback([options, &chosen] {
    if (options->files.empty()) options->files.emplace_back("-");
    chosen = [options] { return send(*options); };
  });
}

}  // namespace vtx::cli
