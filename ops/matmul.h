// Matrix products.
#pragma once
#include "ops/elementwise.h"
#include "ops/gemm/blas.h"

namespace unroll::ops {

/// op(a) op(b), where op transposes if asked. a is [..., K] (its leading extents are rows; with `ta` it is
/// [K, M]), b is [K, N] or with `tb` [N, K]; the result is [..., N]. d_a = d_out op(b)', d_b = op(a)' d_out.
///
/// The gradient of b is deferred: the products of all its uses in a pass become one.
Var matmul(Var a, Term b, Transpose ta = Transpose::no, Transpose tb = Transpose::no,
           SourceLocation location = SourceLocation::current());
/// a b + bias, with bias [N] or [1, N] added to every row.
Var affine(Var a, Term b, Term bias, SourceLocation location = SourceLocation::current());
/// addend + a b, with addend of the shape of the result.
Var add_matmul(Var addend, Var a, Term b, SourceLocation location = SourceLocation::current());
/// The same in the memory of `addend`, a piece of a value that was donated (Tape::donate_to_ops).
Var add_matmul_in_place(Var addend, Var a, Term b, SourceLocation location = SourceLocation::current());

}  // namespace unroll::ops

namespace unroll {
using ops::add_matmul;
using ops::affine;
using ops::matmul;
using ops::Transpose;
namespace autograd {  // for argument-dependent lookup
using ops::add_matmul, ops::affine, ops::matmul;
}
}  // namespace unroll
