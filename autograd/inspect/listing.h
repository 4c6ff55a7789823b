// What a tape holds, a line for each operation.
//
//   inspect::print(tape);
//   std::cout << inspect::Listing(tape).in("encoder.layers.0").at_steps(3, 5).of_op("lstm");
//   for (const inspect::Line& line : inspect::Listing(tape).of_size(1 << 20)) ...
//
//   node  op      shape   inputs                        module      step  bytes  gradient  line
//      0  matmul  [4, 8]  a constant, 'weight', 'bias'  cell.input     -    128  yes       mgu.h:18
//      1  sigmoid [2, 4]  %0                            cell           0     32  yes       mgu.h:21 from
//      net.cpp:9
//
// There are no addresses and no folders in the text: it is the same on every machine.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/tape.h"

namespace unroll::inspect {

using autograd::Index;
using autograd::Shape;
using autograd::Tape;

/// An operation on a tape, in words.
struct Line {
  std::uint32_t node;  // position on the tape
  std::string op;
  std::vector<Shape> shapes;        // of its outputs
  std::vector<std::string> inputs;  // "%3", or "%3.1" for its second output; "'bias'"; "a constant"
  std::string module;               // path, see nn::enter
  std::int32_t step;                // -1 outside of recurrences
  std::size_t bytes = 0;            // of its outputs; 0 if it overwrites an input
  bool wants_gradient;
  std::string where;  // "cells.cpp:83 from model.cpp:12", see line_of(tape, node)

  /// "[2, 4] [2, 4]"
  std::string shape_text() const;
  /// The inputs, of many the first ones: "%1", "%2", "and 498 more".
  std::vector<std::string> some_inputs() const;
};
Line line_of(const Tape& tape, std::uint32_t node);

/// "cells.cpp:83", without folders.
std::string line_of(autograd::Where where);
/// The line that called the op, and the one that called its module, if that is another and known.
std::string line_of(const Tape& tape, const autograd::Node& node);
/// What a value without a node is: "'bias'", "a variable", "a constant".
std::string leaf_name(const autograd::Root& leaf);

/// The lines of a tape, or some of them; a picture of the moment. Each filter gives a Listing of what is
/// left.
class Listing {
 public:
  explicit Listing(const Tape& tape);

  /// Of a module and the modules in it: "encoder" takes "encoder.forward", not "encoders".
  Listing in(std::string_view module) const;
  Listing of_op(std::string_view op) const;
  /// Of time steps first to last, both included.
  Listing at_steps(std::int32_t first, std::int32_t last) const;
  Listing of_size(std::size_t least_bytes) const;
  template <class F>
  Listing where(F keep) const {
    Listing result;
    for (const Line& line : lines_)
      if (keep(line)) result.lines_.push_back(line);
    return result;
  }

  std::size_t size() const { return lines_.size(); }
  const Line& operator[](std::size_t i) const { return lines_[i]; }
  auto begin() const { return lines_.begin(); }
  auto end() const { return lines_.end(); }

 private:
  Listing() = default;
  std::vector<Line> lines_;
};

/// A table with a heading.
std::string to_string(const Listing& listing);
std::ostream& operator<<(std::ostream& out, const Listing& listing);

/// All of it, to standard output.
void print(const Tape& tape);

}  // namespace unroll::inspect
