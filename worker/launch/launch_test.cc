#include "worker/launch/launch_fixture_test.h"

namespace bulkhead::launch {
namespace {

using testing::HasSubstr;

// What a process has for itself, beside the pages of its program.
int PrivateDirtyKb(const std::string& proc) {
  std::ifstream rollup(proc + "/smaps_rollup");
  for (std::string word; rollup >> word;) {
    int kb = 0;
    if (word == "Private_Dirty:" && rollup >> kb) return kb;
  }
  return 1 << 30;
}

TEST_F(LaunchFixture, FromCreatedToDeleted) {
  ASSERT_TRUE(Create({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}).ok());
  EXPECT_TRUE(fs::exists(Bundle() / "config.json"));
  WaitFor(State::CREATED);
  EXPECT_EQ(Log(), "");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 3);
  EXPECT_THAT(Log(), testing::AllOf(HasSubstr(" stdout F out\n"), HasSubstr(" stderr F err\n")));
  EXPECT_TRUE(MonitorEnds(true));
  EXPECT_TRUE(Delete().ok());
  EXPECT_TRUE(NothingIsLeft());
  EXPECT_TRUE(Delete().ok()) << "what is gone is success";
}

TEST_F(LaunchFixture, RunsAsTheUserInTheDirectoryWithTheEnvironment) {
  Run({"/bin/sh", "-c", "id -u; id -g; id -G; pwd; echo $GREETING"}, [](auto spec) {
    auto process = spec.getProcess();
    auto user = process.initUser();
    user.setUid(1000);
    user.setGid(1001);
    auto gids = user.initAdditionalGids(2);
    gids.set(0, 1001);
    gids.set(1, 44);
    process.setCwd("/made/by/runtime");
    auto env = process.initEnv(2);
    env[0].setKey("PATH");
    env[0].setValue(kj::StringPtr("/bin").asBytes());
    env[1].setKey("GREETING");
    env[1].setValue(kj::StringPtr("hello world").asBytes());
  });
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0) << Log();
  EXPECT_EQ(Output(), "1000\n1001\n1001 44\n/made/by/runtime\nhello world\n");
}

