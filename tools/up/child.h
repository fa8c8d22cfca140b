#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "security/profile.h"

namespace bulkhead::tools {

// One of the three long-lived processes. Killed and reaped when this goes out of scope.
class Child {
 public:
  Child(const security::Profile& profile, const char* program)
      : profile_(profile), program_(program) {}
  ~Child() { Kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Spawns the program of this directory; the fds become 3, 4, ... and stay the caller's.
  // NOT_FOUND: no such program.
  absl::Status Start(int directory, std::vector<int> fds);
  // Waits for its end, which the caller has asked for by closing its socket or here by a signal (0:
  // none), and kills it when it has not come after patience. Reaps it.
  void Stop(int signal, absl::Duration patience);
  void Kill();
  // Whether pid was this one; it is reaped then.
  bool Reaped(pid_t pid);

  bool running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }
  const char* name() const { return profile_.name; }
  const security::Profile& profile() const { return profile_; }

 private:
  void Wait();

  const security::Profile& profile_;
  const char* program_;
  pid_t pid_ = -1;
  base::UniqueFd pidfd_;
};

}  // namespace bulkhead::tools
