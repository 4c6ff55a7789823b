// How often this process asked the system for memory.
#pragma once
#include <cstddef>

namespace unroll::tests {

/// Calls of malloc and its relatives (so also of operator new) since the program began, on all threads.
std::size_t allocation_count();

}  // namespace unroll::tests
