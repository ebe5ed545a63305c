/* SPDX-License-Identifier: MPL-2.0 */
#include "syncer.hpp"

#include <utility>

namespace vtx::rocks {

Syncer::Syncer(const Disk& disk) : disk_(disk), thread_([this] { run(); }) {}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  asked_more_.notify_one();
  thread_.join();
}

void Syncer::set_bell(std::function<void()> ring) {
  const std::lock_guard lock(mutex_);
  ring_ = std::move(ring);
}

void Syncer::ask() {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = ++asked_;
  }
  asked_more_.notify_one();
}

void Syncer::sync_here() {
  disk_.sync_log();
  const std::lock_guard lock(mutex_);
  wanted_ = done_ = ++asked_;
}

bool Syncer::idle() const {
  const std::lock_guard lock(mutex_);
  return wanted_ == done_;
}

u64 Syncer::done() const {
  const std::lock_guard lock(mutex_);
  return done_;
}

Status Syncer::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Syncer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_more_.wait(lock, [this] { return ending_ || (wanted_ > done_ && failure_.ok()); });
    if (ending_) return;
    const u64 number = wanted_;
    lock.unlock();
    Status failure;
    try {
      disk_.sync_log();
    } catch (const DiskError& error) {
      failure = error.status;
    } catch (const std::exception& error) {
      failure = {Code::lost, disk_.named() + ": " + error.what()};
    }
    lock.lock();
    if (failure.ok()) done_ = number;
    failure_ = std::move(failure);
    if (ring_) ring_();
  }
}

}  // namespace vtx::rocks
