#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "broker/trace/timeline.h"

namespace bulkhead::broker {

// How many operations there were, how they ended, and where their time went, since the broker
// began. Bounded: names of steps come from workers.
class Metrics {
 public:
  // Upper bounds in microseconds; one more for all above.
  static constexpr std::array<int64_t, 9> kBounds = {
      5'000, 10'000, 25'000, 50'000, 100'000, 250'000, 1'000'000, 5'000'000, 30'000'000};
  struct Sum {
    uint64_t count = 0;
    uint64_t micros = 0;
  };
  struct Histogram : Sum {
    std::array<uint64_t, kBounds.size()> within = {};  // at most each bound
  };
  static constexpr size_t kMaxSteps = 512;

  void Count(const Timeline& timeline);

  // By operation and outcome ("OK", or the code's name).
  const std::map<std::pair<std::string, std::string>, Histogram>& operations() const {
    return operations_;
  }
  // By name ("launch: runtime create").
  const std::map<std::string, Sum>& steps() const { return steps_; }

 private:
  std::map<std::pair<std::string, std::string>, Histogram> operations_;
  std::map<std::string, Sum> steps_;
};

}  // namespace bulkhead::broker
