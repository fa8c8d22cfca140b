#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/deadline.h"
#include "base/log.h"
#include "broker/trace/timeline.h"
#include "ipc/async_waiter.h"

// The broker is one thread with one event loop. An operation runs in a fiber of it: straight-line
// code whose waits let other operations run. So state needs no lock but the ones that order
// operations on one pod.
namespace bulkhead::broker {

class Loop : private kj::TaskSet::ErrorHandler {
 public:
  explicit Loop(kj::AsyncIoContext& io) : io_(io), pool_(kFiberStackBytes), tasks_(*this) {}

  kj::AsyncIoContext& io() { return io_; }
  kj::UnixEventPort& port() { return io_.unixEventPort; }
  kj::Timer& timer() { return io_.provider->getTimer(); }
  // Work that nobody waits for.
  void Add(kj::Promise<void> task) { tasks_.add(kj::mv(task)); }
  size_t operations() const { return operations_; }

  // Runs f(Fiber&) to its end, whether or not the returned promise is kept: a caller who goes away
  // must not leave an operation half done (B10).
  template <typename F>
  auto Run(F f);
  // The same for what gives no result.
  template <typename F>
  void Detach(F f);
  // For what lives on and mostly waits: not counted among the operations, whose number is bounded.
  template <typename F>
  void Stay(F f);

 private:
  static constexpr size_t kFiberStackBytes = 512 * 1024;  // mapped, touched only as used
  void taskFailed(kj::Exception&& exception) override {
    base::Log(base::Severity::kError, "operation ended by a fault",
              {{"what", exception.getDescription().cStr()}});
  }

  kj::AsyncIoContext& io_;
  kj::FiberPool pool_;
  size_t operations_ = 0;
  kj::TaskSet tasks_;  // last: its fibers use the rest
};

// What an operation has at hand to wait with. Lives on the fiber's stack.
class Fiber {
 public:
  Fiber(Loop& loop, kj::WaitScope& scope)
      : loop_(loop), scope_(scope), waiter_(loop.port(), scope, loop.timer()) {}

  Loop& loop() { return loop_; }
  ipc::Waiter& waiter() { return waiter_; }

  // Where this fiber's steps are recorded; null: nowhere.
  const std::shared_ptr<Timeline>& timeline() const { return timeline_; }
  std::shared_ptr<Timeline> ReplaceTimeline(std::shared_ptr<Timeline> timeline) {
    return std::exchange(timeline_, std::move(timeline));
  }
  // Adds steps that a worker took, the last of which ended just now. steps: (name, microseconds),
  // which are the worker's word: they are cut to what passed since the timeline began.
  template <typename Steps>
  void AddSteps(absl::string_view worker, const Steps& steps) {
    if (timeline_ == nullptr) return;
    const int64_t passed = MonotonicMicros() - timeline_->begin_us;
    auto took = [&](auto step) { return std::clamp<int64_t>(step.getMicros(), 0, passed); };
    int64_t sum = 0;
    for (auto step : steps) sum = std::min(sum + took(step), passed);
    int64_t begin = passed - sum;
    for (auto step : steps) {
      const int64_t end = std::min(begin + took(step), passed);
      timeline_->Add(absl::StrCat(worker, ": ", step.getName().cStr()), begin, end);
      begin = end;
    }
  }
  [[nodiscard]] TimedStep Step(absl::string_view name) { return TimedStep(timeline_, name); }

  // The audit record of what this fiber is about to do: no worker gets a job before it is durable.
  void SetIntent(kj::Promise<absl::Status> recorded) { intent_ = recorded.fork(); }
  // What is done from here on takes back what this fiber did: it needs no record of its own, and
  // must go on where none can be made.
  void BeginUndo() { intent_ = nullptr; }
  // UNAVAILABLE: it could not be recorded. OK at once where nothing has to be.
  absl::Status AwaitIntent() {
    KJ_IF_MAYBE (intent, intent_) {
      TimedStep step = Step("audit: intent");
      constexpr absl::Duration kPatience = absl::Seconds(30);
      absl::Status recorded = absl::UnavailableError("the audit log does not answer");
      WaitFor(intent->addBranch().then([&](absl::Status status) { recorded = status; }), kPatience);
      if (!recorded.ok()) return recorded;
      intent_ = nullptr;
    }
    return absl::OkStatus();
  }

  template <typename T>
  T Wait(kj::Promise<T> promise) {
    return promise.wait(scope_);
  }
  // False where time ran out first; the promise is then dropped.
  bool WaitFor(kj::Promise<void> promise, absl::Duration limit) {
    auto finished = promise.then([]() -> uint64_t { return 1; });
    auto late = loop_.timer().afterDelay(ToKj(limit)).then([]() -> uint64_t { return 0; });
    return finished.exclusiveJoin(kj::mv(late)).wait(scope_) == 1;
  }
  void Sleep(absl::Duration d) { loop_.timer().afterDelay(ToKj(d)).wait(scope_); }

