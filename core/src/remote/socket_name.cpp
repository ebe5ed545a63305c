/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/socket_name.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

namespace vtx::remote {

namespace {

constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
constexpr int kBacklog = 128;

tl::unexpected<Status> trouble(const std::string& what, const std::string& name, int error) {
  const auto code = [error] {
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
      default: return Code::native;
    }
  }();
  return fail(code, what + ' ' + name + ": " + std::strerror(error), error);
}

sockaddr_un address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  return address;
}

/// 64 bits of it, FNV-1a: for a name, not against an enemy. Two databases that shared one would see the second owner refused.
std::string short_name(const std::string& name) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[hash >> shift & 15];
  return text + "-vtx.sock";
}

/// Only if nobody else could have put something into it.
Status check_directory(const std::string& path) {
  struct stat is {};
  if (::lstat(path.c_str(), &is) != 0) return trouble("cannot use the directory", path, errno).value();
  if (!S_ISDIR(is.st_mode) || is.st_uid != ::geteuid() || (is.st_mode & 077) != 0)
    return Status(Code::denied,
                  "the directory " + path + " must belong to this user, and be for nobody else (mode 0700)");
  return {};
}

/// The user's own directory for short names, made when it is not there.
Result<std::string> short_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime == '/' && std::strlen(runtime) < kLongest / 2 && check_directory(runtime).ok())
    return std::string(runtime);
  std::string own = "/tmp/vtx-" + std::to_string(::geteuid());
  if (::mkdir(own.c_str(), 0700) != 0 && errno != EEXIST) return trouble("cannot make the directory", own, errno);
  if (Status checked = check_directory(own); !checked.ok()) return tl::unexpected<Status>(checked);
  return own;
}

std::optional<std::string> link_target(const std::string& name) {
  std::string target(kLongest + 1, '\0');
  const ssize_t size = ::readlink(name.c_str(), target.data(), target.size());
  if (size <= 0 || static_cast<std::size_t>(size) > kLongest) return std::nullopt;
  target.resize(static_cast<std::size_t>(size));
  return target;
}

/// Removes a dead owner's socket or link; anything else is none of ours.
Status clear(const std::string& name) {
  struct stat is {};
  if (::lstat(name.c_str(), &is) != 0)
    return errno == ENOENT ? Status() : trouble("cannot look at", name, errno).value();
  if (!S_ISSOCK(is.st_mode) && !S_ISLNK(is.st_mode))
    return Status(Code::invalid, name + " is in the way of the socket of this name: move it elsewhere");
  if (::unlink(name.c_str()) != 0 && errno != ENOENT) return trouble("cannot remove", name, errno).value();
  return {};
}

Fd new_socket() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

/// Listens; the file has its mode from the beginning.
Result<Fd> listen_at(const std::string& name) {
  Fd fd = new_socket();
  if (!fd.valid()) return trouble("cannot make the socket", name, errno);
  const sockaddr_un address = address_of(name);
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0)
    return trouble("cannot listen at the socket", name, errno);
  return fd;
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

Result<Listener> Listener::open(const std::string& name) {
  std::string real = name;
  if (name.size() > kLongest) {
    auto directory = short_directory();
    if (!directory) return tl::unexpected<Status>(directory.error());
    real = *directory + '/' + short_name(name);
    if (Status cleared = clear(real); !cleared.ok()) return tl::unexpected<Status>(cleared);
  }
  if (Status cleared = clear(name); !cleared.ok()) return tl::unexpected<Status>(cleared);
  auto fd = listen_at(real);
  if (!fd) return tl::unexpected<Status>(fd.error());
  Listener listener(std::move(*fd), name, real);
  if (real != name && ::symlink(real.c_str(), name.c_str()) != 0) return trouble("cannot make the link", name, errno);
  return listener;
}

Listener::~Listener() {
  if (!fd_.valid()) return;
  ::unlink(name_.c_str());
  if (real_ != name_) ::unlink(real_.c_str());
}

Result<Fd> connect_to(const std::string& name) {
  std::string real = name;
  if (name.size() > kLongest) {
    const auto target = link_target(name);
    if (!target) return fail(Code::lost, "nobody listens at " + name + " yet", ENOENT);
    real = *target;
    const Status checked = check_directory(std::filesystem::path(real).parent_path().string());
    if (checked.code() == Code::not_found) return fail(Code::lost, checked.text(), checked.native());
    if (!checked.ok()) return tl::unexpected<Status>(checked);
  }
  Fd fd = new_socket();
  if (!fd.valid()) return fail(Code::lost, std::string("cannot make a socket: ") + std::strerror(errno), errno);
  const sockaddr_un address = address_of(real);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  const int error = errno;
  if (error == EACCES || error == EPERM)
    return fail(Code::denied, "may not connect to the owner of the database at " + name + ": " + std::strerror(error),
                error);
  return fail(Code::lost,
              "another process has the database, and cannot be reached at " + name + ": " + std::strerror(error),
              error);
}

}  // namespace vtx::remote
