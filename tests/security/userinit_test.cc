// The init of a pod with a user namespace: a real worker, which becomes two processes.
#include <capnp/message.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fs.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "schema/worker/init.capnp.h"
#include "schema/worker/userinit.capnp.h"
#include "security/enforce/inspect.h"
#include "tests/security/spawner_fixture.h"

namespace bulkhead::security {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;
using ipc::SpawnEvent;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kHost = 200000, kIds = 65536;

base::Deadline Soon() { return base::Deadline::After(absl::Seconds(10)); }

ino_t InodeOf(int fd) {
  struct stat st = {};
  fstat(fd, &st);
  return st.st_ino;
}

bool IsGone(pid_t pid) {
  for (int i = 0; i < 500 && kill(pid, 0) == 0; ++i) absl::SleepFor(absl::Milliseconds(10));
  return kill(pid, 0) != 0;
}

// A user namespace as a pod has it.
UniqueFd MakeUserNamespace() {
  base::FdPair hold = *base::MakePipe(), made = *base::MakePipe();
  const pid_t child = fork();
  if (child == 0) {
    char byte = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
    hold.second.Reset();
    const bool told = write(made.second.get(), &byte, 1) == 1;
    _exit(told && read(hold.first.get(), &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 'n';
  EXPECT_EQ(read(made.first.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const std::string proc = absl::StrCat("/proc/", child);
  for (const char* file : {"/uid_map", "/gid_map"}) {
    EXPECT_TRUE(
        base::WriteKernelFile(AT_FDCWD, proc + file, absl::StrCat("0 ", kHost, " ", kIds)).ok());
  }
  UniqueFd user(open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  hold.second.Reset();
  waitpid(child, nullptr, 0);
  return user;
}

class UserinitTest : public SpawnerTest {
 protected:
  void SetUp() override {
    SpawnerTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    user_ = MakeUserNamespace();
    listener_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = Address();
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    ASSERT_EQ(chmod(address.sun_path, 0666), 0);
    ASSERT_EQ(chmod(root_.c_str(), 0755), 0);
    ASSERT_EQ(listen(listener_.get(), 8), 0);
  }

  // It outlives its spawner, so that one cannot end it.
  void TearDown() override {
    std::string name;
    std::getline(std::ifstream(absl::StrCat("/proc/", parent_, "/comm")), name);
    if (name == "bh-init" || name == "bh-userinit") {
      kill(parent_, SIGKILL);
      ReceiveEvent(1, SpawnEvent::kExited);
    }
    SpawnerTest::TearDown();
  }

  sockaddr_un Address() const {
    sockaddr_un address = {.sun_family = AF_UNIX};
    const std::string path = root_ + "/init";
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
  }

  // The answer to a job with this namespace; parent_ is the worker.
  absl::Status Run(int user_namespace) {
    control_ = RequestWorker(1, static_cast<uint32_t>(Kind::kUserinit));
    const auto started = ReceiveEvent(1, SpawnEvent::kStarted);
    if (!started.has_value()) return absl::InternalError("not started");
    parent_ = started->pid;
    if (absl::Status hello = ipc::Receive(control_.get(), {}, Soon()).status(); !hello.ok()) {
      return hello;
    }
    capnp::MallocMessageBuilder job;
    job.initRoot<schema::UserinitJob>().setPodId("pod");
    absl::Status sent = ipc::Send(control_.get(), job, {listener_.get(), user_namespace}, Soon());
    if (!sent.ok()) return sent;
    auto answer = ipc::Receive(control_.get(), {}, Soon());
    if (!answer.ok()) return answer.status();
    return ipc::ReadStatus(answer->As<schema::UserinitResult>().getStatus());
  }

  // As this user of the node; gives the first process's number as its pidfd has it, 0 where it was
  // refused. say_end: and ends it.
  pid_t Connect(uid_t uid, bool say_end) {
    base::FdPair told = *base::MakePipe();
    const pid_t child = fork();
    if (child == 0) {
      pid_t pid = 0;
      const sockaddr_un address = Address();
      UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (setresuid(uid, uid, uid) != 0 ||
          connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
              0) {
        _exit(1);
      }
      auto state = ipc::Receive(connection.get(), {.max_bytes = 4096, .max_fds = 1}, Soon());
      if (state.ok() && state->fds().size() == 1) {
        std::ifstream info(absl::StrCat("/proc/self/fdinfo/", state->fds()[0].get()));
        for (std::string word; info >> word;) {
          if (word == "Pid:") info >> pid;
        }
        if (say_end && send(connection.get(), "e", 1, MSG_NOSIGNAL) != 1) _exit(1);
      }
      _exit(write(told.second.get(), &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
    }
    told.second.Reset();
    pid_t pid = -1;
    EXPECT_EQ(read(told.first.get(), &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
    waitpid(child, nullptr, 0);
    return pid;
  }

  pid_t First() const {
    std::ifstream children(absl::StrCat("/proc/", parent_, "/task/", parent_, "/children"));
    pid_t first = 0, other = 0;
    EXPECT_TRUE(children >> first);
    EXPECT_FALSE(children >> other) << "the helper is left";
    return first;
  }

  // Whether body, run as root of the pod in a process of the pod, returns 0.
  bool InPod(pid_t first, const std::function<int()>& body) {
    UniqueFd pids(open(absl::StrCat("/proc/", first, "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
    const pid_t child = fork();
    if (child == 0) {
      if (setns(user_.get(), CLONE_NEWUSER) != 0 || setns(pids.get(), CLONE_NEWPID) != 0) _exit(9);
      const pid_t inside = fork();
      if (inside == 0) {
        if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) _exit(8);
        _exit(body());
      }
      int status = -1;
      waitpid(inside, &status, 0);
      _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 7);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  UniqueFd user_, listener_, control_;
  pid_t parent_ = -1;
};

TEST_F(UserinitTest, BothProcessesAreInitByItsTable) {
  const absl::Status status = Run(user_.get());
  ASSERT_TRUE(status.ok()) << status;
  const auto parent = Inspect(kInitProfile, parent_, {.places = places_});
  ASSERT_TRUE(parent.ok()) << parent.status();
  EXPECT_THAT(*parent, IsEmpty());

  const pid_t first = First();
  Profile inside = kInitProfile;
  inside.uid += kHost;
  inside.namespaces.user = Ns::kNew;
  const auto seen =
      InspectWhenEntered(inside, first, {.places = places_, .exact_fds = true}, Soon());
  EXPECT_TRUE(seen.ok()) << seen;
  const std::string proc = absl::StrCat("/proc/", first);
  const std::string text = *base::ReadFile(proc + "/status", 65536);
  EXPECT_THAT(text, HasSubstr("Name:\tbh-init\n"));
  EXPECT_THAT(text, HasSubstr("\t1\n")) << "NSpid";
  for (const auto& entry : fs::directory_iterator(proc + "/fd")) {
    const std::string target = fs::read_symlink(entry.path());
    if (std::stoi(entry.path().filename()) > 2) {
      EXPECT_EQ(target, "anon_inode:[signalfd]");
    }
  }
  const UniqueFd pids(open((proc + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd owner(ioctl(pids.get(), NS_GET_USERNS));
  EXPECT_EQ(InodeOf(owner.get()), InodeOf(user_.get()));
  EXPECT_EQ(fs::directory_iterator(proc + "/root"), fs::directory_iterator()) << "an empty root";
}

TEST_F(UserinitTest, ThePodsRootHasNoPowerOverIt) {
  ASSERT_TRUE(Run(user_.get()).ok());
  const pid_t first = First();
  const std::string proc = absl::StrCat("/proc/", first);
  EXPECT_TRUE(InPod(first, [] { return getppid() == 0 ? 0 : 1; }));
  EXPECT_TRUE(InPod(first, [] { return kill(1, 0) == 0 ? 0 : 1; })) << "it is in reach";
  EXPECT_TRUE(InPod(first, [] { return ptrace(PTRACE_SEIZE, 1, 0, 0) != 0 ? 0 : 1; }));
  for (const char* file : {"/mem", "/environ", "/root/", "/fd/0"}) {
    EXPECT_TRUE(InPod(first, [&] {
      return open((proc + file).c_str(), O_RDONLY) < 0 && errno == EACCES ? 0 : 1;
    })) << file;
  }
  for (int number : {SIGTERM, SIGKILL, SIGSTOP}) {
    InPod(first, [number] { return kill(1, number); });
  }
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_THAT(*base::ReadFile(proc + "/status", 65536), HasSubstr("State:\tS"));
}

TEST_F(UserinitTest, AnswersTheBrokerAlone) {
  ASSERT_TRUE(Run(user_.get()).ok());
  const pid_t first = First();
  EXPECT_EQ(Connect(0, false), 0);
  EXPECT_EQ(Connect(kHost, false), 0);
  EXPECT_EQ(Connect(kHost + kMonitorUid, false), 0);
  EXPECT_EQ(Connect(kBrokerUid, false), first);
  EXPECT_EQ(Connect(kBrokerUid, true), first);
  const auto exited = ReceiveEvent(1, SpawnEvent::kExited);
  ASSERT_TRUE(exited.has_value());
  EXPECT_EQ(exited->value, 0);
  EXPECT_TRUE(IsGone(first));
  EXPECT_EQ(CountCgroups(), 0);
}

TEST_F(UserinitTest, NeitherOutlivesTheOther) {
  ASSERT_TRUE(Run(user_.get()).ok());
  pid_t first = First();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  EXPECT_TRUE(ReceiveEvent(1, SpawnEvent::kExited).has_value());
  EXPECT_TRUE(IsGone(parent_));

  Reconnect();
  ASSERT_TRUE(Run(user_.get()).ok());
  first = First();
  ASSERT_EQ(kill(parent_, SIGKILL), 0);
  EXPECT_TRUE(ReceiveEvent(1, SpawnEvent::kExited).has_value());
  EXPECT_TRUE(IsGone(first));
  EXPECT_EQ(CountCgroups(), 0);
}

TEST_F(UserinitTest, OutlivesBrokerAndSpawner) {
  ASSERT_TRUE(Run(user_.get()).ok());
  const pid_t first = First();
  control_.Reset();
  broker_.Reset();
  Restart(BULKHEAD_BIN_DIR);
  EXPECT_EQ(Connect(kBrokerUid, true), first);
  EXPECT_TRUE(IsGone(first));
  parent_ = -1;  // whose exit this spawner does not see
}

TEST_F(UserinitTest, EntersUserNamespacesAlone) {
  for (const char* other : {"/proc/self/ns/net", "/proc/self/ns/user", "/dev/null"}) {
    const UniqueFd fd(open(other, O_RDONLY | O_CLOEXEC));
    EXPECT_FALSE(Run(fd.get()).ok()) << other;
    EXPECT_TRUE(ReceiveEvent(1, SpawnEvent::kExited).has_value());
    Reconnect();
  }
  EXPECT_EQ(CountCgroups(), 0);
}

}  // namespace
}  // namespace bulkhead::security
