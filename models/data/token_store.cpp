#include "models/data/token_store.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <system_error>

#include "autograd/system/error.h"

namespace unroll::models {

namespace {
[[noreturn]] void fail(const char* action) {
  autograd::fail("tokens", fmt::format("{} a temporary file failed: {}; needed room for the text's tokens",
                                       action, std::generic_category().message(errno)));
}
}  // namespace

TokenStore::~TokenStore() {
  unmap();
  if (file_) std::fclose(file_);
}

void TokenStore::unmap() {
  if (mapped_) ::munmap(mapped_, mapped_bytes_);
  mapped_ = nullptr;
}

void TokenStore::spill() {
  unmap();
  if (!file_) file_ = std::tmpfile();
  if (!file_) fail("making");
  if (std::fwrite(buffer_.data(), sizeof(int), buffer_.size(), file_) != buffer_.size() ||
      std::fflush(file_) != 0)
    fail("writing");
  written_ += static_cast<Index>(buffer_.size());
  buffer_.clear();
}

std::span<int> TokenStore::ids() {
  if (written_ == 0) return buffer_;
  if (!buffer_.empty()) spill();
  if (!mapped_) {
    mapped_bytes_ = static_cast<std::size_t>(written_) * sizeof(int);
    void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, ::fileno(file_), 0);
    if (memory == MAP_FAILED) fail("mapping");
    mapped_ = static_cast<int*>(memory);
  }
  return {mapped_, static_cast<std::size_t>(written_)};
}

}  // namespace unroll::models
