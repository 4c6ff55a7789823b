#include "models/program/predict.h"

#include <fmt/format.h>

namespace unroll::models {

void add_predicting(CLI::App& app, Predicting& predicting, const std::string& program,
                    const std::string& what) {
  app.add_option("--model", predicting.model, fmt::format("file that `unroll {} train` wrote", program))
      ->required();
  app.add_option("--data", predicting.data, what + "; - for standard input")->capture_default_str();
  add_threads(app, predicting.threads);
  add_skip_bad(app, predicting.bad);
  add_json(app, predicting.json, "print a JSON object a line");
}

}  // namespace unroll::models
