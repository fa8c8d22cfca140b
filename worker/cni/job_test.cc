// The whole job against a peer that plays the network worker by a script.
#include "worker/cni/job.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "ipc/message.h"
#include "ipc/status_codec.h"
#include "schema/worker/network.capnp.h"
#include "worker/cni/config.h"

namespace bulkhead::cni {
namespace {

using schema::NetworkRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Operation = schema::CniJob::Operation;

constexpr char kList[] = R"({"cniVersion":"0.4.0","name":"pods","plugins":[
  {"type":"bridge"},{"type":"tuning"},{"type":"portmap","capabilities":{"portMappings":true}}]})";
constexpr char kGood[] =
    R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.1.0.5/24"}]})";
constexpr char kOther[] =
    R"({"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.1.0.6/24"}]})";
constexpr char kFailure[] = R"({"cniVersion":"0.4.0","code":100,"msg":"no luck"})";

struct Answer {
  std::string text;
  int exit_code = 0;
  absl::Status status;
};

// Answers each request with the next of the script, and closes after the last.
class Peer {
 public:
  explicit Peer(std::vector<Answer> script) : script_(std::move(script)) {
    auto pair = base::MakeSocketPair(SOCK_STREAM);
    EXPECT_TRUE(pair.ok());
    theirs = std::move(pair->first);
    thread_ =
        std::thread([this, socket = pair->second.Release()] { Serve(base::UniqueFd(socket)); });
  }
  // What was asked, "ADD bridge", and the input to it.
  const std::vector<std::string>& Asked() {
    theirs.Reset();
    if (thread_.joinable()) thread_.join();
    return asked;
  }
  ~Peer() { Asked(); }

  base::UniqueFd theirs;
  std::vector<std::string> asked;
  std::vector<Json> inputs;

 private:
  void Serve(base::UniqueFd socket) {
    for (const Answer& answer : script_) {
      auto received = ipc::Receive(socket.get(), {}, base::Deadline::After(absl::Seconds(20)));
      if (!received.ok()) return;
      auto request = received->As<NetworkRequest>();
      constexpr const char* kNames[] = {"ADD ", "DEL ", "CHECK ", "VERSION ", "GC ", "STATUS "};
      asked.push_back(
          absl::StrCat(kNames[static_cast<int>(request.getCommand())], request.getPlugin().cStr()));
      const auto text = request.getStdin().asChars();
      inputs.push_back(Json::parse(text.begin(), text.end(), nullptr, false));
      capnp::MallocMessageBuilder message;
      auto reply = message.initRoot<schema::NetworkReply>();
      ipc::WriteStatus(answer.status, reply.initStatus());
      reply.setExitCode(answer.exit_code);
      reply.setStdout(kj::StringPtr(answer.text.c_str(), answer.text.size()).asBytes());
      if (!ipc::Send(socket.get(), message, {}, base::Deadline::After(absl::Seconds(20))).ok())
        return;
    }
  }
  std::vector<Answer> script_;
  std::thread thread_;
};

struct Done {
  absl::Status status;
  std::vector<std::string> ips;
  std::string result;
  int attempted = 0;
  std::string network_name, file_name;
  std::vector<std::string> refused;
};

struct File {
  std::string name, text;
};

kj::ArrayPtr<const kj::byte> Bytes(const std::string& text) {
  return kj::StringPtr(text.c_str(), text.size()).asBytes();
}

Done RunJob(Operation operation, Peer* peer, const std::vector<File>& files,
            const std::function<void(schema::CniJob::Builder)>& fill = nullptr) {
  capnp::MallocMessageBuilder in, out;
  auto job = in.initRoot<schema::CniJob>();
  job.setOperation(operation);
  std::vector<base::UniqueFd> fds;
  if (peer != nullptr) fds.push_back(std::move(base::Duplicate(peer->theirs.get()).value()));
  auto names = job.initFileNames(files.size());
  for (unsigned i = 0; i < files.size(); ++i) {
    names.set(i, files[i].name);
    fds.push_back(std::move(base::MakeSealedMemfd("conf", files[i].text).value()));
  }
  if (fill) fill(job);
  RunCniJob(job.asReader(), std::move(fds), out.initRoot<schema::CniResult>());
  auto result = out.getRoot<schema::CniResult>().asReader();
  Done done = {ipc::ReadStatus(result.getStatus())};
  for (auto ip : result.getIps()) done.ips.emplace_back(ip.cStr());
  for (auto name : result.getRefused()) done.refused.emplace_back(name.cStr());
  done.result.assign(result.getResult().asChars().begin(), result.getResult().size());
  done.attempted = result.getAttempted();
  done.network_name = result.getNetworkName().cStr();
  done.file_name = result.getFileName().cStr();
  return done;
}

