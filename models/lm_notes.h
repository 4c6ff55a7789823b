// What `unroll lm` does with notes in place of text.
#pragma once
#include <string>

#include "models/line_reader.h"
#include "models/net_options.h"
#include "models/training_options.h"

namespace unroll::models {

struct NoteTraining {
  std::string file;
  NetOptions net;
  TrainingOptions training;
  bool json = false;
};
void train_notes(const NoteTraining& training);
/// The likelihood of the "test" part of a file.
void eval_notes(const std::string& model, const std::string& file, int threads, bool json);

}  // namespace unroll::models
