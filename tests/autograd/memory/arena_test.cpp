#include "autograd/memory/arena.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <set>

using unroll::autograd::Arena;
using unroll::autograd::Dry;

namespace {
bool is_aligned(const void* p, std::size_t to) { return reinterpret_cast<std::uintptr_t>(p) % to == 0; }
}  // namespace

TEST_CASE("memory of an arena is aligned, apart, and the same again after clear") {
  Arena arena;
  CHECK(arena.reserved() == 0);
  std::vector<std::byte*> first;
  for (int pass = 0; pass < 3; ++pass) {
    std::set<std::byte*> seen;
    std::size_t asked = 0;
    for (std::size_t i = 0; i < 300; ++i) {
      const std::size_t bytes = i * i % 5000;
      std::byte* p = arena.allocate(bytes);
      CHECK(is_aligned(p, Arena::kAlignment));
      CHECK(seen.insert(p).second);
      std::memset(p, static_cast<int>(i), bytes);
      asked += bytes;
      if (pass < 2) first.push_back(p);
      if (pass == 2) CHECK(p == first[300 + i]);  // from the second pass on, the same places
    }
    CHECK(arena.used() >= asked);
    CHECK(arena.used() <= arena.reserved());
    arena.clear();
    CHECK(arena.used() == 0);
  }
}

TEST_CASE("memory keeps what was written, over the ends of blocks") {
  Arena arena;
  std::vector<std::byte*> all;
  for (int i = 0; i < 400; ++i) {
    all.push_back(arena.allocate(1000));
    std::memset(all.back(), i % 251, 1000);
  }
  for (int i = 0; i < 400; ++i)
    for (int k : {0, 999}) CHECK(all[static_cast<std::size_t>(i)][k] == static_cast<std::byte>(i % 251));
}

TEST_CASE("small records lie close, at the alignment that was asked for") {
  Arena arena;
  const auto* a = static_cast<std::byte*>(arena.allocate_record(4, 4));
  const auto* b = static_cast<std::byte*>(arena.allocate_record(4, 4));
  const auto* c = static_cast<std::byte*>(arena.allocate_record(8, 8));
  CHECK(b - a == 4);
  CHECK(c - a == 8);
  (void)arena.allocate_record(1, 1);
  CHECK(is_aligned(arena.allocate_record(64, 64), 64));
}

TEST_CASE("a mark takes back what came after it, in other blocks, too") {
  Arena arena;
  (void)arena.allocate(100);
  const Arena::Mark mark = arena.mark();
  const std::size_t used = arena.used();
  std::byte* next = arena.allocate(100);
  for (int i = 0; i < 10; ++i) (void)arena.allocate(100'000);
  const std::size_t reserved = arena.reserved();
  arena.rewind(mark);
  CHECK(arena.used() == used);
  CHECK(arena.allocate(100) == next);
  for (int i = 0; i < 10; ++i) (void)arena.allocate(100'000);
  CHECK(arena.reserved() == reserved);
}

TEST_CASE("poisoned memory is NaN in both types") {
  Arena arena;
  arena.poison(true);
  const auto* bytes = arena.allocate(16);
  float f;
  double d;
  std::memcpy(&f, bytes, sizeof f);
  std::memcpy(&d, bytes, sizeof d);
  CHECK(f != f);
  CHECK(d != d);
}

TEST_CASE("a dry arena gives out more addresses than the machine has memory") {
  Arena arena(Dry::yes);
  std::byte* p = arena.allocate(std::size_t{1} << 42);  // 4 TB
  CHECK(is_aligned(p, Arena::kAlignment));
  CHECK(arena.used() == std::size_t{1} << 42);
}
