// Where a number that is not finite was born, of a batch or a validation that ended in one.
#pragma once
#include <functional>
#include <string>

#include "autograd/inspect/page/report.h"
#include "models/training/workers.h"

namespace unroll::models {

/// Calls again(), which does once more what gave such a number, watched. In words, the operation that made
/// the first one; before that calls found(recorder), where the recorder has seen the pass, if there is one.
std::string origin_in(Workers& workers, const std::function<void()>& again,
                      const std::function<void(const inspect::Recorder&)>& found);

}  // namespace unroll::models