// add: what an earlier add returned.
Done RunFor(Operation operation, Peer* peer, const std::string& configuration,
            const Done& add = {.attempted = 3}) {
  return RunJob(operation, peer, {}, [&](schema::CniJob::Builder job) {
    auto attachment = job.initAttachment();
    attachment.setConfiguration(Bytes(configuration));
    attachment.setAttempted(static_cast<uint16_t>(add.attempted));
    attachment.setResult(Bytes(add.result));
    auto mapping = attachment.initCapabilities().initPortMappings(1)[0];
    mapping.setHostPort(8080);
    mapping.setContainerPort(80);
  });
}

TEST(CniJob, AddsThroughTheWholeChain) {
  Peer peer({{kOther}, {kOther}, {kGood}});
  const Done done = RunFor(Operation::ADD, &peer, kList);
  ASSERT_TRUE(done.status.ok()) << done.status;
  EXPECT_THAT(done.ips, ElementsAre("10.1.0.5"));
  EXPECT_EQ(done.attempted, 3);
  EXPECT_THAT(done.result, HasSubstr("10.1.0.5/24"));
  EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "ADD tuning", "ADD portmap"));
  EXPECT_FALSE(peer.inputs[0].contains("prevResult"));
  EXPECT_FALSE(peer.inputs[0].contains("runtimeConfig"));
  EXPECT_EQ(peer.inputs[1]["prevResult"]["ips"][0]["address"], "10.1.0.6/24");
  EXPECT_EQ(peer.inputs[2]["runtimeConfig"]["portMappings"][0]["hostPort"], 8080);
  for (const Json& input : peer.inputs) {
    EXPECT_EQ(input["name"], "pods");
    EXPECT_EQ(input["cniVersion"], "0.4.0");
  }
}

TEST(CniJob, DeletesByTheRecordAlone) {
  Peer add({{kOther}, {kOther}, {kGood}});
  const Done added = RunFor(Operation::ADD, &add, kList);
  ASSERT_TRUE(added.status.ok());
  Peer peer({{""}, {""}, {"ignored"}});
  const Done done = RunFor(Operation::DEL, &peer, kList, added);
  EXPECT_TRUE(done.status.ok()) << done.status;
  EXPECT_THAT(peer.Asked(), ElementsAre("DEL portmap", "DEL tuning", "DEL bridge"));
  for (const Json& input : peer.inputs) {
    EXPECT_EQ(input["prevResult"]["ips"][0]["address"], "10.1.0.5/24");
  }
}

TEST(CniJob, DeletesWhatItCanAndReportsTheFirstFailure) {
  Peer peer({{""}, {kFailure, 1}, {"", 0, absl::NotFoundError("gone")}});
  const Done done = RunFor(Operation::DEL, &peer, kList);
  EXPECT_THAT(std::string(done.status.message()),
              testing::AllOf(HasSubstr("tuning DEL"), HasSubstr("no luck")));
  EXPECT_EQ(peer.Asked().size(), 3u);
}

TEST(CniJob, UndoesAFailedAdd) {
  Peer peer({{kOther}, {kFailure, 1}, {""}, {""}});
  const Done done = RunFor(Operation::ADD, &peer, kList);
  EXPECT_TRUE(absl::IsInternal(done.status));
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("network pods: tuning ADD: no luck"));
  EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "ADD tuning", "DEL tuning", "DEL bridge"));
  EXPECT_EQ(peer.inputs[3]["prevResult"]["ips"][0]["address"], "10.1.0.6/24");
  EXPECT_THAT(done.ips, IsEmpty());
  EXPECT_EQ(done.attempted, 0);
}

TEST(CniJob, OwesADeleteThatFailed) {
  Peer peer({{kOther}, {"garbage", 0}, {""}, {kFailure, 1}});
  const Done done = RunFor(Operation::ADD, &peer, kList);
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("tuning ADD"));
  ASSERT_EQ(done.attempted, 2);
  Peer later({{""}, {""}});
  EXPECT_TRUE(RunFor(Operation::DEL, &later, kList, done).status.ok());
  EXPECT_THAT(later.Asked(), ElementsAre("DEL tuning", "DEL bridge"));
}

