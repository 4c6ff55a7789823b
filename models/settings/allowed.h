// What a setting may be: a number of a range, a word of a list, yes or no, a text.
#pragma once
#include <concepts>
#include <string>
#include <string_view>

namespace unroll::models {

/// What a number may be.
template <class N>
struct Range {
  N least, most;
};

/// What a value of an enumeration is called; a list of them is what it may be.
template <class E>
struct Word {
  const char* word;
  E value;
};
template <class List, class E>
concept WordsFor = requires(const List& list) {
  { list[0].value } -> std::convertible_to<E>;
};

/// For a bool.
struct YesOrNo {};
inline constexpr YesOrNo kYesOrNo;

/// A text that is read where it is used, which throws Error if it cannot be.
struct Text {
  void (*check)(const std::string& text);
};

/// "elman, gru or lstm"
template <class List>
std::string alternatives(const List& list) {
  std::string text;
  for (std::size_t i = 0; i < std::size(list); ++i)
    text += (i == 0 ? "" : i + 1 < std::size(list) ? ", " : " or ") + std::string(list[i].word);
  return text;
}
template <class E, WordsFor<E> List>
const char* word_for(E value, const List& list) {
  for (const auto& entry : list)
    if (entry.value == value) return entry.word;
  return "";
}
/// False if there is no such word.
template <class E, WordsFor<E> List>
bool find_word(std::string_view word, const List& list, E& value) {
  for (const auto& entry : list)
    if (word == entry.word) {
      value = entry.value;
      return true;
    }
  return false;
}

}  // namespace unroll::models
