// What changes the node is on record, before it happens, and the record shows who touched it.
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/fixture.h"

namespace bulkhead::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class Audit : public NodeTest {
 protected:
  std::vector<json> Records() {
    Output shown = node().Bulkhead({"audit", "show", "--json"});
    EXPECT_EQ(shown.code, 0) << shown.err;
    std::vector<json> records;
    std::istringstream lines(shown.out);
    for (std::string line; std::getline(lines, line);) {
      records.push_back(json::parse(line, nullptr, false));
      EXPECT_FALSE(records.back().is_discarded()) << line;
    }
    return records;
  }
  // The last record of an operation in this phase; null where there is none.
  json Find(const std::string& operation, const std::string& phase) {
    json found;
    for (const json& record : Records()) {
      if (record["operation"] == operation && record["phase"] == phase) found = record;
    }
    return found;
  }
  std::string LogFile() { return node().root_dir() + "/audit/00000000000000000001.log"; }
  // An immutable file refuses what is written to it, also by who has it open. False: the file
  // system knows no such flag.
  bool SetImmutable(bool on) {
    const base::UniqueFd fd(open(LogFile().c_str(), O_RDONLY | O_CLOEXEC));
    int flags = 0;
    if (ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return false;
    flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
    return ioctl(fd.get(), FS_IOC_SETFLAGS, &flags) == 0;
  }
};

TEST_F(Audit, EveryChangeHasItsIntentAndItsResult) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  cri::CreateContainerRequest request = ContainerRequest(*pod, "main", {"/bin/sleep", "1000"});
  auto* secret = request.mutable_config()->add_envs();
  secret->set_key("PASSWORD");
  secret->set_value("correct-horse");
  auto container = Create(request);
  ASSERT_THAT(container, IsOk());
  ASSERT_THAT(Start(*container), IsOk());
  ASSERT_THAT(Exec(*container, {"/bin/echo", "hello auditor"}), IsOk());
  RemoveAll();

  const json made = Find("CreateContainer", "result");
  EXPECT_EQ(made["containerId"], *container);
  EXPECT_EQ(made["code"], 0);
  EXPECT_EQ(made["claimed"]["container"], "main");
  EXPECT_EQ(made["effect"]["configDigest"].get<std::string>().size(), 64u);
  EXPECT_EQ(made["effect"]["privileged"], false);
  EXPECT_EQ(made["operationId"], Find("CreateContainer", "intent")["operationId"]);
  const json exec = Find("ExecSync", "intent");
  EXPECT_EQ(exec["argv"], (json{"/bin/echo", "hello auditor"}));
  EXPECT_EQ(exec["containerId"], *container);
  for (const char* operation : {"RunPodSandbox", "StartContainer", "RemovePodSandbox"}) {
    EXPECT_FALSE(Find(operation, "intent").is_null()) << operation;
    EXPECT_FALSE(Find(operation, "result").is_null()) << operation;
  }
  std::ostringstream log;
  log << std::ifstream(LogFile()).rdbuf();
  EXPECT_THAT(log.str(), Not(HasSubstr("correct-horse")));
}

TEST_F(Audit, VerifiesOnceTheNodeIsDownAndShowsAChange) {
  ASSERT_EQ(node().Bulkhead({"run", kImage, "--", "/bin/true"}).code, 0);
  EXPECT_EQ(node().Bulkhead({"audit", "verify"}).code, 2) << "its writer is at work";
  ASSERT_THAT(node().Down(), IsOk());
  Output verified = node().Bulkhead({"audit", "verify"});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  std::fstream log(LogFile(), std::ios::in | std::ios::out | std::ios::binary);
  log.seekg(400);
  const char byte = static_cast<char>(log.get());
  log.seekp(400);
  log.put(static_cast<char>(byte ^ 1));
  log.flush();
  Output tampered = node().Bulkhead({"audit", "verify"});
  EXPECT_EQ(tampered.code, 1) << tampered.out;
  EXPECT_THAT(tampered.out, HasSubstr("edit at entry 2"));
  log.seekp(400);
  log.put(byte);
  log.close();
  ASSERT_THAT(node().Up(), IsOk());
}

TEST_F(Audit, TheInitialKeyIsTakenOnce) {
  Output key = node().Bulkhead({"audit", "take-key"});
  EXPECT_EQ(key.code, 0) << key.err;
  EXPECT_EQ(key.out.size(), 65u);
  EXPECT_EQ(node().Bulkhead({"audit", "take-key"}).code, 1);
  ASSERT_THAT(node().Down(), IsOk());
  EXPECT_EQ(node().Bulkhead({"audit", "verify"}).code, 3) << "without the key";
  const std::string file = node().root_dir() + "/../taken.key";
  std::ofstream(file) << key.out;
  Output verified = node().Bulkhead({"audit", "verify", "--key", file});
  // The verifier reads it as root, before it gives root up, or not at all.
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  std::filesystem::remove(file);
  ASSERT_THAT(node().Up(), IsOk());
  TakeBaseline();
}

TEST_F(Audit, WhatCannotBeRecordedIsNotDone) {
  if (!SetImmutable(true)) GTEST_SKIP() << "no immutable files on this file system";
  auto refused = RunPod(PodRequest("refused"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("audit log"));
  ASSERT_TRUE(SetImmutable(false));
  auto pod = RunPod(PodRequest("taken"));
  EXPECT_THAT(pod, IsOk());
  RemoveAll();
  EXPECT_EQ(Find("RunPodSandbox", "result")["code"], 0);
}

TEST_F(Audit, AuditorThatDiesIsStartedAgainAndTheLogGoesOn) {
  auto pod = RunPod(PodRequest("pod"));
  ASSERT_THAT(pod, IsOk());
  const pid_t before = node().Daemon("auditor");
  ASSERT_GT(before, 0);
  ASSERT_EQ(kill(before, SIGKILL), 0);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    const pid_t now = node().Daemon("auditor");
    return now > 0 && now != before && PodStatus(*pod).ok();
  }));
  RemoveAll();
  EXPECT_FALSE(Find("RemovePodSandbox", "result").is_null());
  ASSERT_THAT(node().Down(), IsOk());
  EXPECT_EQ(node().Bulkhead({"audit", "verify"}).code, 0);
  ASSERT_THAT(node().Up(), IsOk());
}

}  // namespace
}  // namespace bulkhead::test
