#include "models/tasks/tag/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "models/data/batches.h"
#include "models/data/digest.h"
#include "models/data/text.h"
#include "models/tasks/tag/spans.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr const char* kOp = "tag";
constexpr BatchSize kEvaluationBatch{128, 0};

std::vector<int> tag_ids(const TaggedSentence& sentence, const LabelSet& tags) {
  std::vector<int> ids;
  for (std::size_t i = 0; i < sentence.tags.size(); ++i)
    ids.push_back(tags.id(sentence.tags[i], {sentence.place.file, sentence.lines[i]}));
  return ids;
}

class Builder {
 public:
  Builder(const TaggingDataOptions& options, BadRows& bad) : options_(options), bad_(bad) {}

  TaggingData build() {
    const DataFiles& files = options_.files;
    check(files, kOp);
    if (files.is_split()) read_split();
    for (std::size_t part = 0; part < 3 && !files.is_split(); ++part)
      if (!files.of(part).empty()) read_part(files.of(part), part);
    data_.tags.expect(2, "tags", kOp);
    make_vocabularies();
    for (std::size_t part = 0; part < 3; ++part)
      for (const std::string& word : words_[part].tokens()) {
        data_.parts[part].words.push_back(data_.vocabulary.id(looked_up(word, options_.lower)));
        auto& characters = data_.parts[part].characters.emplace_back();
        each_code_point(word, [&](std::string_view p) { characters.push_back(data_.alphabet.id(p)); });
      }
    return std::move(data_);
  }

 private:
  void take(const TaggedSentence& sentence, std::size_t part) {
    if (part == 0)
      for (const std::string& tag : sentence.tags) data_.tags.add(tag);
    auto tags = tag_ids(sentence, data_.tags);
    data_.parts[part].sentences.push_back(words_[part].numbers(sentence.words));
    data_.parts[part].tags.push_back(std::move(tags));
  }
  void read_part(const std::string& path, std::size_t part) {
    read_tagged_text(path, options_.format, bad_, [&](const TaggedSentence& s) { take(s, part); });
    if (data_.parts[part].size() == 0)
      autograd::fail(kOp, fmt::format("{} has no good sentence for {}; needed some", path, kPartNames[part]));
  }
  void read_split() {
    std::vector<TaggedSentence> all;
    read_tagged_text(options_.files.all, options_.format, bad_,
                     [&](const TaggedSentence& s) { all.push_back(s); });
    deal(std::move(all), options_.files, kOp,
         [&](const TaggedSentence& s, std::size_t part) { bad_.guard([&] { take(s, part); }); });
  }
  void make_vocabularies() {
    TokenCounts words, characters;
    for (const auto& sentence : data_.parts[0].sentences) words_[0].count(sentence);
    for (std::size_t i = 0; i < words_[0].tokens().size(); ++i) {
      const std::string& word = words_[0].tokens()[i];
      const Index times = words_[0].times()[i];
      words.add(looked_up(word, options_.lower), times);
      each_code_point(word, [&](std::string_view p) { characters.add(p, times); });
    }
    data_.vocabulary = Vocabulary(words, kUnknownToken, options_.limits);
    data_.alphabet = Vocabulary(characters, kUnknownToken, {});
  }

  const TaggingDataOptions& options_;
  BadRows& bad_;
  std::array<NumberedTokens, 3> words_;  // the different ones of each part
  TaggingData data_;
};

void spell(const SavedTagger& tagger, const NumberedTokens& words, TaggedData& data) {
  for (const std::string& word : words.tokens()) {
    data.words.push_back(tagger.word_id(word));
    data.characters.push_back(tagger.character_ids(word));
  }
}

}  // namespace

TaggingData read_tagging_data(const TaggingDataOptions& options, BadRows& bad) {
  return Builder(options, bad).build();
}

TaggedData read_tagged_data(const SavedTagger& tagger, const std::string& path, const TaggedFormat& format,
                            BadRows& bad) {
  TaggedData data;
  NumberedTokens words;
  read_tagged_text(path, format, bad, [&](const TaggedSentence& sentence) {
    data.tags.push_back(tag_ids(sentence, tagger.tags));
    data.sentences.push_back(words.numbers(sentence.words));
  });
  if (data.size() == 0) autograd::fail(kOp, fmt::format("{} has no good sentence; needed some", path));
  spell(tagger, words, data);
  return data;
}

TaggedData sentence_data(const SavedTagger& tagger, std::span<const std::vector<std::string>> sentences) {
  TaggedData data;
  NumberedTokens words;
  for (const auto& sentence : sentences) data.sentences.push_back(words.numbers(sentence));
  spell(tagger, words, data);
  return data;
}

namespace {

// Tags of these sentences in packed order.
std::vector<int> packed_tags(const TaggedData& data, std::span<const int> which, const ops::Layout& layout) {
  std::vector<int> tags;
  for (const int i : which) {
    const auto& of_sentence = data.tags[static_cast<std::size_t>(i)];
    tags.insert(tags.end(), of_sentence.begin(), of_sentence.end());
  }
  return layout.pack<int>(tags);
}

}  // namespace

