// What `unroll lm` does with notes in place of text.
#pragma once
#include <string>

#include "models/program/data_options.h"

namespace unroll::models {

struct NoteTraining {
  std::string file;
  NetOptions net;
  TrainingOptions training;
  bool json = false;
};
void train_notes(const NoteTraining& training);
/// The likelihood of the "test" part of a file.
void eval_notes(const std::string& model, const Measuring& measuring);

}  // namespace unroll::models
