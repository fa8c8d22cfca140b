#include "worker/monitor/monitor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "ipc/message.h"

namespace bulkhead::monitor {
namespace {

using State = schema::MonitorState::State;

struct Seen {
  State state;
  int exit_code;
  bool oom_killed;
  int64_t started, finished;
  int fds;
  uint64_t dropped;
  uint32_t reopened, refused;
};

// A real monitor in a child process, whose own child plays the container.
class MonitorTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bulkhead-monitor-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    dir_ = name;
    events_.Reset(memfd_create("memory.events", MFD_CLOEXEC));
    log_.Reset(open((dir_ / "log").c_str(), O_CREAT | O_APPEND | O_RDWR | O_CLOEXEC, 0600));
    listen_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address_ = {.sun_family = AF_UNIX};
    strcpy(address_.sun_path, (dir_ / "socket").c_str());
    ASSERT_EQ(bind(listen_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)), 0);
    ASSERT_EQ(listen(listen_.get(), 8), 0);
  }
  void TearDown() override {
    if (monitor_ > 0) {
      kill(monitor_, SIGKILL);
      waitpid(monitor_, nullptr, 0);
    }
    std::filesystem::remove_all(dir_);
  }

  // container runs in a grandchild with the streams as 1 and 2, once go() was called; its value is
  // the exit code.
  void Begin(const std::function<int()>& container) {
    base::FdPair go = *base::MakePipe();
    monitor_ = fork();
    if (monitor_ == 0) _exit(RunMonitor(container, go));
    go_ = std::move(go.second);
  }
  void Go() { go_.Reset(); }

  int RunMonitor(const std::function<int()>& container, base::FdPair& go) {
    base::FdPair out = *base::MakePipe();
    base::FdPair err = *base::MakePipe();
    const pid_t child = fork();
    if (child == 0) {
      go.second.Reset();
      char byte;
      if (read(go.first.get(), &byte, 1) != 0) _exit(99);
      dup2(out.second.get(), 1);
      dup2(err.second.get(), 2);
      for (base::UniqueFd* fd : {&out.first, &out.second, &err.first, &err.second}) fd->Reset();
      _exit(container());
    }
    go.second.Reset();
    Start start = {.pid = child, .broker_uid = broker_uid_};
    start.listen = std::move(listen_);
    start.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    start.out = std::move(out.first);
    start.err = std::move(err.first);
    start.log = *base::Duplicate(log_.get());
    start.memory_events = *base::Duplicate(events_.get());
    out.second.Reset();
    err.second.Reset();
    return Monitor(std::move(start)).Run().ok() ? 0 : 1;
  }

  base::UniqueFd Connect() {
    base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_)), 0);
    return fd;
  }
  void Request(const base::UniqueFd& fd, schema::MonitorRequest::Which which, int with = -1) {
    capnp::MallocMessageBuilder message;
    auto request = message.initRoot<schema::MonitorRequest>();
    if (which == schema::MonitorRequest::WATCH) request.setWatch();
    if (which == schema::MonitorRequest::ACKNOWLEDGE) request.setAcknowledge();
    if (which == schema::MonitorRequest::REOPEN_LOG) request.setReopenLog();
    if (which == schema::MonitorRequest::STARTED) request.setStarted();
    std::vector<int> fds;
    if (with >= 0) fds.push_back(with);
    EXPECT_TRUE(ipc::Send(fd.get(), message, fds, base::Deadline::After(absl::Seconds(5))).ok());
  }
  Seen Next(const base::UniqueFd& fd) {
    auto got = ipc::Receive(fd.get(), {.max_fds = 1}, base::Deadline::After(absl::Seconds(10)));
    if (!got.ok()) {
      ADD_FAILURE() << got.status();
      return {};
    }
    auto state = got->As<schema::MonitorState>();
    return {
        state.getState(),           state.getExitCode(),     state.getOomKilled(),
        state.getStartedAtNs(),     state.getFinishedAtNs(), static_cast<int>(got->fds().size()),
        state.getDroppedLogBytes(), state.getReopened(),     state.getRefused()};
  }
  Seen WatchUntilExit() {
    base::UniqueFd fd = Connect();
    Request(fd, schema::MonitorRequest::WATCH);
    for (;;) {
      const Seen seen = Next(fd);
      if (seen.state == State::EXITED || HasFailure()) return seen;
    }
  }
  // Whether the monitor process ends within the time.
  bool Ends(absl::Duration patience) {
    const base::Deadline deadline = base::Deadline::After(patience);
    while (!deadline.Passed()) {
      int status;
      if (waitpid(monitor_, &status, WNOHANG) == monitor_) {
        monitor_ = -1;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
  std::string Log() { return *base::ReadFile((dir_ / "log").string(), 1 << 20); }

  std::filesystem::path dir_;
  sockaddr_un address_ = {};
  base::UniqueFd listen_, log_, events_, go_;
  uid_t broker_uid_ = geteuid();
  pid_t monitor_ = -1;
};

void Print(int fd, const char* text) { (void)!write(fd, text, strlen(text)); }

TEST_F(MonitorTest, FollowsAContainerFromCreatedToExited) {
  Begin([] {
    Print(1, "out\n");
    Print(2, "err\n");
    return 7;
  });
  base::UniqueFd fd = Connect();
  Request(fd, schema::MonitorRequest::WATCH);
  Seen seen = Next(fd);
  EXPECT_EQ(seen.state, State::CREATED);
  EXPECT_EQ(seen.fds, 1);
  Request(fd, schema::MonitorRequest::STARTED);
  seen = Next(fd);
  EXPECT_EQ(seen.state, State::RUNNING);
  EXPECT_GT(seen.started, 0);
  Go();
  seen = Next(fd);
  EXPECT_EQ(seen.state, State::EXITED);
  EXPECT_EQ(seen.exit_code, 7);
  EXPECT_GE(seen.finished, seen.started);
  EXPECT_FALSE(seen.oom_killed);
  EXPECT_THAT(Log(), testing::AllOf(testing::HasSubstr(" stdout F out\n"),
                                    testing::HasSubstr(" stderr F err\n")));
}

TEST_F(MonitorTest, StaysUntilTheExitIsAcknowledged) {
  Begin([] { return 0; });
  Go();
  EXPECT_EQ(WatchUntilExit().exit_code, 0);
  EXPECT_FALSE(Ends(absl::Milliseconds(100)));
  EXPECT_EQ(WatchUntilExit().state, State::EXITED) << "a restarted broker finds it";
  Request(Connect(), schema::MonitorRequest::ACKNOWLEDGE);
  EXPECT_TRUE(Ends(absl::Seconds(5)));
}

TEST_F(MonitorTest, ReportsASignalAsShellsDo) {
  Begin([] {
    raise(SIGKILL);
    return 0;
  });
  Go();
  EXPECT_EQ(WatchUntilExit().exit_code, 128 + SIGKILL);
}

TEST_F(MonitorTest, TellsAnOomKill) {
  constexpr char kEvents[] = "low 0\noom 1\noom_kill 1\n";
  ASSERT_EQ(write(events_.get(), kEvents, strlen(kEvents)), static_cast<ssize_t>(strlen(kEvents)));
  Begin([] { return 1; });
  Go();
  EXPECT_TRUE(WatchUntilExit().oom_killed);
}

TEST_F(MonitorTest, WritesAllOutputBeforeItTellsTheExit) {
  Begin([] {
    for (int i = 0; i < 2000; ++i) Print(1, "0123456789012345678901234567890123456789\n");
    return 0;
  });
  Go();
  WatchUntilExit();
  const std::string log = Log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2000);
}

TEST_F(MonitorTest, AProcessThatKeepsTheStreamOpenDelaysTheExitByASecondAtMost) {
  Begin([] {
    if (fork() == 0) {
      sleep(4);
      _exit(0);
    }
    return 3;
  });
  Go();
  const absl::Time begin = absl::Now();
  EXPECT_EQ(WatchUntilExit().exit_code, 3);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(3));
}

