/* SPDX-License-Identifier: MPL-2.0 */
#include "manager/manager.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "endpoint/uri.hpp"
#include "manager/admin.hpp"
#include "manager/raw_instance.hpp"
#include "pattern/peer.hpp"

namespace vtx {

using namespace driver;

namespace {

// What libzmq itself may know; its udp is for RADIO, DISH and DGRAM only, and so may be a driver's as well.
constexpr std::array<std::string_view, 7> kZmqSchemes{"tcp", "ipc", "inproc", "pgm", "epgm", "tipc", "norm"};

int socket_option(void* socket, int option, int fallback) {
  int value = 0;
  std::size_t size = sizeof value;
  return zmq_getsockopt(socket, option, &value, &size) == 0 ? value : fallback;
}

std::string routing_id(void* socket) {
  std::array<char, 256> id{};
  std::size_t size = id.size();
  if (zmq_getsockopt(socket, ZMQ_ROUTING_ID, id.data(), &size) != 0) return {};
  return {id.data(), size};
}

Status zmq_failure(const char* what, const char* endpoint) {
  const int error = errno;
  return Status(error == EPROTONOSUPPORT ? Code::no_scheme : Code::native,
                fmt::format("cannot {} '{}': {}", what, endpoint, zmq_strerror(error)), error);
}

/// Socket options that a store cannot go along with.
Status check_socket(void* socket, const Pattern& pattern) {
  if (socket_option(socket, ZMQ_CONFLATE, 0) != 0)
    return Status(Code::unsupported, "a socket with ZMQ_CONFLATE cannot be linked to a store: it would drop messages");
  if (socket_option(socket, ZMQ_INVERT_MATCHING, 0) != 0)
    return Status(Code::unsupported, "a socket with ZMQ_INVERT_MATCHING cannot be linked to a store");
  // libzmq does not tell whether ZMQ_XPUB_MANUAL is set, but only then an XPUB takes this one; nobody has subscribed to that.
  constexpr std::string_view kNobodys = "vtx: nobody subscribes to this";
  if (pattern.type == ZMQ_XPUB && zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, kNobodys.data(), kNobodys.size()) == 0)
    return Status(Code::unsupported,
                  "an XPUB with ZMQ_XPUB_MANUAL cannot be linked to a store: a log has no subscribers to confirm");
  return {};
}

bool is_scheme(const std::string& name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && is_letter(name[0]) && std::ranges::all_of(name, [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

}  // namespace

Manager::Manager(void* zmq_context, pthread_t reaper)
    : context_(zmq_context), reaper_(reaper), monitors_(zmq_context) {}

Manager::~Manager() {
  // All begin to linger before the first is waited for.
  for (auto& [name, scheme] : schemes_) {
    if (scheme.instance) scheme.instance->shut_down();
  }
  for (auto& [name, scheme] : schemes_) scheme.instance.reset();
}

// --- drivers ---------------------------------------------------------------------------------------------------------

Status Manager::add_driver(const std::string& scheme, const vtx_driver_t* driver) {
  if (!is_scheme(scheme)) {
    return Status(Code::invalid,
                  fmt::format("'{}' is no URI scheme: use lower-case letters, digits, '+', '-' and '.'", scheme));
  }
  if (driver == nullptr || driver->struct_size < sizeof(std::uint32_t) * 2) {
    return Status(Code::invalid, fmt::format("the driver for '{}' gave no table", scheme));
  }
  if (driver->abi_version != VTX_DRIVER_ABI_VERSION) {
    return Status(
        Code::unsupported,
        fmt::format("the driver for '{}' was built for version {} of the driver interface, this library has {}", scheme,
                    driver->abi_version, VTX_DRIVER_ABI_VERSION));
  }
  if (driver->struct_size < sizeof(vtx_driver_t) || (driver->run == nullptr) == (driver->store == nullptr)) {
    return Status(Code::invalid, fmt::format("the driver for '{}' must set exactly one of run and store", scheme));
  }
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(kZmqSchemes, scheme) != kZmqSchemes.end() || schemes_.contains(scheme)) {
    return Status(Code::mismatch,
                  fmt::format("the scheme '{}' is taken: register the driver under another name", scheme));
  }
  Scheme& entry = schemes_[scheme];
  entry.driver = driver;
  for (const char* const* option = driver->options; option != nullptr && *option != nullptr; ++option)
    entry.options.emplace_back(*option);
  return {};
}

Status Manager::load(const char* path) {
  void* plugin = ::dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (plugin == nullptr) return Status(Code::not_found, fmt::format("cannot load the plug-in: {}", ::dlerror()));
  const auto driver = reinterpret_cast<vtx_driver_fn>(::dlsym(plugin, VTX_PLUGIN_SYMBOL));
  const auto* scheme = static_cast<const char*>(::dlsym(plugin, VTX_PLUGIN_SCHEME_SYMBOL));
  if (driver == nullptr || scheme == nullptr) {
    return Status(Code::invalid, fmt::format("'{}' is no VTX plug-in: it must export {} and {}", path,
                                             VTX_PLUGIN_SYMBOL, VTX_PLUGIN_SCHEME_SYMBOL));
  }
  return add_driver(scheme, driver());
}

Schemes Manager::schemes() const {
  Schemes known;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, scheme] : schemes_) known.names.push_back(name);
  known.options_of = [this](std::string_view name) -> std::optional<std::vector<std::string>> {
    const std::lock_guard inner(mutex_);
    const auto found = schemes_.find(std::string(name));
    return found == schemes_.end() ? std::nullopt : std::optional(found->second.options);
  };
  return known;
}

