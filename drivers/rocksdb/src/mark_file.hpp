/* SPDX-License-Identifier: MPL-2.0 */
//
// The file beside the directory, DIRECTORY-vtx, which no backup restores: it remembers how far the database was, so that an older one in its
// place is noticed. docs/decisions/0002-epochs.md
#pragma once

#include <string>

#include "rows.hpp"
#include "vtx/driver/status.hpp"

namespace vtx::rocks {

/// What a database is known by.
struct Life {
  std::string id;  ///< 32 characters; empty: none is known
  u64 epoch = 0;
  u64 mark = 0;
};

/// One thread at a time.
class MarkFile {
 public:
  MarkFile() = default;
  ~MarkFile();
  MarkFile(const MarkFile&) = delete;
  MarkFile& operator=(const MarkFile&) = delete;

  Status open(const std::string& path);
  /// None when the file is new, or was torn by a loss of power: then nobody else's memory outlived it either.
  Life remembered() const;
  /// After each write. It outlives this process, not the machine. Best effort: without it only a restored backup would go unnoticed.
  void remember(const Life& life) const;

 private:
  int fd_ = -1;
};

}  // namespace vtx::rocks