TEST(CniJob, TakesNoResultForAFailure) {
  const std::string single = R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]})";
  for (const char* text : {"", "garbage", "[]", R"({"cniVersion":"1.0.0"})",
                           R"({"cniVersion":"1.0.0","ips":[{"address":"127.0.0.1/8"}]})",
                           R"({"cniVersion":"1.0.0","interfaces":[{"name":"cni0"}],)"
                           R"("ips":[{"interface":0,"address":"10.0.0.1/8"}]})"}) {
    Peer peer({{text}, {""}});
    const Done done = RunFor(Operation::ADD, &peer, single);
    EXPECT_TRUE(absl::IsInternal(done.status)) << text;
    EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "DEL bridge")) << text;
  }
}

TEST(CniJob, PassesTheNetworkWorkersStatusOn) {
  Peer peer({{"", 0, absl::DeadlineExceededError("it did not end in time")}, {""}});
  EXPECT_TRUE(absl::IsDeadlineExceeded(RunFor(Operation::ADD, &peer, kList).status));
}

TEST(CniJob, OwesNothingToAPluginThatNeverRan) {
  Peer peer({{kOther}, {"", 0, absl::NotFoundError("no such plugin")}, {""}});
  const Done done = RunFor(Operation::ADD, &peer, kList);
  EXPECT_TRUE(absl::IsNotFound(done.status));
  EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "ADD tuning", "DEL bridge"));
  EXPECT_EQ(done.attempted, 0);
}

TEST(CniJob, OutlivesThePeer) {
  Peer peer({{kOther}});
  const Done done = RunFor(Operation::ADD, &peer, kList);
  EXPECT_TRUE(absl::IsUnavailable(done.status)) << done.status;
  EXPECT_EQ(done.attempted, 2) << "what was added is owed a delete";
}

TEST(CniJob, GivesOldNetworksNoResultAtDel) {
  std::string old = kList;
  old.replace(old.find("0.4.0"), 5, "0.3.1");
  Peer add({{kGood}, {kGood}, {kGood}});
  const Done added = RunFor(Operation::ADD, &add, old);
  ASSERT_TRUE(added.status.ok()) << added.status;
  EXPECT_EQ(add.Asked().size(), 3u);
  EXPECT_EQ(add.inputs[1]["prevResult"]["cniVersion"], "0.3.1");
  Peer peer({{""}, {""}, {""}});
  EXPECT_TRUE(RunFor(Operation::DEL, &peer, old, added).status.ok());
  EXPECT_EQ(peer.Asked().size(), 3u);
  EXPECT_FALSE(peer.inputs[0].contains("prevResult"));
}

constexpr char kVersions[] = R"({"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]})";

TEST(CniJob, LoadsTheFirstGoodFile) {
  const std::string single = R"({"cniVersion":"1.0.0","name":"second","type":"ptp"})";
  Peer peer({{kVersions}});
  Done done = RunJob(Operation::LOAD, &peer,
                     {{"1.conflist", "{"}, {"2.conf", single}, {"3.conflist", kList}});
  EXPECT_TRUE(done.status.ok()) << done.status;
  EXPECT_EQ(done.network_name, "second");
  EXPECT_EQ(done.file_name, "2.conf");
  EXPECT_THAT(done.refused, ElementsAre("1.conflist"));
  EXPECT_THAT(peer.Asked(), ElementsAre("VERSION ptp"));
  EXPECT_EQ(peer.inputs[0]["cniVersion"], "1.0.0");
  Peer silent({});
  done = RunJob(Operation::LOAD, &silent, {{"1.conflist", "{"}});
  EXPECT_TRUE(absl::IsFailedPrecondition(done.status));
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("1.conflist"));
  EXPECT_TRUE(absl::IsFailedPrecondition(RunJob(Operation::LOAD, &silent, {}).status));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      RunJob(Operation::LOAD, &silent, {{"a.conf", std::string(kMaxConfigBytes + 1, ' ')}})
          .status));
}

