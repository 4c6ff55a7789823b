#include "autograd/memory/pool.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace unroll;
using autograd::Arena;
using autograd::MemoryPool;

TEST_CASE("a block has room for what was asked, at the cost of an eighth at most") {
  for (std::size_t bytes = 0; bytes < 1'000'000; bytes = bytes * 9 / 8 + 1) {
    const std::size_t size = MemoryPool::block_size(bytes);
    CHECK(size >= bytes);
    CHECK(size % Arena::kAlignment == 0);
    CHECK(size <= bytes + bytes / 8 + Arena::kAlignment);
  }
}

TEST_CASE("what is given back is given out again, to its own size only") {
  Arena arena;
  MemoryPool pool(arena);
  std::byte* small = pool.take(100);
  std::byte* large = pool.take(10'000);
  CHECK(small != large);
  pool.give(large, 10'000);
  CHECK(pool.take(100) != large);
  CHECK(pool.take(9'990) == large);  // of one size with 10,000
  pool.give(small, 100);
  CHECK(pool.take(128) == small);
}

TEST_CASE("what is in use is counted, and the most of it") {
  Arena arena;
  MemoryPool pool(arena);
  std::byte* a = pool.take(64);
  std::byte* b = pool.take(640);
  CHECK(pool.used() == 704);
  pool.give(b, 640);
  CHECK(pool.used() == 64);
  CHECK(pool.peak() == 704);
  pool.watch();
  CHECK(pool.highest() == 64);
  (void)pool.take(128);
  CHECK(pool.highest() == 192);
  CHECK(pool.peak() == 704);
  CHECK(pool.held() == 64 + 640 + 128);
  pool.give(a, 64);
  pool.clear();
  arena.clear();
  CHECK(pool.used() + pool.peak() + pool.held() == 0);
  // Its blocks went with the arena: none is given out a second time.
  std::byte* c = pool.take(64);
  CHECK(pool.take(64) != c);
  CHECK(pool.held() == 128);
}

TEST_CASE("scratch memory is given back at the end of its scope, and poisoned when it comes again") {
  Arena arena;
  MemoryPool pool(arena);
  float* first;
  {
    const autograd::Scratch<float> scratch(pool, 16);
    first = scratch.data();
    std::memset(first, 0, 64);
    CHECK(pool.used() == 64);
  }
  CHECK(pool.used() == 0);
  pool.poison(true);
  const autograd::Scratch<float> again(pool, 10);
  CHECK(again.data() == first);
  CHECK(again.data()[0] != again.data()[0]);
}