Result<Manager::Scheme*> Manager::scheme_for(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = schemes_.find(name);
  if (found == schemes_.end()) return fail(Code::no_scheme, fmt::format("no driver is registered for '{}'", name));
  Scheme& scheme = found->second;
  if (scheme.instance) return &scheme;
  auto ended = [this](Instance::LinkId id, bool joined) { on_ended(id, joined); };
  if (scheme.driver->run != nullptr) {
    scheme.instance =
        std::make_unique<RawInstance>(context_, scheme.driver->run, [ended](Instance::LinkId id) { ended(id, true); });
  } else {
    auto factory = [make = scheme.driver->store] { return std::unique_ptr<Store>(static_cast<Store*>(make())); };
    auto instance =
        std::make_unique<StoreInstance>(context_, reaper_, factory, batches_, monitors_, ended, system_clock());
    if (!instance->valid())
      return fail(Code::no_space, "no descriptors left for a driver thread: raise the limit (ulimit -n)", EMFILE);
    scheme.store = instance.get();
    scheme.instance = std::move(instance);
  }
  return &scheme;
}

// --- links -----------------------------------------------------------------------------------------------------------

Result<LinkRequest> Manager::request_for(void* socket, const Pattern& pattern, const char* endpoint, bool bind) const {
  EndpointUse use;
  use.produces = pattern.out != Out::none;
  use.consumes = pattern.in != In::none;
  use.filters = pattern.in == In::filter;
  use.publishes = pattern.out == Out::all;
  use.on_main = pattern.streams == Streams::main;
  use.type = pattern.name;
  auto parsed = parse_endpoint(endpoint, schemes(), &use);
  if (!parsed) return tl::unexpected<Status>(parsed.error());
  LinkRequest request;
  request.socket = socket;
  request.pattern = &pattern;
  request.endpoint = std::move(*parsed);
  request.bind = bind;
  request.linger_ms = socket_option(socket, ZMQ_LINGER, -1);
  request.immediate = socket_option(socket, ZMQ_IMMEDIATE, 0) != 0;
  request.receive_hwm = socket_option(socket, ZMQ_RCVHWM, 1000);
  request.send_hwm = socket_option(socket, ZMQ_SNDHWM, 1000);
  request.reconnect_ms = socket_option(socket, ZMQ_RECONNECT_IVL, 100);
  request.reconnect_max_ms = socket_option(socket, ZMQ_RECONNECT_IVL_MAX, 0);
  std::size_t size = sizeof request.largest;
  if (zmq_getsockopt(socket, ZMQ_MAXMSGSIZE, &request.largest, &size) != 0) request.largest = -1;
  if (pattern.mailbox == Mailbox::each) {
    const std::string id = routing_id(socket);
    request.peer = id.empty() ? anonymous_peer() : peer_name(id);
  }
  return request;
}

