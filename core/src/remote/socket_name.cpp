/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/socket_name.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace vtx::remote {

namespace {

constexpr int kBacklog = 128;

Code code_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS: return Code::denied;
    case ENOSPC:
    case EDQUOT: return Code::no_space;
    case ENAMETOOLONG:
    case ENOTDIR:
    case ELOOP: return Code::invalid;
    case ENOENT: return Code::not_found;
    case EMFILE:
    case ENFILE: return Code::lost;
    default: return Code::native;
  }
}

tl::unexpected<Status> trouble(const std::string& what, const std::string& name, int error) {
  return fail(code_of(error), what + ' ' + name + ": " + std::strerror(error), error);
}

/// What went wrong at a file that is there, reached through /proc.
tl::unexpected<Status> trouble_by_proc(const std::string& what, const std::string& name, int error) {
  if (error != ENOENT || ::access("/proc/self/fd", F_OK) == 0) return trouble(what, name, error);
  return fail(Code::unsupported, what + ' ' + name + ": that needs /proc, which is not mounted here", error);
}

/// A file of this process by its descriptor, and what lies in it when it is a directory.
sockaddr_un address_of(int descriptor, const std::string& file = {}) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor) + (file.empty() ? "" : '/' + file);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

/// A short name beside a long one that is no other's: 64 bits of it, FNV-1a.
std::string short_name(const std::string& name) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::string text = "vtx-";
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[hash >> shift & 15];
  return text + ".sock";
}

/// Whether a socket may have this name: a dead owner's may lose it, anything else is none of ours.
Status check_free(const std::string& name) {
  struct stat is {};
  if (::lstat(name.c_str(), &is) != 0)
    return errno == ENOENT ? Status() : trouble("cannot look at", name, errno).value();
  if (S_ISSOCK(is.st_mode)) return {};
  return Status(Code::invalid, name + " is in the way of the socket of this name: move it elsewhere");
}

Fd new_socket() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

/// Listens at `file` in a directory; the file has its mode from the beginning.
Result<Fd> listen_in(const std::string& directory, const std::string& file) {
  const Fd in(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!in.valid()) return trouble("cannot use the directory", directory, errno);
  Fd fd = new_socket();
  if (!fd.valid()) return trouble("cannot make a socket in", directory, errno);
  const sockaddr_un address = address_of(in.get(), file);
  if (::fchmod(fd.get(), 0600) == 0 &&
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(fd.get(), kBacklog) == 0)
    return fd;
  return trouble_by_proc("cannot listen at a socket in", directory, errno);
}

}  // namespace

Result<std::string> socket_name(const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error || whole.empty()) return trouble("cannot find", path, error ? error.value() : ENOENT);
  if (!whole.has_filename()) whole = whole.parent_path();  // "q.db/" of one that is not there yet
  if (!whole.has_filename()) return fail(Code::invalid, "a database cannot be the directory " + path);
  return whole.string() + "-vtx.sock";
}

/// Under a short name first, since its own may be too long even for a file in /proc/self/fd/N. And who finds its own finds one that listens.
Result<Listener> Listener::open(const std::string& name) {
  const std::filesystem::path path(name);
  const std::string file = short_name(path.filename().string());
  const std::string first = path.parent_path() / file;
  for (const std::string& one : {name, first})
    if (Status checked = check_free(one); !checked.ok()) return tl::unexpected<Status>(checked);
  if (::unlink(first.c_str()) != 0 && errno != ENOENT) return trouble("cannot remove", first, errno);
  auto fd = listen_in(path.parent_path().string(), file);
  if (!fd) return tl::unexpected<Status>(fd.error());
  Listener listener(std::move(*fd), first, file_at(first, AT_SYMLINK_NOFOLLOW));
  if (::rename(first.c_str(), name.c_str()) != 0) return trouble("cannot listen at the socket", name, errno);
  listener.name_ = name;
  return listener;
}

Listener::~Listener() {
  if (fd_.valid() && file_.known() && file_at(name_, AT_SYMLINK_NOFOLLOW) == file_) ::unlink(name_.c_str());
}

bool Listener::is_gone() const {
  struct stat is {};
  return ::lstat(name_.c_str(), &is) != 0 && errno == ENOENT;
}

Result<Fd> connect_to(const std::string& name) {
  const auto lost = [&name](int error) {
    return fail(Code::lost,
                "another process has the database, and cannot be reached at " + name + ": " + std::strerror(error),
                error);
  };
  const auto denied = [&name](int error) {
    return fail(Code::denied, "may not connect to the owner of the database at " + name + ": " + std::strerror(error),
                error);
  };
  const Fd file(::open(name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return errno == EACCES ? denied(errno) : lost(errno);
  Fd fd = new_socket();
  if (!fd.valid()) return lost(errno);
  const sockaddr_un address = address_of(file.get());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  if (error == ENOENT) return trouble_by_proc("cannot connect to the owner of the database at", name, error);
  return error == EACCES || error == EPERM ? denied(error) : lost(error);
}

}  // namespace vtx::remote
