#include "worker/common/steps.h"

#include <time.h>

#include <array>

namespace bulkhead::worker {
namespace {

int64_t NowMicros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000 + now.tv_nsec / 1000;
}

struct Mark {
  const char* name;
  int64_t micros;
};

std::array<Mark, 16> marks;
size_t count = 0;
int64_t last = 0;

}  // namespace

void BeginSteps() { last = NowMicros(); }

void MarkStep(const char* name) {
  const int64_t now = NowMicros();
  if (count < marks.size()) marks[count++] = {name, now - last};
  last = now;
}

size_t StepCount() { return count; }

void WriteSteps(capnp::List<schema::Step>::Builder steps) {
  for (size_t i = 0; i < count; ++i) {
    steps[i].setName(marks[i].name);
    steps[i].setMicros(marks[i].micros);
  }
}

}  // namespace bulkhead::worker
