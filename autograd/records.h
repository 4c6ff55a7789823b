// What a pass is written down in: plain records, one or more for each thing that was computed. The tape has a
// table of each kind.
#pragma once
#include <cstdint>

#include "autograd/parameter.h"
#include "autograd/system/error.h"
#include "autograd/tensor/shape.h"

namespace unroll::autograd {

struct OpTable;

inline constexpr std::uint32_t kNone = ~std::uint32_t{0};

/// A place in memory with a shape. One cache line, as are the next two: a pass has many.
struct alignas(64) Value {
  std::byte* data;
  Shape shape;
  std::int32_t stride;    // elements from one row to the next
  std::uint32_t root;     // the memory that it is, or is a part of: Tape::root
  std::uint32_t node;     // that made it; kNone for leaves
  std::uint32_t operand;  // what products know of it: position + 1 in the table of operands, or 0
  bool wants_gradient;
  bool view;    // of memory that another value brought
  bool closed;  // its memory was given away: see Tape::open
  bool zero;    // a constant known to be zero everywhere
};

/// The memory of a value and of its views, and the gradient, which lies likewise.
struct alignas(64) Root {
  std::byte* data;
  std::byte* gradient;  // nullptr until something is to be added to it
  Index bytes;
  // Bytes of the gradient that hold sums; the rest is undefined. While nodes are recorded and the numbers are
  // released, bytes that some node has as an input.
  Index valid_begin, valid_end;
  const Parameter::Leaf* parameter;
  std::uint32_t value;      // that brought it
  std::uint32_t leaf;       // where that comes from: position + 1 in the table of leaves, 0 if a node made it
  std::uint32_t pins;       // deferred products that still read the gradient
  bool read;                // some node has it, or a view of it, as an input
  bool released;            // its gradient may lie in the place of its numbers: see Tape::release_numbers
  bool overwritten;         // that has happened
  bool keeps_gradient : 1;  // it stays readable after backward
  bool done : 1;            // backward has come to the node that made it: nothing reads its numbers any more
  bool viewed : 1;          // it has views
  bool shared : 1;          // another root has the same memory
  bool reserved : 1;        // it was made to move values into: Tape::reserve
};

/// One application of an op.
struct alignas(64) Node {
  const OpTable* table;
  const void* op;  // the op's plain struct, in the arena
  const std::uint32_t* inputs;
  SourceLocation location;
  std::uint32_t input_count;
  std::uint32_t first_output;
  std::uint32_t scope;       // in Tape::scopes(), or kNone
  std::uint32_t recurrence;  // that it is a step of, see Tape::new_recurrence; or kNone
  std::int32_t step;         // time step, -1 outside of recurrences
  std::uint8_t output_count;
  std::int8_t deferred;  // the input whose gradient it defers, or -1
  bool wants_gradient;
};

static_assert(sizeof(Value) == 64 && sizeof(Root) == 64 && sizeof(Node) == 64);

/// Where a value comes from that no node made.
struct Leaf {
  SourceLocation location;  // line 0 if that is not known
  std::uint32_t of;         // the value whose numbers it was given, or kNone
};

/// A value that is a factor of products.
struct alignas(64) Operand {
  std::uint32_t value;
  std::uint32_t uses;        // nodes recorded that may defer a product for it
  std::uint32_t pending;     // those of them that backward has not passed yet (see Backward::defer)
  std::uint32_t first_pair;  // of the list of deferred products, in the order of backward
  std::uint32_t last_pair;
  bool took_over;       // a form has taken the memory of the other
  std::byte* forms[2];  // the numbers in other layouts, see Tape::form
  std::size_t form_bytes[2];
};

/// A product left' * right that backward put off, to be added to the gradient of a value; see
/// Backward::defer.
struct DeferredPair {
  const std::byte *left, *right;
  Index rows, left_cols, right_cols, left_stride, right_stride;
  std::uint32_t pinned;  // root whose gradient `left` or `right` points into
  std::uint32_t next;
};

}  // namespace unroll::autograd
