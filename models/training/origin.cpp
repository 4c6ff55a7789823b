#include "models/training/origin.h"

#include <algorithm>
#include <list>

namespace unroll::models {

std::string origin_in(Workers& workers, const std::function<void()>& again,
                      const std::function<void(const inspect::Recorder&)>& found) {
  std::list<inspect::Recorder> recorders;
  for (int i = 0; i < workers.size(); ++i)
    recorders.emplace_back(workers[i].tape, inspect::Watching{.origin = true});
  again();
  const auto first = std::ranges::find_if(recorders, [](const auto& r) { return r.origin().has_value(); });
  if (first == recorders.end()) return "every operation made finite numbers, but not their sum";
  found(*first);
  return first->origin()->describe();
}

}  // namespace unroll::models
