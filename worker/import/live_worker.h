#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "ipc/message.h"
#include "security/enforce/spawn.h"
#include "security/profile.h"

// The real program of a worker, started as the spawner starts it and spoken to as the broker does.
// Needs root.
namespace bulkhead::worker {

class LiveWorker {
 public:
  // directory: where the programs lie. dirs: fd 4 and so on.
  LiveWorker(const security::Profile& profile, const std::string& directory,
             const std::vector<int>& dirs = {}) {
    base::UniqueFd program(
        open(absl::StrCat(directory, "/bulkhead-worker-", profile.name).c_str(),
             O_PATH | O_CLOEXEC));
    base::FdPair control = *base::MakeSocketPair(SOCK_STREAM);
    std::vector<int> fds = {control.second.get()};
    fds.insert(fds.end(), dirs.begin(), dirs.end());
    absl::StatusOr<security::Spawned> spawned =
        security::Spawn(profile, {.program = program.get(), .fds = fds});
    EXPECT_TRUE(spawned.ok()) << spawned.status();
    if (!spawned.ok()) return;
    child_ = *std::move(spawned);
    socket_ = std::move(control.first);
    absl::StatusOr<ipc::Received> hello = ipc::Receive(socket_.get(), {}, Patience());
    EXPECT_TRUE(hello.ok()) << profile.name << ": " << hello.status();
  }

  ~LiveWorker() {
    socket_.Reset();
    if (child_.pid < 0) return;
    // It has answered or lost its socket, so it ends; else the test must not hang for it.
    pollfd ended = {child_.pidfd.get(), POLLIN, 0};
    if (poll(&ended, 1, 10000) == 0) kill(child_.pid, SIGKILL);
    int status = 0;
    waitpid(child_.pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  }

  void Send(capnp::MessageBuilder& job, const std::vector<int>& fds) {
    absl::Status sent = ipc::Send(socket_.get(), job, fds, Patience());
    EXPECT_TRUE(sent.ok()) << sent;
  }

  ipc::Received Receive(int max_fds = 0) {
    absl::StatusOr<ipc::Received> result =
        ipc::Receive(socket_.get(), {.max_fds = max_fds}, Patience());
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok()) abort();
    return *std::move(result);
  }

 private:
  static base::Deadline Patience() { return base::Deadline::After(absl::Seconds(60)); }

  security::Spawned child_;
  base::UniqueFd socket_;
};

}  // namespace bulkhead::worker
