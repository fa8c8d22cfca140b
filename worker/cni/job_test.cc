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
      const char* command = request.getCommand() == NetworkRequest::Command::ADD ? "ADD " : "DEL ";
      asked.push_back(absl::StrCat(command, request.getPlugin().cStr()));
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
  std::string record;
  std::string network_name;
};

struct File {
  std::string name, text;
};

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
  done.record.assign(result.getRecord().asChars().begin(), result.getRecord().size());
  done.network_name = result.getNetworkName().cStr();
  return done;
}

TEST(CniJob, AddsThroughTheWholeChain) {
  Peer peer({{kOther}, {kOther}, {kGood}});
  const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", kList}}, [](auto job) {
    auto mapping = job.initPortMappings(1)[0];
    mapping.setHostPort(8080);
    mapping.setContainerPort(80);
  });
  ASSERT_TRUE(done.status.ok()) << done.status;
  EXPECT_THAT(done.ips, ElementsAre("10.1.0.5"));
  EXPECT_EQ(done.network_name, "pods");
  EXPECT_FALSE(done.record.empty());
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
  const Done added = RunJob(Operation::ADD, &add, {{"a.conflist", kList}});
  ASSERT_TRUE(added.status.ok());
  Peer peer({{""}, {""}, {"ignored"}});
  const Done done = RunJob(Operation::DEL, &peer, {}, [&](auto job) {
    job.setRecord(kj::StringPtr(added.record.c_str(), added.record.size()).asBytes());
  });
  EXPECT_TRUE(done.status.ok()) << done.status;
  EXPECT_THAT(peer.Asked(), ElementsAre("DEL portmap", "DEL tuning", "DEL bridge"));
  for (const Json& input : peer.inputs) {
    EXPECT_EQ(input["prevResult"]["ips"][0]["address"], "10.1.0.5/24");
  }
}

TEST(CniJob, DeletesWhatItCanAndReportsTheFirstFailure) {
  Peer peer({{""}, {kFailure, 1}, {"", 0, absl::NotFoundError("gone")}});
  const Done done = RunJob(Operation::DEL, &peer, {{"a.conflist", kList}});
  EXPECT_THAT(std::string(done.status.message()),
              testing::AllOf(HasSubstr("tuning DEL"), HasSubstr("no luck")));
  EXPECT_EQ(peer.Asked().size(), 3u);
}

TEST(CniJob, UndoesAFailedAdd) {
  Peer peer({{kOther}, {kFailure, 1}, {""}, {""}});
  const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", kList}});
  EXPECT_TRUE(absl::IsInternal(done.status));
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("network pods: tuning ADD: no luck"));
  EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "ADD tuning", "DEL tuning", "DEL bridge"));
  EXPECT_EQ(peer.inputs[3]["prevResult"]["ips"][0]["address"], "10.1.0.6/24");
  EXPECT_THAT(done.ips, IsEmpty());
  EXPECT_EQ(done.record, "");
}

TEST(CniJob, OwesADeleteThatFailed) {
  Peer peer({{kOther}, {"garbage", 0}, {""}, {kFailure, 1}});
  const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", kList}});
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("tuning ADD"));
  ASSERT_NE(done.record, "");
  Peer later({{""}, {""}});
  EXPECT_TRUE(RunJob(Operation::DEL, &later, {}, [&](auto job) {
                job.setRecord(kj::StringPtr(done.record.c_str(), done.record.size()).asBytes());
              }).status.ok());
  EXPECT_THAT(later.Asked(), ElementsAre("DEL tuning", "DEL bridge"));
}

TEST(CniJob, TakesNoResultForAFailure) {
  const std::string single = R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"}]})";
  for (const char* text : {"", "garbage", "[]", R"({"cniVersion":"1.0.0"})",
                           R"({"cniVersion":"1.0.0","ips":[{"address":"127.0.0.1/8"}]})",
                           R"({"cniVersion":"1.0.0","interfaces":[{"name":"cni0"}],)"
                           R"("ips":[{"interface":0,"address":"10.0.0.1/8"}]})"}) {
    Peer peer({{text}, {""}});
    const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", single}});
    EXPECT_TRUE(absl::IsInternal(done.status)) << text;
    EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "DEL bridge")) << text;
  }
}

