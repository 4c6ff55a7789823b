// The memory of values, and what may become of it: one table of states.
#pragma once
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "autograd/tensor/dtype.h"

namespace unroll::autograd {

/// Bytes [begin, end) of a buffer.
struct ByteRange {
  Index begin = 0, end = 0;
  bool empty() const { return begin >= end; }
  bool contains(ByteRange other) const { return other.begin >= begin && other.end <= end; }
  bool overlaps(ByteRange other) const { return begin < other.end && end > other.begin; }
  bool operator==(const ByteRange&) const = default;
};

/// What backward may do with the values in a buffer.
///   kept         they stay readable
///   donated      their gradient may take their place, once whoever needs them has read them
///   overwritten  that has happened: reading them throws Error
enum class Values : std::uint8_t { kept, donated, overwritten };

/// What happens to them.
///   donate     Tape::donate, of a value that a node made whose op does not read its outputs, and that
///   nothing
///              has read
///   share      somebody reads them later than the gradient could come: a second reader of the same bytes,
///              a reader that does not read first (op.h), Tape::stop_gradient
///   overwrite  backward writes the first part of their gradient in their place
///   restore    the gradient has moved out before anything was written
enum class Event : std::uint8_t { donate, share, overwrite, restore };

inline constexpr int kValuesStates = 3, kEvents = 4;
inline constexpr std::uint8_t kIllegal = 0xFF;

/// [state][event]: the next state. What is illegal is refused before it comes to this, or is a mistake of
/// ours.
inline constexpr std::uint8_t kNextValues[kValuesStates][kEvents] = {
    //           donate                     share                     overwrite                      restore
    /* kept */ {std::uint8_t(Values::donated), std::uint8_t(Values::kept), kIllegal, kIllegal},
    /* donated */
    {std::uint8_t(Values::donated), std::uint8_t(Values::kept), std::uint8_t(Values::overwritten), kIllegal},
    /* overwritten */
    {std::uint8_t(Values::overwritten), kIllegal, kIllegal, std::uint8_t(Values::donated)},
};

constexpr Values after(Values state, Event event) {
  const std::uint8_t next = kNextValues[static_cast<int>(state)][static_cast<int>(event)];
  assert(next != kIllegal);
  return static_cast<Values>(next);
}

/// Where the gradient of a buffer lies, during one walk.
///   none       nowhere yet, or no longer
///   pooled     in memory of the tape's pool
///   in_place   in the place of the values
///   parameter  in the Gradients of the walk
///   lent       in memory that somebody else gave, which holds a sum
enum class Lies : std::uint8_t { none, pooled, in_place, parameter, lent };

/// The gradient of a buffer, which lies like its values.
struct Gradient {
  std::byte* memory = nullptr;
  ByteRange sums;          // that are defined; the rest is zeroed when it is reached
  std::uint32_t pins = 0;  // deferred products that still read it
  Lies lies = Lies::none;
  bool done = false;  // the walk has come to the node that made the values: nothing reads them any more
};

/// The memory of a value and of its views, and the gradient of the walk over the whole pass. One cache line.
struct alignas(64) Buffer {
  std::byte* data;
  Index bytes;
  std::uint32_t value;       // that brought it
  std::uint32_t provenance;  // of a leaf: position + 1 in the table of provenances; 0 if a node made it
  std::uint32_t reading;  // of donated values: position + 1 of the bytes that some node has as an input; or 0
  Values values;
  bool used : 1;            // some node has it, or a view of it, as an input
  bool keeps_gradient : 1;  // it stays readable after backward
  bool viewed : 1;          // it has views
  bool shared : 1;          // another buffer has the same memory
  bool gathers : 1;         // it was made for values to move into: see GatheredRows
  Gradient gradient;

  void happens(Event event) { values = after(values, event); }
  bool donated() const { return values == Values::donated; }
  bool overwritten() const { return values == Values::overwritten; }
};
static_assert(sizeof(Gradient) == 32 && sizeof(Buffer) == 64);

}  // namespace unroll::autograd
