// Music as steps of equal length, each a set of piano keys that sound.
#pragma once
#include <string>
#include <vector>

namespace unroll::models {

inline constexpr int kKeys = 88, kLowestPitch = 21;  // MIDI's 21 is key 0, A0; 108 is key 87, C8

/// Keys by step; a step may be silent.
using KeySteps = std::vector<std::vector<int>>;

struct PianoRolls {
  std::vector<KeySteps> training, validation, test;
};
/// A JSON object whose "train", "valid" and "test" are lists of pieces, a piece a list of steps, a step a
/// list of MIDI pitches (the form of the JSB chorales of Boulanger-Lewandowski 2012). Throws Error, naming
/// the file and the place in it, for anything else, and for a piece of fewer than two steps.
PianoRolls read_piano_rolls(const std::string& path);

}  // namespace unroll::models
