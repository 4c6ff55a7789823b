// A contestant of compare.py in C++: it answers a line on standard input with a line.
//
//   JOB THREADS          seconds of a repetition: the median and the 99th percentile of as many as fill a
//                        tenth of a second. A job is made, and run twice to warm up, when first asked for.
//   memory JOB THREADS   bytes that resident memory grew by, at its peak, in the first three repetitions
//   forget               all jobs; the answer is "ok"
//
// The answer is "-" where there is no such job here.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

struct Job {
  std::function<void()> run;
  int repetitions = 1;  // that one call makes, where a single one is too short for the clock
};
using Make = std::function<std::optional<Job>(std::istringstream&& words)>;

struct Times {
  double median, percentile_99;
};

inline Times measure(const Job& job) {
  using Clock = std::chrono::steady_clock;
  constexpr double enough = 0.1;
  std::vector<double> times;
  for (double total = 0; total < enough; total += times.back()) {
    const auto begin = Clock::now();
    job.run();
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2] / job.repetitions, times[times.size() * 99 / 100] / job.repetitions};
}

/// A line of /proc/self/status, in bytes.
inline long resident(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(name + ":", 0) == 0) return 1024 * std::stol(line.substr(name.size() + 1));
  return 0;
}

inline long growth(const Job& job) {
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
  const long before = resident("VmRSS");
  for (int i = 0; i < 3; ++i) job.run();
  return resident("VmHWM") - before;
}

inline std::string answer(const std::string& line, std::map<std::string, Job>& jobs, const Make& make) {
  if (line == "forget") {
    jobs.clear();
    return "ok";
  }
  const std::string memory = "memory ";
  if (line.rfind(memory, 0) == 0) {
    const auto job = make(std::istringstream(line.substr(memory.size())));
    return job ? std::to_string(growth(*job)) : "-";
  }
  auto found = jobs.find(line);
  if (found == jobs.end()) {
    const auto job = make(std::istringstream(line));
    if (!job) return "-";
    found = jobs.emplace(line, *job).first;
    for (int i = 0; i < 2; ++i) job->run();
  }
  const Times times = measure(found->second);
  char text[64];
  std::snprintf(text, sizeof text, "%.9g %.9g", times.median, times.percentile_99);
  return text;
}

inline void serve(const Make& make) {
  std::map<std::string, Job> jobs;
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line, jobs, make) << std::endl;
}

}  // namespace bench
