// A long list of token ids that need not fit into memory.
#pragma once
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "autograd/tensor/dtype.h"

namespace unroll::models {

using autograd::Index;

/// Ids are added at the end; beyond `in_memory` of them they lie in a nameless temporary file, of which the
/// system keeps in memory what is being used.
class TokenStore {
 public:
  explicit TokenStore(Index in_memory = Index{1} << 26) : in_memory_(in_memory) {}
  TokenStore(const TokenStore&) = delete;
  TokenStore& operator=(const TokenStore&) = delete;
  ~TokenStore();

  /// Throws Error if the temporary file cannot be written.
  void add(int id) {
    buffer_.push_back(id);
    if (static_cast<Index>(buffer_.size()) >= in_memory_) spill();
  }
  Index size() const { return written_ + static_cast<Index>(buffer_.size()); }
  /// All of them, to be read and changed; valid until the next add().
  std::span<int> ids();

 private:
  void spill();
  void unmap();

  Index in_memory_, written_ = 0;
  std::vector<int> buffer_;  // what follows the first `written_` ids, which are in the file
  std::FILE* file_ = nullptr;
  int* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
};

}  // namespace unroll::models