TEST_F(MonitorTest, ClosesTheConnectionOfAnotherUid) {
  broker_uid_ = 12345;
  Begin([] { return 0; });
  base::UniqueFd fd = Connect();
  auto got = ipc::Receive(fd.get(), {}, base::Deadline::After(absl::Seconds(5)));
  EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MonitorTest, SurvivesGarbageAndStalledPeers) {
  Begin([] {
    Print(1, "alive\n");
    return 0;
  });
  base::UniqueFd garbage = Connect();
  ASSERT_EQ(write(garbage.get(), "\xff\xff\xff\xff\0\0\0\0garbagegarbage", 22), 22);
  base::UniqueFd stalled = Connect();
  ASSERT_EQ(write(stalled.get(), "BHF1", 4), 4);
  Go();
  EXPECT_EQ(WatchUntilExit().exit_code, 0);
  EXPECT_THAT(Log(), testing::HasSubstr("alive"));
}

TEST_F(MonitorTest, ReopensTheLogButNotSomethingElse) {
  Begin([] {
    Print(1, "first\n");
    usleep(300 * 1000);
    Print(1, "second\n");
    return 0;
  });
  Go();
  while (Log().empty()) absl::SleepFor(absl::Milliseconds(5));
  base::UniqueFd fd = Connect();
  base::FdPair pipe = *base::MakePipe();
  Request(fd, schema::MonitorRequest::REOPEN_LOG, pipe.second.get());
  EXPECT_EQ(Next(fd).refused, 1u);
  const std::string rotated = (dir_ / "rotated").string();
  base::UniqueFd next(open(rotated.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
  Request(fd, schema::MonitorRequest::REOPEN_LOG, next.get());
  const Seen answer = Next(fd);
  EXPECT_EQ(answer.reopened, 1u);
  EXPECT_EQ(answer.refused, 1u);
  WatchUntilExit();
  EXPECT_THAT(Log(), testing::Not(testing::HasSubstr("second")));
  EXPECT_THAT(*base::ReadFile(rotated, 1 << 20), testing::HasSubstr(" stdout F second\n"));
}

// Rotated again and again while output comes as fast as it can: every line is in one of the files,
// once and in order.
TEST_F(MonitorTest, LosesNoLineToRotationUnderFlood) {
  constexpr int kLines = 200000;
  Begin([] {
    FILE* out = fdopen(1, "w");
    for (int i = 0; i < kLines; ++i) fprintf(out, "line %d\n", i);
    fclose(out);
    return 0;
  });
  base::UniqueFd fd = Connect();
  Request(fd, schema::MonitorRequest::WATCH);
  Next(fd);
  Go();
  std::vector<std::string> files = {(dir_ / "log").string()};
  for (bool ended = false; !ended;) {
    const std::string name = (dir_ / absl::StrCat("log.", files.size())).string();
    base::UniqueFd next(open(name.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600));
    Request(fd, schema::MonitorRequest::REOPEN_LOG, next.get());
    for (;;) {
      const Seen seen = Next(fd);
      ASSERT_FALSE(HasFailure());
      ended |= seen.state == State::EXITED;
      if (seen.reopened == files.size()) break;
    }
    files.push_back(name);
  }
  EXPECT_GT(files.size(), 5u) << "it was no flood";
  int expected = 0;
  for (const std::string& file : files) {
    for (absl::string_view line :
         absl::StrSplit(*base::ReadFile(file, 64 << 20), '\n', absl::SkipEmpty())) {
      ASSERT_TRUE(absl::EndsWith(line, absl::StrCat(" stdout F line ", expected))) << line;
      ++expected;
    }
  }
  EXPECT_EQ(expected, kLines);
}

TEST_F(MonitorTest, TellsOfOutputThatAFullDiskDoesNotTakeAndGoesOn) {
  log_.Reset(open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC));
  Begin([] {
    for (int i = 0; i < 100; ++i) Print(1, "0123456789\n");
    return 0;
  });
  base::UniqueFd fd = Connect();
  Request(fd, schema::MonitorRequest::WATCH);
  EXPECT_EQ(Next(fd).dropped, 0u);
  Go();
  int words = 0;
  Seen seen = Next(fd);
  for (; seen.state != State::EXITED && !HasFailure(); seen = Next(fd)) {
    EXPECT_GT(seen.dropped, 0u);
    ++words;
  }
  EXPECT_GE(words, 1);
  EXPECT_LE(words, 12) << "as often as it doubles";
  EXPECT_EQ(seen.exit_code, 0);
  EXPECT_EQ(seen.dropped, 100 * (strlen("2026-01-02T03:04:05.000000006Z stdout F ") + 11));
}

// It gives memory back meanwhile, its own code among it.
TEST_F(MonitorTest, WorksOnAfterAPause) {
  Begin([] {
    Print(1, "before\n");
    sleep(3);
    Print(1, "after\n");
    return 0;
  });
  Go();
  EXPECT_EQ(WatchUntilExit().exit_code, 0);
  EXPECT_THAT(Log(), testing::AllOf(testing::HasSubstr(" stdout F before\n"),
                                    testing::HasSubstr(" stdout F after\n")));
}

TEST_F(MonitorTest, IgnoresSigterm) {
  Begin([] { return 5; });
  base::UniqueFd fd = Connect();
  Request(fd, schema::MonitorRequest::WATCH);
  Next(fd);
  kill(monitor_, SIGTERM);
  Go();
  EXPECT_EQ(Next(fd).exit_code, 5);
}

}  // namespace
}  // namespace bulkhead::monitor