TEST(CniJob, PassesTheNetworkWorkersStatusOn) {
  Peer peer({{"", 0, absl::DeadlineExceededError("it did not end in time")}, {""}});
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(RunJob(Operation::ADD, &peer, {{"a.conflist", kList}}).status));
}

TEST(CniJob, OwesNothingToAPluginThatNeverRan) {
  Peer peer({{kOther}, {"", 0, absl::NotFoundError("no such plugin")}, {""}});
  const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", kList}});
  EXPECT_TRUE(absl::IsNotFound(done.status));
  EXPECT_THAT(peer.Asked(), ElementsAre("ADD bridge", "ADD tuning", "DEL bridge"));
  EXPECT_EQ(done.record, "");
}

TEST(CniJob, OutlivesThePeer) {
  Peer peer({{kOther}});
  const Done done = RunJob(Operation::ADD, &peer, {{"a.conflist", kList}});
  EXPECT_TRUE(absl::IsUnavailable(done.status)) << done.status;
  EXPECT_NE(done.record, "") << "what was added is owed a delete";
}

TEST(CniJob, GivesOldNetworksNoResultAtDel) {
  std::string old = kList;
  old.replace(old.find("0.4.0"), 5, "0.3.1");
  Peer add({{kGood}, {kGood}, {kGood}});
  const Done added = RunJob(Operation::ADD, &add, {{"a.conflist", old}});
  ASSERT_TRUE(added.status.ok()) << added.status;
  EXPECT_EQ(add.Asked().size(), 3u);
  EXPECT_EQ(add.inputs[1]["prevResult"]["cniVersion"], "0.3.1");
  Peer peer({{""}, {""}, {""}});
  EXPECT_TRUE(RunJob(Operation::DEL, &peer, {}, [&](auto job) {
                job.setRecord(kj::StringPtr(added.record.c_str(), added.record.size()).asBytes());
              }).status.ok());
  EXPECT_EQ(peer.Asked().size(), 3u);
  EXPECT_FALSE(peer.inputs[0].contains("prevResult"));
}

TEST(CniJob, LoadsTheFirstGoodFile) {
  const std::string single = R"({"cniVersion":"1.0.0","name":"second","type":"ptp"})";
  Done done = RunJob(Operation::LOAD, nullptr,
                     {{"1.conflist", "{"}, {"2.conf", single}, {"3.conflist", kList}});
  EXPECT_TRUE(done.status.ok()) << done.status;
  EXPECT_EQ(done.network_name, "second");
  done = RunJob(Operation::LOAD, nullptr, {{"1.conflist", "{"}});
  EXPECT_TRUE(absl::IsFailedPrecondition(done.status));
  EXPECT_THAT(std::string(done.status.message()), HasSubstr("1.conflist"));
  EXPECT_TRUE(absl::IsFailedPrecondition(RunJob(Operation::LOAD, nullptr, {}).status));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      RunJob(Operation::LOAD, nullptr, {{"a.conf", std::string(kMaxConfigBytes + 1, ' ')}})
          .status));
}

TEST(CniJob, RefusesAJobThatDoesNotFit) {
  EXPECT_TRUE(absl::IsInvalidArgument(RunJob(Operation::ADD, nullptr, {}).status));
  EXPECT_TRUE(absl::IsInvalidArgument(RunJob(Operation::DEL, nullptr, {}).status));
  EXPECT_TRUE(absl::IsInvalidArgument(
      RunJob(Operation::LOAD, nullptr, {}, [](auto job) { job.initFileNames(2); }).status));
  EXPECT_TRUE(absl::IsUnimplemented(RunJob(static_cast<Operation>(9), nullptr, {}).status));
  Peer peer({});
  EXPECT_TRUE(absl::IsInvalidArgument(RunJob(Operation::DEL, &peer, {}, [](auto job) {
                                        job.setRecord(kj::StringPtr("{}").asBytes());
                                      }).status));
}

}  // namespace
}  // namespace bulkhead::cni