TaggerScore evaluate(const SavedTagger& tagger, const TaggedData& data, Workers& workers) {
  const auto batches = sorted_batches(data.lengths(), kEvaluationBatch);
  std::vector<double> losses(batches.size());
  TaggerScore score;
  score.predicted.resize(data.size());
  workers.measure(batches.size(), [&](Worker& worker, std::size_t b) {
    const PackedSentences packed = pack_sentences(data, batches[b]);
    const Var logits = tagger.net(worker.tape, packed);
    if (!data.tags.empty())
      losses[b] = ops::cross_entropy(logits, packed_tags(data, batches[b], packed.sentences),
                                     {.reduction = ops::Reduction::sum})
                      .item();
    const std::vector<int> tags = ops::argmax_rows(logits);
    for (std::size_t s = 0; s < batches[b].size(); ++s) {
      auto& predicted = score.predicted[static_cast<std::size_t>(batches[b][s])];
      for (Index t = 0; t < packed.sentences.length(static_cast<Index>(s)); ++t)
        predicted.push_back(tags[static_cast<std::size_t>(packed.sentences.row(static_cast<Index>(s), t))]);
    }
  });
  if (data.tags.empty()) return score;
  Index right = 0, unknown_right = 0;
  for (std::size_t s = 0; s < data.size(); ++s)
    for (std::size_t t = 0; t < data.sentences[s].size(); ++t) {
      const bool is_right = score.predicted[s][t] == data.tags[s][t];
      const bool is_unknown =
          data.words[static_cast<std::size_t>(data.sentences[s][t])] == Vocabulary::kUnknown;
      ++score.words;
      right += is_right;
      score.unknown += is_unknown;
      unknown_right += is_right && is_unknown;
    }
  auto share = [](Index part, Index whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
  };
  score.accuracy = share(right, score.words);
  score.unknown_accuracy = share(unknown_right, score.unknown);
  score.loss = std::accumulate(losses.begin(), losses.end(), 0.0) /
               static_cast<double>(std::max<Index>(score.words, 1));
  return score;
}

std::vector<Measure> measures(const TaggerScore& score, const TaggedData& data, const LabelSet& tags) {
  auto percent = [](const char* name, double value, bool shown) -> Measure {
    return {.name = name,
            .value = value,
            .form = Measure::Form::percent,
            .larger_is_better = true,
            .shown = shown};
  };
  std::vector<Measure> list;
  if (are_bio(tags.names())) {
    SpanCounts counts;
    auto names = [&](const std::vector<int>& ids) {
      std::vector<std::string_view> result;
      for (const int id : ids) result.emplace_back(tags.name(id));
      return result;
    };
    for (std::size_t s = 0; s < data.size(); ++s) counts.add(names(data.tags[s]), names(score.predicted[s]));
    list = {percent("span F1", counts.f1(), true), percent("span precision", counts.precision(), false),
            percent("span recall", counts.recall(), false)};
  }
  list.push_back(percent("accuracy", score.accuracy, true));
  if (score.unknown > 0) list.push_back(percent("accuracy of unknown words", score.unknown_accuracy, false));
  list.push_back({.name = "loss", .value = score.loss, .shown = false});
  return list;
}

std::uint64_t TaggingTask::digest() const {
  Digest digest;
  for (const TaggedData* part : {&training_, &validation_}) {
    digest.add(part->sentences), digest.add(part->tags);
    digest.add(part->words), digest.add(part->characters);
  }
  return digest.value();
}

Index TaggingTask::begin_epoch(Generator& order) {
  batches_ = shuffled_batches(training_.lengths(), {batch_, 0}, order);
  return static_cast<Index>(batches_.size());
}

Tally TaggingTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int>& all = batches_[static_cast<std::size_t>(batch)];
  std::vector<int> which;
  Index words = 0;  // of the whole batch
  for (std::size_t i = 0; i < all.size(); ++i) {
    words += static_cast<Index>(training_.sentences[static_cast<std::size_t>(all[i])].size());
    if (static_cast<int>(i) % piece.count == piece.index) which.push_back(all[i]);
  }
  if (which.empty()) return {};
  PackedSentences packed = pack_sentences(training_, which);
  for (int& word : packed.words)
    if (options_.word_dropout > 0 && noise.uniform() < options_.word_dropout) word = Vocabulary::kUnknown;
  const std::vector<int> tags = packed_tags(training_, which, packed.sentences);
  const Var logits = tagger_.net(worker.tape, packed, &noise);
  const Var loss = ops::cross_entropy(logits, tags, {.reduction = ops::Reduction::sum});
  worker.tape.backward(loss / static_cast<double>(words), worker.gradients);
  const std::vector<int> predicted = ops::argmax_rows(logits);
  const Index rows = packed.sentences.rows();
  return {.loss = loss.item(),
          .weight = static_cast<double>(rows),
          .correct = std::inner_product(predicted.begin(), predicted.end(), tags.begin(), Index{0},
                                        std::plus<>(), std::equal_to<>()),
          .answers = rows,
          .units = rows};
}

std::vector<Measure> TaggingTask::validate(Workers& workers) const {
  if (validation_.size() == 0) return {};
  return measures(evaluate(tagger_, validation_, workers), validation_, tagger_.tags);
}

}  // namespace unroll::models
