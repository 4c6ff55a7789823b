#include "models/data/piano_rolls.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "autograd/system/error.h"
#include "models/data/json.h"
#include "models/data/text.h"

namespace unroll::models {

using autograd::fail;
using nlohmann::json;

namespace {

[[noreturn]] void reject(const std::string& place, const json& came, const char* needed) {
  fail("notes", fmt::format("{}: {:.40} came; needed {}", place, came.dump(), needed));
}

std::vector<int> keys_of(const json& step, const std::string& place) {
  if (!step.is_array()) reject(place, step, "a list of MIDI pitches");
  std::vector<int> keys;
  for (const json& pitch : step) {
    const bool whole = pitch.is_number_integer();
    const auto number = whole ? pitch.get<std::int64_t>() : -1;
    if (number < kLowestPitch || number >= kLowestPitch + kKeys)
      reject(place, pitch, "a MIDI pitch from 21 to 108");
    keys.push_back(static_cast<int>(number) - kLowestPitch);
  }
  return keys;
}

std::vector<KeySteps> pieces_of(const json& object, const char* part, const std::string& path) {
  const std::string here = fmt::format("{}: '{}'", path, part);
  if (!object.contains(part)) fail("notes", fmt::format("{} is missing; needed a list of pieces", here));
  const json& list = object[part];
  if (!list.is_array()) reject(here, list, "a list of pieces");
  std::vector<KeySteps> pieces;
  for (std::size_t p = 0; p < list.size(); ++p) {
    const std::string piece = fmt::format("{}, piece {}", here, p + 1);
    if (!list[p].is_array() || list[p].size() < 2) reject(piece, list[p], "a list of two steps or more");
    KeySteps& steps = pieces.emplace_back();
    for (std::size_t t = 0; t < list[p].size(); ++t)
      steps.push_back(keys_of(list[p][t], fmt::format("{}, step {}", piece, t + 1)));
  }
  return pieces;
}

}  // namespace

PianoRolls read_piano_rolls(const std::string& path) {
  json object;
  try {
    object = parse_json(read_file(path));
  } catch (const JsonError& e) {
    fail("notes",
         fmt::format("{}: {}; needed JSON, each key once, {} deep at most", path, e.what(), kDeepestJson));
  }
  if (!object.is_object()) reject(path, object, "an object with 'train', 'valid' and 'test'");
  return {pieces_of(object, "train", path), pieces_of(object, "valid", path),
          pieces_of(object, "test", path)};
}

}  // namespace unroll::models