Status Manager::link(void* socket, const char* endpoint, bool bind) {
  const int type = socket_option(socket, ZMQ_TYPE, -1);
  if (type < 0) return Status(Code::native, "not a ZeroMQ socket", errno == 0 ? ENOTSOCK : errno);
  const std::string name = scheme_of(endpoint);
  const Pattern* pattern = pattern_of_socket(socket, type);
  const auto known = schemes();
  const bool ours = std::ranges::find(known.names, name) != known.names.end();
  if (!ours || pattern == nullptr) {
    const int result = bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint);
    if (result == 0) return {};
    if (errno != EPROTONOSUPPORT && errno != EINVAL) return zmq_failure(bind ? "bind" : "connect", endpoint);
    if (std::ranges::find(kZmqSchemes, name) != kZmqSchemes.end())
      return zmq_failure(bind ? "bind" : "connect", endpoint);
    // Nobody knows it: the parser says so best.
    const auto parsed = parse_endpoint(endpoint, known, nullptr);
    return parsed ? Status(Code::unsupported, fmt::format("'{}': this socket type has no such link", endpoint))
                  : parsed.error();
  }
  auto scheme = scheme_for(name);
  if (!scheme) return scheme.error();
  auto request = request_for(socket, *pattern, endpoint, bind);
  if (!request) return request.error();
  if ((*scheme)->store != nullptr) {
    if (pattern->counterpart < 0) {
      return Status(Code::unsupported, fmt::format("a {} socket cannot be linked to a store ('{}')", pattern->name,
                                                   request->endpoint.address.text));
    }
    const auto linked = records_of(socket, nullptr);
    if (pattern->max_links > 0 && linked.size() >= static_cast<std::size_t>(pattern->max_links)) {
      return Status(
          Code::unsupported,
          fmt::format("'{}': a {} socket has one peer, and this one is linked to '{}': disconnect it first",
                      request->endpoint.address.text, pattern->name, displayable_uri(linked.front().second.endpoint)));
    }
    if (Status status = check_socket(socket, *pattern); !status.ok()) return status;
  }
  Instance::LinkId id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
    request->id = id;
    request->socket_id = id_of(socket);
    records_[id] = {request->socket_id, endpoint, {}, (*scheme)->instance.get()};
  }
  const auto addresses = (*scheme)->instance->open(id, std::move(*request));
  const std::lock_guard lock(mutex_);
  if (!addresses) {
    records_.erase(id);
    return addresses.error();
  }
  if (const auto found = records_.find(id); found != records_.end()) found->second.address = addresses->front();
  return {};
}

std::vector<std::pair<Instance::LinkId, Manager::Record>> Manager::records_of(void* socket,
                                                                              const char* endpoint) const {
  std::vector<std::pair<Instance::LinkId, Record>> found;
  const std::lock_guard lock(mutex_);
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return found;
  for (const auto& [id, record] : records_) {
    if (record.socket == known->second.id && !record.unlinked && (endpoint == nullptr || record.endpoint == endpoint))
      found.emplace_back(id, record);
  }
  return found;
}

/// The driver's thread may be here before link() knows that it failed.
void Manager::on_ended(Instance::LinkId id, bool joined) {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(id);
  if (found == records_.end()) return;
  const Record ended = found->second;
  records_.erase(found);
  if (!joined) return;  // the socket keeps its monitor, and its pattern for the next attempt
  // A monitor lives as long as its socket, and that until its last link has lingered.
  const bool last =
      std::ranges::none_of(records_, [&](const auto& entry) { return entry.second.socket == ended.socket; });
  if (!last || ended.unlinked) return;
  (void)monitors_.set(ended.socket, nullptr, 0);
  std::erase_if(sockets_, [&](const auto& entry) { return entry.second.id == ended.socket; });
}

Status Manager::unlink(void* socket, const char* endpoint, bool bind) {
  const auto found = records_of(socket, endpoint);
  if (found.empty()) {
    const int result = bind ? zmq_unbind(socket, endpoint) : zmq_disconnect(socket, endpoint);
    if (result == 0) return {};
    if (errno == ENOENT || errno == EPROTONOSUPPORT || errno == EINVAL) {
      return Status(Code::not_found,
                    fmt::format("the socket has no link to '{}': use the text that it was made with", endpoint));
    }
    return zmq_failure(bind ? "unbind" : "disconnect", endpoint);
  }
  const int linger = socket_option(socket, ZMQ_LINGER, -1);
  const auto& [id, record] = found.back();
  {
    const std::lock_guard lock(mutex_);
    if (const auto still = records_.find(id); still != records_.end()) still->second.unlinked = true;
  }
  record.instance->close(id, socket, linger, true);
  return {};
}

