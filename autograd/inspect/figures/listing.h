// What a tape holds, a line for each operation.
//
//   inspect::print(tape);
//   std::cout << inspect::Listing(tape).in("encoder.layers.0").at_steps(3, 5).of_op("lstm");
//   for (const inspect::Line& line : inspect::Listing(tape).of_size(1 << 20)) ...
//
//   node  op       shape   inputs                        module      step  bytes  gradient  line
//      0  matmul   [4, 8]  a constant, 'weight', 'bias'  cell.input     -    128  yes       mgu.h:18
//      1  sigmoid  [2, 4]  %0                            cell           0     32  yes       mgu.h:21
//
// A line that was called from elsewhere says so: "mgu.h:21 from net.cpp:9".
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
  std::vector<Shape> shapes;  // of its outputs
  // "%3", or "%3.1" for its second output; "'bias'"; "a constant"; of a part of them "%3[2:4]", its rows, or
  // "%3[:, 4:8]", its columns
  std::vector<std::string> inputs;
  std::string module;     // path, see nn::enter
  std::int32_t step;      // -1 outside of recurrences
  std::size_t bytes = 0;  // of its outputs; 0 if it overwrites an input
  bool wants_gradient;
  std::string location;  // "cells.cpp:83 from model.cpp:12", see source_line(tape, node)

  /// "[2, 4] [2, 4]"
  std::string shape_text() const;
  /// The inputs, of many the first ones: "%1", "%2", "and 498 more".
  std::vector<std::string> some_inputs() const;
};
Line line_of(const Tape& tape, std::uint32_t node);

/// "cells.cpp:83", without folders.
std::string source_line(autograd::SourceLocation location);
/// The line that called the op, and the one that called its module, if that is another and known.
std::string source_line(const Tape& tape, const autograd::Node& node);
/// What a value without a node is: "'bias'", "a variable", "a constant".
std::string leaf_name(const Tape& tape, const autograd::Buffer& leaf);

/// The lines of a tape up to now, or some of them, each made when it is read; each filter gives a Listing of
/// what is left. It throws Error when the tape has been cleared.
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
  Listing location(F keep) const {
    return filtered([&](std::uint32_t node) { return keep(line(node)); });
  }

  std::size_t size() const { return nodes_.size(); }
  Line operator[](std::size_t i) const { return line(nodes_[i]); }

  class Iterator {
   public:
    Iterator(const Listing& of, std::size_t at) : of_(&of), at_(at) {}
    Line operator*() const { return (*of_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Listing* of_;
    std::size_t at_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  Listing(const Tape& tape, std::uint32_t pass) : tape_(&tape), pass_(pass) {}
  const autograd::Node& node(std::uint32_t n) const;
  Line line(std::uint32_t n) const;
  template <class F>
  Listing filtered(F keep) const {
    Listing result(*tape_, pass_);
    for (const std::uint32_t n : nodes_)
      if (keep(n)) result.nodes_.push_back(n);
    return result;
  }

  const Tape* tape_;
  std::uint32_t pass_;
  std::vector<std::uint32_t> nodes_;
};

/// A table with a heading.
std::string to_string(const Listing& listing);
std::ostream& operator<<(std::ostream& out, const Listing& listing);

/// All of it, to standard output.
void print(const Tape& tape);

}  // namespace unroll::inspect
