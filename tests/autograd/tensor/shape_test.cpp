#include "autograd/tensor/shape.h"

#include <doctest/doctest.h>

using unroll::Index;
using unroll::Shape;

TEST_CASE("a smaller extent changes a shape as any other does") {
  for (const Shape& shape : {Shape{7}, Shape{5, 7}, Shape{3, 5, 7}, Shape{2, 3, 5, 7}, Shape{4, 0, 7}})
    for (Index extent = 0; extent <= 2; ++extent) {
      Shape rows = shape, cols = shape;
      rows.shrink_rows(extent);
      cols.shrink_cols(extent);
      for (const auto& [shrunk, expected] :
           {std::pair(rows, shape.with(0, extent)), std::pair(cols, shape.with(-1, extent))}) {
        CHECK(shrunk == expected);
        CHECK(shrunk.rows() == expected.rows());
        CHECK(shrunk.cols() == expected.cols());
        for (int axis = 0; axis < shape.rank(); ++axis) CHECK(shrunk[axis] == expected[axis]);
      }
    }
}
