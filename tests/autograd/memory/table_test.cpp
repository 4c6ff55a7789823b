#include "autograd/memory/table.h"

#include <doctest/doctest.h>

#include "autograd/records.h"

using unroll::autograd::Table;

TEST_CASE("records stay as they are while a table grows, and start on a line of the cache") {
  Table<unroll::autograd::Value> table;
  CHECK(table.empty());
  for (std::uint32_t i = 0; i < 1000; ++i) table.add().buffer = i;
  CHECK(table.size() == 1000);
  CHECK(reinterpret_cast<std::uintptr_t>(table.data()) % 64 == 0);
  std::uint32_t next = 0;
  for (const auto& value : table) CHECK(value.buffer == next++);
  CHECK(table.back().buffer == 999);

  const auto* place = table.data();
  table.shrink(10);
  CHECK(table.size() == 10);
  CHECK(table.back().buffer == 9);
  table.clear();
  CHECK(table.empty());
  for (int i = 0; i < 1000; ++i) table.add();
  CHECK(table.data() == place);
}