TEST_F(LaunchFixture, V24TheProcessIsConfinedAsPromised) {
  Run({"/bin/sh", "-c", "grep -E 'Seccomp:|NoNewPrivs|Cap' /proc/self/status; ls /proc/self/fd"});
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  const std::string out = Output();
  EXPECT_THAT(out, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(out, HasSubstr("NoNewPrivs:\t0\n"));
  EXPECT_THAT(out, HasSubstr("CapInh:\t0000000000000000\n"));
  EXPECT_THAT(out, HasSubstr("CapBnd:\t00000000a80425fb\n"));
  EXPECT_THAT(out, testing::EndsWith("0\n1\n2\n3\n")) << "a descriptor leaked";
}

TEST_F(LaunchFixture, NoNewPrivilegesComesWithItsSeccompFilter) {
  Run({"/bin/sh", "-c", "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status"},
      [](auto spec) { spec.getProcess().setNoNewPrivileges(true); });
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_THAT(Output(), testing::AllOf(HasSubstr("Seccomp:\t2"), HasSubstr("NoNewPrivs:\t1")));
}

TEST_F(LaunchFixture, ATerminalIsLoggedToo) {
  Run({"/bin/sh", "-c", "tty; test -t 0 && test -t 1 && echo both"},
      [](auto spec) { spec.getProcess().setTerminal(true); });
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_THAT(Output(), HasSubstr("/dev/pts/0\r\nboth\r\n"));
}

TEST_F(LaunchFixture, StdinStaysOpenOnlyWhereItIsAskedFor) {
  Run({"/bin/sh", "-c", "cat; echo end"});
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_EQ(Output(), "end\n");
}

TEST_F(LaunchFixture, AProgramThatIsMissingLeavesNothing) {
  const absl::Status status = Create({"/bin/no-such-program"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no-such-program"));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(LaunchFixture, V33ALinkInPlaceOfDevIsRefused) {
  fs::remove(dir_ / "image/dev");
  fs::create_directory(dir_ / "decoy");
  fs::create_symlink(dir_ / "decoy", dir_ / "image/dev");
  const absl::Status status = Create({"/bin/true"});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev"));
  EXPECT_TRUE(fs::is_empty(dir_ / "decoy"));
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(LaunchFixture, ALogThatIsALinkOrAPipeIsRefused) {
  fs::create_directory(dir_ / "log");
  fs::create_symlink(dir_ / "elsewhere", dir_ / "log/0.log");
  EXPECT_FALSE(Create({"/bin/true"}).ok());
  EXPECT_FALSE(fs::exists(dir_ / "elsewhere"));
  fs::remove(dir_ / "log/0.log");
  ASSERT_EQ(mkfifo((dir_ / "log/0.log").c_str(), 0600), 0);
  EXPECT_FALSE(Create({"/bin/true"}).ok());
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(LaunchFixture, ARuntimeThatOthersCanWriteIsRefused) {
  fs::copy_file("/usr/bin/crun", dir_ / "crun");
  ASSERT_EQ(chmod((dir_ / "crun").c_str(), 0777), 0);
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::LaunchJob>();
  FillJob(job);
  job.setRuntimePath((dir_ / "crun").string());
  job.setStart();
  EXPECT_EQ(RunJob(message, {}).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(LaunchFixture, DeleteEndsARunningContainer) {
  Run({"/bin/sleep", "1000"});
  EXPECT_TRUE(Delete().ok());
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 128 + SIGKILL);
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(LaunchFixture, TellsThatMemoryRanOut) {
  Run({"/bin/sh", "-c", "exec tail /dev/zero"},
      [](auto spec) { spec.initResources().setMemoryLimit(24 << 20); });
  const Seen seen = WaitFor(State::EXITED);
  EXPECT_EQ(seen.exit_code, 128 + SIGKILL);
  EXPECT_TRUE(seen.oom_killed);
}

TEST_F(LaunchFixture, VolumesAreThereAndFollowTheNode) {
  fs::create_directories(dir_ / "host/dir/sub");
  std::ofstream(dir_ / "host/file") << "from the node\n";
  for (const char* name : {"host/file", "host/dir"}) {
    base::UniqueFd source(open((dir_ / name).c_str(), O_PATH | O_CLOEXEC));
    volumes_.push_back(*base::CloneMount(source.get(), "", true));
  }
  Run({"/bin/sh", "-c",
       "cat /etc/config; touch /etc/config || echo read-only; touch /data/made; "
       "for i in 1 2 3 4 5 6 7 8 9; do test -e /data/sub/late && break; sleep 0.2; done; "
       "ls /data/sub"},
      [](auto spec) {
        auto mounts = spec.initMounts(2);
        mounts[0].setDestination("/etc/config");
        mounts[0].setReadOnly(true);
        mounts[1].setDestination("/data");
        mounts[1].setVolume(1);
        mounts[1].setPropagation(schema::Mount::Propagation::HOST_TO_CONTAINER);
      });
  ASSERT_EQ(mount("late", (dir_ / "host/dir/sub").c_str(), "tmpfs", 0, nullptr), 0);
  std::ofstream(dir_ / "host/dir/sub/late") << "";
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_THAT(Output(), HasSubstr("from the node\n"));
  EXPECT_THAT(Output(), HasSubstr("read-only\n"));
  EXPECT_THAT(Output(), testing::EndsWith("\nlate\n")) << "the mount did not travel";
  EXPECT_TRUE(fs::exists(dir_ / "host/dir/made"));
}

TEST_F(LaunchFixture, JoinsThePodsNetwork) {
  const fs::path pin = dir_ / "run/pods" / pod_ / "net";
  std::ofstream(pin) << "";
  const pid_t child = fork();
  if (child == 0) {
    _exit(unshare(CLONE_NEWNET) == 0 &&
                  mount("/proc/self/ns/net", pin.c_str(), nullptr, MS_BIND, nullptr) == 0
              ? 0
              : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  struct stat st;
  ASSERT_EQ(stat(pin.c_str(), &st), 0);
  Run({"/bin/sh", "-c", "stat -L -c %i /proc/self/ns/net"},
      [](auto spec) { spec.getNamespaces().setNetwork(Source::POD); });
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_EQ(Output(), absl::StrCat(st.st_ino, "\n"));
}

TEST_F(LaunchFixture, TheMonitorHoldsNoPower) {
  Run({"/bin/sleep", "1000"});
  WaitFor(State::CREATED);
  const std::string proc = absl::StrCat("/proc/", monitor_);
  const std::string text = *base::ReadFile(proc + "/status", 1 << 16);
  const std::string uid = absl::StrCat(security::kMonitorUid);
  EXPECT_THAT(text, HasSubstr(absl::StrCat("Uid:\t", uid, "\t", uid, "\t", uid, "\t", uid)));
  EXPECT_THAT(text, HasSubstr("CapPrm:\t0000000000000000"));
  EXPECT_THAT(text, HasSubstr("CapBnd:\t0000000000000000"));
  EXPECT_THAT(text, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(text, HasSubstr("Seccomp:\t2"));
  EXPECT_EQ(*base::ReadFile(proc + "/environ", 1 << 16), "");
  // The node's mounts and the container's rootfs are not held by it.
  EXPECT_THAT(*base::ReadFile(proc + "/mounts", 1 << 20), testing::Not(HasSubstr("rootfs")));
  EXPECT_LT(PrivateDirtyKb(proc), 1024) << "one monitor a container must stay small";
}

TEST_F(LaunchFixture, JoinsThePidNamespaceOfAnotherProcess) {
  const pid_t other = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  if (other == 0) {
    pause();
    _exit(0);
  }
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, other, 0)));
  const fs::path expected = fs::read_symlink(absl::StrCat("/proc/", other, "/ns/pid"));
  Run({"/bin/sh", "-c", "readlink /proc/self/ns/pid"},
      [](auto spec) { spec.getNamespaces().setPid(Source::TARGET); });
  EXPECT_EQ(WaitFor(State::EXITED).exit_code, 0);
  EXPECT_EQ(Output(), absl::StrCat(expected.string(), "\n"));
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
}

TEST_F(LaunchFixture, ATargetThatHasEndedIsRefused) {
  const pid_t other = fork();
  if (other == 0) _exit(0);
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, other, 0)));
  waitpid(other, nullptr, 0);
  const absl::Status status =
      Create({"/bin/true"}, [](auto spec) { spec.getNamespaces().setPid(Source::TARGET); });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(NothingIsLeft());
}

}  // namespace
}  // namespace bulkhead::launch
