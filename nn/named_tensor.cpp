#include "nn/named_tensor.h"

#include <fmt/format.h>

#include <unordered_map>
#include <vector>

namespace unroll::nn {

namespace {

// "a, b, c and 12 more"
std::string listing(const std::vector<std::string>& items) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i) text += (i ? ", " : "") + items[i];
  return items.size() > kShown ? fmt::format("{} and {} more", text, items.size() - kShown) : text;
}

class Complaints {
 public:
  void add(std::string_view what, const std::vector<std::string>& items) {
    if (!items.empty()) text_ += fmt::format("{}{} {}", text_.empty() ? "" : "; ", what, listing(items));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

void assign(std::span<const NamedTensor> from, std::span<const Destination> into, std::string_view op,
            std::string_view source, SourceLocation location) {
  std::unordered_map<std::string_view, Tensor*> wanted;
  std::vector<std::string> missing, superfluous, misshapen, repeated;
  for (const Destination& d : into)
    if (!wanted.emplace(d.name, d.tensor).second) repeated.push_back(in_quotes(d.name));

  std::vector<Tensor*> targets;
  for (const NamedTensor& n : from) {
    const auto found = wanted.find(n.name);
    targets.push_back(found == wanted.end() ? nullptr : found->second);
    if (!targets.back())
      superfluous.push_back(in_quotes(n.name));
    else if (targets.back()->shape() != n.tensor.shape())
      misshapen.push_back(fmt::format("{} is {}, not {}", in_quotes(n.name), to_string(n.tensor.shape()),
                                      to_string(targets.back()->shape())));
    if (found != wanted.end()) wanted.erase(found);
  }
  for (const Destination& d : into)
    if (wanted.contains(d.name)) missing.push_back(in_quotes(d.name));

  Complaints complaints;
  complaints.add("two tensors to fill are called", repeated);
  complaints.add("missing:", missing);
  complaints.add("superfluous:", superfluous);
  complaints.add("of another shape:", misshapen);
  if (!complaints.text().empty())
    autograd::fail(
        op, fmt::format("{}: {}; needed the same names and shapes on both sides", source, complaints.text()),
        location);

  for (std::size_t i = 0; i < targets.size(); ++i)
    autograd::dispatch(from[i].tensor.dtype(), [&]<class From>() {
      autograd::dispatch(targets[i]->dtype(),
                         [&]<class To>() { copy(from[i].tensor.view<From>(), targets[i]->view<To>()); });
    });
}

}  // namespace unroll::nn
