#include "autograd/gathered_rows.h"

#include <algorithm>
#include <cstring>

namespace unroll::autograd {

GatheredRows::GatheredRows(Tape& tape, const Shape& shape, SourceLocation location) {
  Records& records = tape.records();
  std::byte* memory = tape.storage().leaf(shape, tape.dtype(), "gathered rows", location);
  whole_ = tape.handle(records.add_value(shape, memory, false));
  Buffer& buffer = records.buffers.back();
  buffer.used = buffer.viewed = buffer.gathers = true;
}

bool GatheredRows::can_take(Var piece) {
  const Value& v = piece.tape().value(piece.index());
  return !v.view && v.node != kNone && v.shape.rank() == 2;
}

bool GatheredRows::take(Var piece, Index row, SourceLocation location) {
  Tape& tape = whole_.tape(location);
  const std::uint32_t id = tape.check(piece, "gathered rows", location);
  const std::uint32_t to = tape.check(whole_, "gathered rows", location);
  Records& records = tape.records();
  const Value& v = records.values[id];
  const std::uint32_t from_buffer = v.buffer, to_buffer = records.values[to].buffer;
  const Shape &shape = v.shape, &all = records.values[to].shape;
  if (!can_take(piece) || shape.cols() != all.cols() || row < 0 || row > all.rows() - shape.rows() ||
      tape.is_held(id) != tape.is_held(to))
    return false;
  Buffer &from = records.buffers[from_buffer], &buffer = records.buffers[to_buffer];
  const Index bytes = from.bytes;
  std::byte* memory = buffer.data + row * all.cols() * static_cast<Index>(size_of(tape.dtype()));
  if (!tape.dry()) std::memcpy(memory, from.data, static_cast<std::size_t>(bytes));
  // The gradient of the whole is complete when the walk comes to the piece that was made first.
  Value& whole = records.values[to];
  whole.node = std::min(whole.node, v.node);
  whole.wants_gradient = whole.wants_gradient || v.wants_gradient;
  buffer.keeps_gradient = buffer.keeps_gradient || from.keeps_gradient;
  const std::size_t end = from.viewed ? records.values.size() : id + 1;
  for (std::size_t i = id; i < end; ++i)  // the piece and its views
    if (Value& part = records.values[i]; part.buffer == from_buffer) {
      part.data = memory + (part.data - from.data);
      part.buffer = to_buffer;
      part.view = true;
    }
  if (!from.shared) tape.storage().leave(from.data, static_cast<std::size_t>(bytes));
  return true;
}

void GatheredRows::copy(Var piece, Index row, SourceLocation location) {
  Tape& tape = whole_.tape(location);
  const Value& from = tape.value(tape.check_values(piece, "gathered rows", location));
  const Value& all = tape.value(whole_.index());
  if (tape.dry()) return;
  dispatch(tape.dtype(), [&]<class T>() {
    T* to = reinterpret_cast<T*>(all.data) + row * all.stride;
    autograd::copy(View<const T>{reinterpret_cast<const T*>(from.data), from.shape, from.stride},
                   View<T>{to, from.shape, all.stride});
  });
}

}  // namespace unroll::autograd
