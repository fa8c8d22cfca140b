#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace bulkhead::frontend {

// How often each RPC was called and how often it failed, since the start. Status tells it when
// asked for details.
class CallCounts {
 public:
  struct Count {
    uint64_t calls = 0;
    uint64_t failed = 0;
  };

  void Add(absl::string_view method, bool ok) {
    absl::MutexLock lock(&mutex_);
    Count& count = counts_[std::string(method)];
    ++count.calls;
    if (!ok) ++count.failed;
  }

  std::map<std::string, Count> Read() const {
    absl::MutexLock lock(&mutex_);
    return counts_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, Count> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bulkhead::frontend
