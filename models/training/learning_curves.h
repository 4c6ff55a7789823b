// How a training run went, as a picture.
#pragma once
#include <string>

#include "models/training/record.h"

namespace unroll::models {

/// Loss and the measures of validation by epoch, as SVG.
void plot_learning_curves(const std::string& path, const TrainingRecord& record);

}  // namespace unroll::models
