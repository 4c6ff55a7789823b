#include "models/data/labelled_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "models/data/text.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "labelled text";

using Use = std::function<void(const LabelledText&)>;

std::vector<std::string> split_labels(const Lines& lines, std::string_view text, bool many) {
  if (!many) {
    if (text.empty()) lines.reject("an empty label", "a label before the text");
    return {std::string(text)};
  }
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('|'), text.size());
    const std::string label(text.substr(0, end));
    if (label.empty() || end + 1 == text.size())
      lines.reject("an empty label", "a label on both sides of each '|'");
    if (std::ranges::count(list, label) > 0)
      lines.reject(fmt::format("the label {} twice", in_quotes(label)), "each label once");
    list.push_back(label);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

// Reads the rows of one file; `row` makes a row of the current line. Returns how many lines there were.
template <class Row>
Index read_rows(Lines& lines, BadRows& bad, const Use& use, Row row) {
  Index count = 0;
  for (; lines.next(); ++count)
    bad.guard([&] {
      const LabelledText made = row(lines.text());
      if (is_blank(made.text)) lines.reject("an empty text", "a text after the label");
      use(made);
    });
  return count;
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

void read_file_of_rows(const std::string& path, const LabelledFormat& format, BadRows& bad, const Use& use) {
  Lines lines(kOp, path);
  std::optional<LabelledForm> form = format.form;
  const Index count = read_rows(lines, bad, use, [&](std::string_view line) -> LabelledText {
    if (!form) form = line.find('\t') == line.npos ? LabelledForm::spaced : LabelledForm::tsv;
    const bool tsv = form == LabelledForm::tsv;
    const std::size_t end = line.find(tsv ? '\t' : ' ');
    if (end == std::string_view::npos)
      lines.reject(in_quotes(line), tsv ? "a label, a TAB and a text" : "a label, a blank and a text");
    const std::string_view labels = line.substr(0, end);
    if (labels.find('\t') != labels.npos)
      lines.reject(fmt::format("a TAB in the label {}", in_quotes(labels)), "none there, or --format tsv");
    return {lines.place(), split_labels(lines, labels, format.many_labels),
            std::string(line.substr(end + 1))};
  });
  if (count == 0) lines.reject_file("an empty file came", "a label and a text on each line");
}

std::vector<std::filesystem::path> files_of(const std::string& folder, std::vector<std::string> except) {
  std::vector<std::filesystem::path> files;
  if (!is_folder(folder))
    autograd::fail(kOp, fmt::format("{} came; needed a folder with a file for each label", folder));
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (std::erase(except, entry.path().filename().string()) == 0) files.push_back(entry.path());
  for (const auto& file : files)
    if (const std::string mistake = utf8_mistake(file.filename().string()); !mistake.empty())
      autograd::fail(kOp, fmt::format("{}: the name {} of a file is not UTF-8: {}", folder,
                                      in_quotes(file.filename().string()), mistake));
  if (!except.empty())
    autograd::fail(kOp, fmt::format("{}: no file {} to leave out; needed a name in this folder", folder,
                                    in_quotes(except[0])));
  if (files.size() < 2)
    autograd::fail(kOp, fmt::format("{}: a folder with {} files of texts came; needed one file for each of "
                                    "at least two labels",
                                    folder, files.size()));
  std::ranges::sort(files);
  for (const auto& file : files)
    if (file.extension() != files[0].extension())
      autograd::fail(kOp, fmt::format("{}: files {} and {} came; needed names that end alike, each a label "
                                      "(--except names files that are none)",
                                      folder, in_quotes(files[0].filename().string()),
                                      in_quotes(file.filename().string())));
  return files;
}

}  // namespace

bool reads_folder(const std::string& path, const LabelledFormat& format) {
  return format.form ? format.form == LabelledForm::folder : is_folder(path);
}

void read_labelled_text(const std::string& path, const LabelledFormat& format, BadRows& bad, const Use& use) {
  if (!reads_folder(path, format)) return read_file_of_rows(path, format, bad, use);
  for (const std::filesystem::path& file : files_of(path, format.except)) {
    Lines lines(kOp, file.string());
    const std::string label = file.stem().string();
    const Index count = read_rows(lines, bad, use, [&](std::string_view line) -> LabelledText {
      return {lines.place(), split_labels(lines, label, format.many_labels), std::string(line)};
    });
    if (count == 0) lines.reject_file("an empty file came", "a text on each line");
  }
}

}  // namespace unroll::models