Result<std::string> Manager::last_endpoint(void* socket) {
  std::array<char, 1024> text{};
  std::size_t size = text.size();
  if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text.data(), &size) != 0) {
    return fail(Code::native, fmt::format("cannot read the socket's last endpoint: {}", zmq_strerror(errno)), errno);
  }
  const std::string last(text.data());
  if (last.empty()) return fail(Code::not_found, "the socket has no endpoint");
  for (const auto& [id, record] : records_of(socket, nullptr)) {
    if (record.address == last) return record.endpoint;
  }
  return last;
}

void Manager::close(void* socket) {
  const int linger = socket_option(socket, ZMQ_LINGER, -1);
  const auto found = records_of(socket, nullptr);
  for (const auto& [id, record] : found) record.instance->close(id, socket, linger, false);
  const std::lock_guard lock(mutex_);
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return;
  if (found.empty() && known->second.id != 0) (void)monitors_.set(known->second.id, nullptr, 0);
  sockets_.erase(known);
}

void Manager::begin(void* socket, const Pattern* pattern) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
  if (pattern != nullptr) sockets_[socket].pattern = pattern;
}

Result<const Pattern*> Manager::pattern(const std::string& spec) {
  auto parsed = parse_pattern(spec);
  if (!parsed) return fail(parsed.error().code(), fmt::format("pattern '{}': {}", spec, parsed.error().text()));
  const std::lock_guard lock(mutex_);
  return &patterns_.try_emplace(spec, std::move(*parsed)).first->second->row;
}

/// One that was closed behind our back may have left its place to another type's.
const Pattern* Manager::pattern_of_socket(void* socket, int type) const {
  const std::lock_guard lock(mutex_);
  const auto known = sockets_.find(socket);
  if (known != sockets_.end() && known->second.pattern != nullptr && known->second.pattern->type == type)
    return known->second.pattern;
  return pattern_of(type);
}

/// With the lock held.
SocketId Manager::id_of(void* socket) {
  SocketId& id = sockets_[socket].id;
  if (id == 0) id = ++last_socket_;
  return id;
}

Status Manager::monitor(void* socket, const char* address, int events) {
  const std::lock_guard lock(mutex_);
  return monitors_.set(id_of(socket), address, events);
}

Status Manager::flush(void* socket, Ms timeout) {
  const Steady deadline = system_clock().now() + timeout;
  for (const auto& [id, record] : records_of(socket, nullptr)) {
    const Ms left =
        timeout.count() < 0 ? timeout : std::max(Ms(0), std::chrono::ceil<Ms>(deadline - system_clock().now()));
    if (Status status = record.instance->flush(id, left); !status.ok()) return status;
  }
  return {};
}

Status Manager::decide(void* socket, const std::string& delivery_id, Outcome outcome, std::uint32_t delay_ms) {
  for (const auto& [id, record] : records_of(socket, nullptr)) {
    if (record.instance->decide(id, delivery_id, outcome, delay_ms)) return {};
  }
  return Status(Code::not_found,
                fmt::format("the socket has no delivery '{}' in hand: it was settled or given back, or its claim is "
                            "no longer held",
                            delivery_id));
}

Status Manager::stats(void* socket, const char* endpoint, vtx_stats_t& stats) {
  bool any = false;
  for (const auto& [id, record] : records_of(socket, endpoint)) any |= record.instance->add_stats(id, stats);
  if (any) return {};
  return Status(Code::not_found, endpoint == nullptr ? std::string("the socket has no VTX link")
                                                     : fmt::format("the socket has no link to '{}'", endpoint));
}

Result<std::string> Manager::admin(const char* endpoint, const char* command, Ms timeout) {
  if (const std::string scheme = scheme_of(endpoint); std::ranges::find(kZmqSchemes, scheme) != kZmqSchemes.end())
    return fail(Code::unsupported, fmt::format("'{}': {} is a transport of ZeroMQ itself, which stores nothing: name "
                                               "the endpoint of a store",
                                               displayable_uri(endpoint), scheme));
  auto parsed = parse_endpoint(endpoint, schemes(), nullptr);
  if (!parsed) return tl::unexpected<Status>(parsed.error());
  auto scheme = scheme_for(parsed->address.scheme);
  if (!scheme) return tl::unexpected<Status>(scheme.error());
  if ((*scheme)->store == nullptr)
    return fail(Code::unsupported, fmt::format("'{}' is not a store", parsed->address.text));
  return run_admin(*(*scheme)->store, *parsed, command, timeout);
}

}  // namespace vtx