  static kj::Duration ToKj(absl::Duration d) {
    constexpr int64_t kDay = int64_t{24} * 3600 * 1000000;
    return std::min(absl::ToInt64Microseconds(d), kDay) * kj::MICROSECONDS;
  }

 private:
  Loop& loop_;
  kj::WaitScope& scope_;
  ipc::AsyncWaiter waiter_;
  std::shared_ptr<Timeline> timeline_;
  kj::Maybe<kj::ForkedPromise<absl::Status>> intent_;
};

template <typename F>
auto Loop::Run(F f) {
  using Result = decltype(f(std::declval<Fiber&>()));
  auto paf = kj::newPromiseAndFulfiller<Result>();
  tasks_.add(pool_.startFiber(
      [this, f = kj::mv(f), fulfiller = kj::mv(paf.fulfiller)](kj::WaitScope& scope) mutable {
        ++operations_;
        KJ_DEFER(--operations_);
        Fiber fiber(*this, scope);
        fulfiller->fulfill(f(fiber));
      }));
  return kj::mv(paf.promise);
}

template <typename F>
void Loop::Detach(F f) {
  tasks_.add(pool_.startFiber([this, f = kj::mv(f)](kj::WaitScope& scope) mutable {
    ++operations_;
    KJ_DEFER(--operations_);
    Fiber fiber(*this, scope);
    f(fiber);
  }));
}

template <typename F>
void Loop::Stay(F f) {
  tasks_.add(pool_.startFiber([this, f = kj::mv(f)](kj::WaitScope& scope) mutable {
    Fiber fiber(*this, scope);
    f(fiber);
  }));
}

// Orders the operations on one object. First come, first served.
class FiberMutex {
 public:
  class Held {
   public:
    explicit Held(FiberMutex* mutex) : mutex_(mutex) {}
    Held(Held&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (mutex_ != nullptr) mutex_->Release();
    }

   private:
    FiberMutex* mutex_;
  };

  [[nodiscard]] Held Acquire(Fiber& fiber) {
    if (held_) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      queue_.push_back(kj::mv(paf.fulfiller));
      fiber.Wait(kj::mv(paf.promise));
    }
    held_ = true;
    return Held(this);
  }

 private:
  void Release() {
    held_ = false;
    while (!queue_.empty()) {
      auto next = kj::mv(queue_.front());
      queue_.pop_front();
      if (next->isWaiting()) {
        held_ = true;  // handed over: nobody may slip in between
        next->fulfill();
        return;
      }
    }
  }

  bool held_ = false;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> queue_;
};

// Lets so many through at a time; the others wait in the order in which they came.
class FiberLimit {
 public:
  class Held {
   public:
    explicit Held(FiberLimit* limit) : limit_(limit) {}
    Held(Held&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (limit_ != nullptr) limit_->Release();
    }

   private:
    FiberLimit* limit_;
  };

  [[nodiscard]] Held Acquire(Fiber& fiber, size_t most) {
    if (held_ >= most || !queue_.empty()) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      queue_.push_back(kj::mv(paf.fulfiller));
      fiber.Wait(kj::mv(paf.promise));  // its place was handed over
      return Held(this);
    }
    ++held_;
    return Held(this);
  }

 private:
  void Release() {
    while (!queue_.empty()) {
      auto next = kj::mv(queue_.front());
      queue_.pop_front();
      if (!next->isWaiting()) continue;
      next->fulfill();
      return;
    }
    --held_;
  }

  size_t held_ = 0;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> queue_;
};

// Mutexes by name (a request's key), kept while somebody uses them.
class KeyedMutex {
 public:
  class Held {
   public:
    Held(std::shared_ptr<FiberMutex> mutex, FiberMutex::Held held)
        : mutex_(std::move(mutex)), held_(std::move(held)) {}

   private:
    std::shared_ptr<FiberMutex> mutex_;
    FiberMutex::Held held_;  // released before mutex_ goes
  };

  [[nodiscard]] Held Acquire(Fiber& fiber, const std::string& key) {
    std::shared_ptr<FiberMutex> mutex = by_key_[key].lock();
    if (mutex == nullptr) {
      mutex = std::make_shared<FiberMutex>();
      by_key_[key] = mutex;
    }
    FiberMutex::Held held = mutex->Acquire(fiber);
    std::erase_if(by_key_, [](const auto& entry) { return entry.second.expired(); });
    return Held(std::move(mutex), std::move(held));
  }

 private:
  std::map<std::string, std::weak_ptr<FiberMutex>> by_key_;
};

}  // namespace bulkhead::broker
