// How often this process asked the system for memory.
#pragma once
#include <cstddef>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/// A sanitizer's allocator takes the place of the system's, and ends the program where it has no memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define UNROLL_SANITIZED_MEMORY 1
#else
#define UNROLL_SANITIZED_MEMORY 0
#endif

namespace unroll::tests {

/// Calls of malloc and its relatives (so also of operator new) since the program began, on all threads.
std::size_t allocation_count();

}  // namespace unroll::tests
