#include "models/tasks/tag/task.h"

#include <algorithm>
#include <numeric>

#include "models/data/digest.h"
#include "models/tasks/tag/spans.h"
#include "ops/losses.h"

namespace unroll::models {

namespace {

constexpr Index kMeasuredAtOnce = 128;

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
  TaggerScore score;
  score.predicted.resize(data.size());
  const auto measure_batch = [&](Worker& worker, std::span<const int> batch) {
    const PackedSentences packed = pack_sentences(data, batch);
    const Var logits = tagger.net(worker.tape, packed);
    expect_finite(logits, "tag");
    const double loss = data.tags.empty()
                            ? 0
                            : ops::cross_entropy(logits, packed_tags(data, batch, packed.sentences),
                                                 {.reduction = ops::Reduction::sum})
                                  .item();
    const std::vector<int> tags = ops::argmax_rows(logits);
    for (std::size_t s = 0; s < batch.size(); ++s) {
      auto& predicted = score.predicted[static_cast<std::size_t>(batch[s])];
      for (Index t = 0; t < packed.sentences.length(static_cast<Index>(s)); ++t)
        predicted.push_back(tags[static_cast<std::size_t>(packed.sentences.row(static_cast<Index>(s), t))]);
    }
    return loss;
  };
  const double loss = sum_over_batches(data.lengths(), kMeasuredAtOnce, workers, measure_batch);
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
  score.loss = loss / static_cast<double>(std::max<Index>(score.words, 1));
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

Tally TaggingTask::learn(Index batch, Piece piece, Worker& worker, Generator& noise) {
  const std::vector<int> which = batches_.share(batch, piece);
  if (which.empty()) return {};
  Index words = 0;  // of the whole batch
  for (const int i : batches_[batch])
    words += static_cast<Index>(training_.sentences[static_cast<std::size_t>(i)].size());
  PackedSentences packed = pack_sentences(training_, which);
  word_dropout_(packed.words, noise);  // their spelling is seen
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
