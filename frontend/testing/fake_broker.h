#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "schema/broker.capnp.h"

namespace bulkhead::frontend {

// The other end of the frontend's connection, for tests: a Cap'n Proto server with the broker's
// interface and its gate for incoming frames, which keeps what it was asked. It decides nothing.
class FakeBroker {
 public:
  // connection: a stream socket whose other end is the frontend's.
  explicit FakeBroker(base::UniqueFd connection);
  // Ends the connection.
  ~FakeBroker();

  // Ends the connection, as a broker that dies.
  void Die();

  // How often a method was called.
  int Calls(const std::string& method) const;
  // Text of the last parameters of a method, as Cap'n Proto writes it.
  std::string LastParams(const std::string& method) const;
  // Whether the gate stopped the connection.
  bool violated() const;

  // What the methods answer; set before the first call.
  struct Answers {
    std::string image_id = "sha256:" + std::string(64, 'e');
    std::string known_image;  // what imageStatus finds
    size_t stdout_bytes = 0;
    size_t stderr_bytes = 0;
    uint16_t code = 0;  // of every answer's status
    std::string message;
  };
  Answers answers;

 private:
  friend class FakeBrokerServer;
  void Record(const std::string& method, std::string params);

  mutable absl::Mutex mutex_;
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> params_ ABSL_GUARDED_BY(mutex_);
  bool violated_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> stop_;
  std::thread thread_;
};

}  // namespace bulkhead::frontend
