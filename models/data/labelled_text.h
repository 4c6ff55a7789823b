// Texts with their labels, as files have them: one row at a time.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/data/line_reader.h"
#include "models/settings/allowed.h"

namespace unroll::models {

struct LabelledText {
  Place place;
  std::vector<std::string> labels;
  std::string text;
};

enum class LabelledForm {
  tsv,     // label TAB text
  spaced,  // label BLANK text
  folder   // a folder with a file for each label, "Dutch.txt", and a text on each line
};
inline constexpr Word<LabelledForm> kLabelledForms[] = {
    {"tsv", LabelledForm::tsv}, {"space", LabelledForm::spaced}, {"folder", LabelledForm::folder}};

struct LabelledFormat {
  std::optional<LabelledForm>
      form;                         // if not given: a folder is one; a file whose first line has a TAB is tsv
  bool many_labels = false;         // labels stand between '|'; a text may have none
  std::vector<std::string> except;  // files of the folder that are none of its labels
};

/// Whether there is a file for each label at this path.
bool reads_folder(const std::string& path, const LabelledFormat& format);

/// Calls use(row) for each row, in the order of the file; a folder's files in the order of their names. What
/// is thrown by `use` counts as a mistake in the row. Throws Error for a row without label or text, for a
/// label that stands there twice, and for a file without rows.
void read_labelled_text(const std::string& path, const LabelledFormat& format, BadRows& bad,
                        const std::function<void(const LabelledText&)>& use);

}  // namespace unroll::models
