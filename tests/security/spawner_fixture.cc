#include "tests/security/spawner_fixture.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cgroup.h"
#include "schema/config.capnp.h"

namespace bulkhead::security {
namespace {

namespace fs = std::filesystem;

base::UniqueFd MakeConfig(const Places& places, base::CgroupMode mode) {
  capnp::MallocMessageBuilder message;
  schema::Config::Builder config = message.initRoot<schema::Config>();
  config.setRootDir(places.root_dir.c_str());
  config.setRunDir(places.run_dir.c_str());
  config.initHost().setCgroupMode(static_cast<schema::Host::CgroupMode>(mode));
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return *base::MakeSealedMemfd(
      "config", absl::string_view(reinterpret_cast<const char*>(bytes.begin()), bytes.size()));
}

void Transmit(int socket, const void* data, size_t size, int fd, int copies) {
  iovec part = {const_cast<void*>(data), size};
  alignas(cmsghdr) char space[CMSG_SPACE(16 * sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = space;
    message.msg_controllen = CMSG_SPACE(copies * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(copies * sizeof(int));
    for (int i = 0; i < copies; ++i) memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(int));
  }
  EXPECT_EQ(sendmsg(socket, &message, MSG_NOSIGNAL), static_cast<ssize_t>(size));
}

}  // namespace

void SpawnerTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  if (!base::DetectCgroupMode().ok()) GTEST_SKIP() << "no cgroups are mounted";
  char name[] = "/tmp/bulkhead-spawner-XXXXXX";
  root_ = mkdtemp(name);
  places_ = {root_ + "/root", root_ + "/run"};
  for (const char* directory : {"root/layers", "root/containers", "run/pods"}) {
    fs::create_directories(root_ + "/" + directory);
  }
  Start(BULKHEAD_BIN_DIR);
}

void SpawnerTest::Start(const std::string& directory) {
  base::FdPair broker = *base::MakeSocketPair(SOCK_SEQPACKET);
  base::FdPair supervisor = *base::MakeSocketPair(SOCK_SEQPACKET);
  const base::UniqueFd config = MakeConfig(places_, *base::DetectCgroupMode());
  const base::UniqueFd programs(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const base::UniqueFd program(open(BULKHEAD_BIN_DIR "/bulkhead-spawner", O_PATH | O_CLOEXEC));
  absl::StatusOr<Spawned> spawned =
      Spawn(kSpawnerProfile,
            {.program = program.get(),
             .fds = {broker.second.get(), config.get(), programs.get(), supervisor.second.get()}});
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  spawner_ = *std::move(spawned);
  broker_ = std::move(broker.first);
  supervisor_ = std::move(supervisor.first);
}

void SpawnerTest::Stop() {
  broker_.Reset();
  supervisor_.Reset();
  if (spawner_.pid <= 0) return;
  int status = 0;
  ASSERT_EQ(waitpid(spawner_.pid, &status, 0), spawner_.pid);
  EXPECT_EQ(status, 0) << "the spawner did not end well";
  spawner_.pid = -1;
}

void SpawnerTest::Restart(const std::string& programs) {
  Stop();
  Start(programs);
}

void SpawnerTest::TearDown() {
  if (root_.empty()) return;
  Stop();
  fs::remove_all(root_);
}

void SpawnerTest::Send(const ipc::SpawnRequest& request, int fd, int copies) {
  Transmit(broker_.get(), &request, sizeof(request), fd, copies);
}

base::UniqueFd SpawnerTest::RequestWorker(uint64_t id, uint32_t kind) {
  base::FdPair control = *base::MakeSocketPair(SOCK_STREAM);
  Send({ipc::kSpawnMagic, ipc::SpawnOp::kSpawn, id, kind, 0}, control.second.get());
  return std::move(control.first);
}

std::optional<ipc::SpawnReply> SpawnerTest::Receive(int milliseconds) {
  pollfd entry = {broker_.get(), POLLIN, 0};
  if (poll(&entry, 1, milliseconds) != 1) return std::nullopt;
  ipc::SpawnReply reply;
  const ssize_t got = recv(broker_.get(), &reply, sizeof(reply), MSG_DONTWAIT);
  if (got != sizeof(reply)) return std::nullopt;
  EXPECT_EQ(reply.magic, ipc::kSpawnMagic);
  return reply;
}

std::optional<ipc::SpawnReply> SpawnerTest::ReceiveEvent(uint64_t id, ipc::SpawnEvent event) {
  for (;;) {
    std::optional<ipc::SpawnReply> reply = Receive();
    if (!reply.has_value() || (reply->id == id && reply->event == event)) return reply;
    // A worker that could not be started or has ended will not do anything else.
    if (reply->id == id && reply->event != ipc::SpawnEvent::kStarted) return std::nullopt;
  }
}

bool SpawnerTest::Closed() {
  for (;;) {
    pollfd entry = {broker_.get(), POLLIN, 0};
    if (poll(&entry, 1, 5000) != 1) return false;
    ipc::SpawnReply reply;
    const ssize_t got = recv(broker_.get(), &reply, sizeof(reply), MSG_DONTWAIT);
    if (got <= 0) return true;
  }
}

void SpawnerTest::Reconnect() {
  base::FdPair broker = *base::MakeSocketPair(SOCK_SEQPACKET);
  const char tag = 'B';
  Transmit(supervisor_.get(), &tag, 1, broker.second.get(), 1);
  broker_ = std::move(broker.first);
}

int SpawnerTest::CountCgroups() const {
  const std::string prefix = absl::StrCat("worker-", spawner_.pid, "-");
  int count = 0;
  for (const char* parent : {"memory/bulkhead", "pids/bulkhead", "bulkhead"}) {
    std::error_code missing;
    for (const auto& entry :
         fs::directory_iterator(absl::StrCat(base::kCgroupMount, "/", parent), missing)) {
      const bool own = absl::StartsWith(entry.path().filename().string(), prefix);
      if (own && std::ifstream(entry.path() / "cgroup.procs").peek() != EOF) ++count;
    }
  }
  return count;
}

}  // namespace bulkhead::security