TEST(CniJob, LoadsNothingThatItsPluginsCannotDo) {
  std::string latest = kList;
  latest.replace(latest.find("0.4.0"), 5, "1.1.0");
  for (const Answer& answer :
       {Answer{kVersions}, Answer{"garbage"}, Answer{kFailure, 1},
        Answer{"", 0, absl::NotFoundError("plugin bridge: in none of the directories")}}) {
    Peer peer({answer});
    const Done done = RunJob(Operation::LOAD, &peer, {{"a.conflist", latest}});
    EXPECT_TRUE(absl::IsFailedPrecondition(done.status)) << done.status;
    EXPECT_THAT(std::string(done.status.message()), HasSubstr("bridge VERSION: "));
  }
}

TEST(CniJob, ChecksWithTheResult) {
  const Done added = {.result = kGood, .attempted = 3};
  Peer peer({{""}, {kFailure, 1}});
  const Done done = RunFor(Operation::CHECK, &peer, kList, added);
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("tuning CHECK: no luck"));
  EXPECT_THAT(peer.Asked(), ElementsAre("CHECK bridge", "CHECK tuning"));
  EXPECT_EQ(peer.inputs[0]["prevResult"]["ips"][0]["address"], "10.1.0.5/24");
  std::string off = kList;
  off.insert(1, R"("disableCheck":true,)");
  Peer silent({});
  EXPECT_TRUE(RunFor(Operation::CHECK, &silent, off, added).status.ok());
  EXPECT_FALSE(RunFor(Operation::CHECK, &silent, kList).status.ok()) << "no result";
}

TEST(CniJob, AsksOnlyNewNetworksForTheirStatus) {
  std::string latest = kList;
  latest.replace(latest.find("0.4.0"), 5, "1.1.0");
  Peer peer({{""}, {R"({"cniVersion":"1.1.0","code":50,"msg":"no uplink"})", 1}});
  Done done =
      RunJob(Operation::STATUS, &peer, {}, [&](auto job) { job.setConfiguration(Bytes(latest)); });
  EXPECT_TRUE(absl::IsUnavailable(done.status)) << done.status;
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("tuning STATUS: no uplink"));
  EXPECT_THAT(peer.Asked(), ElementsAre("STATUS bridge", "STATUS tuning"));
  Peer silent({});
  const std::string old = kList;
  done =
      RunJob(Operation::STATUS, &silent, {}, [&](auto job) { job.setConfiguration(Bytes(old)); });
  EXPECT_TRUE(done.status.ok()) << done.status;
}

TEST(CniJob, CollectsWhatIsOfNoAttachment) {
  std::string latest = kList;
  latest.replace(latest.find("0.4.0"), 5, "1.1.0");
  const auto fill = [&](schema::CniJob::Builder job) {
    job.setConfiguration(Bytes(latest));
    auto valid = job.initValid(1)[0];
    valid.setPodId("c0ffee");
    valid.setInterface("eth0");
  };
  Peer peer({{kFailure, 1}, {""}, {""}});
  const Done done = RunJob(Operation::GC, &peer, {}, fill);
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("bridge GC: no luck"));
  EXPECT_THAT(peer.Asked(), ElementsAre("GC bridge", "GC tuning", "GC portmap"));
  EXPECT_EQ(ToText(peer.inputs[2]["cni.dev/valid-attachments"]),
            R"([{"containerID":"c0ffee","ifname":"eth0"}])");
  latest.insert(1, R"("disableGC":true,)");
  Peer silent({});
  EXPECT_TRUE(RunJob(Operation::GC, &silent, {}, fill).status.ok());
}

TEST(CniJob, RefusesAJobThatDoesNotFit) {
  EXPECT_TRUE(absl::IsInvalidArgument(RunJob(Operation::ADD, nullptr, {}).status));
  EXPECT_TRUE(absl::IsInvalidArgument(RunJob(Operation::DEL, nullptr, {}).status));
  Peer peer({});
  EXPECT_TRUE(absl::IsInvalidArgument(
      RunJob(Operation::LOAD, &peer, {}, [](auto job) { job.initFileNames(2); }).status));
  EXPECT_TRUE(absl::IsUnimplemented(RunJob(static_cast<Operation>(9), &peer, {}).status));
  EXPECT_TRUE(absl::IsInvalidArgument(RunFor(Operation::DEL, &peer, "{}").status));
}

}  // namespace
}  // namespace bulkhead::cni
