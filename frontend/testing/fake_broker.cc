#include "frontend/testing/fake_broker.h"

#include <capnp/pretty-print.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include <future>
#include <utility>

#include "ipc/frame_gate.h"
#include "ipc/message.h"

namespace bulkhead::frontend {

using schema::Broker;

// Method names are the schema's.
class FakeBrokerServer final : public Broker::Server {
 private:
  // Before its uses: what it returns is deduced.
  template <typename Context>
  auto Begin(const char* method, Context& context) {
    owner_.Record(method, capnp::prettyPrint(context.getParams()).flatten().cStr());
    auto results = context.getResults();
    auto status = results.initStatus();
    status.setCode(owner_.answers.code);
    status.setMessage(owner_.answers.message);
    return results;
  }

 public:
  explicit FakeBrokerServer(FakeBroker& owner) : owner_(owner) {}

  kj::Promise<void> status(StatusContext context) override {
    auto results = Begin("status", context);
    results.setRuntimeReady(true);
    results.setNetworkReason("no CNI configuration");
    return kj::READY_NOW;
  }
  kj::Promise<void> updateRuntimeConfig(UpdateRuntimeConfigContext context) override {
    Begin("updateRuntimeConfig", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> runPodSandbox(RunPodSandboxContext context) override {
    Begin("runPodSandbox", context).setId(std::string(64, 'a'));
    return kj::READY_NOW;
  }
  kj::Promise<void> stopPodSandbox(StopPodSandboxContext context) override {
    Begin("stopPodSandbox", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> removePodSandbox(RemovePodSandboxContext context) override {
    Begin("removePodSandbox", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> podSandboxStatus(PodSandboxStatusContext context) override {
    Begin("podSandboxStatus", context).initPod().setId(context.getParams().getId());
    return kj::READY_NOW;
  }
  kj::Promise<void> listPodSandboxes(ListPodSandboxesContext context) override {
    Begin("listPodSandboxes", context).initPods(1)[0].setId(std::string(64, 'a'));
    return kj::READY_NOW;
  }
  kj::Promise<void> createContainer(CreateContainerContext context) override {
    Begin("createContainer", context).setId(std::string(64, 'c'));
    return kj::READY_NOW;
  }
  kj::Promise<void> startContainer(StartContainerContext context) override {
    Begin("startContainer", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> stopContainer(StopContainerContext context) override {
    Begin("stopContainer", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> removeContainer(RemoveContainerContext context) override {
    Begin("removeContainer", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> containerStatus(ContainerStatusContext context) override {
    auto results = Begin("containerStatus", context);
    results.initContainer().setId(context.getParams().getId());
    results.initImage().initRepoTags(1).set(0, "docker.io/library/busybox:1");
    return kj::READY_NOW;
  }
  kj::Promise<void> listContainers(ListContainersContext context) override {
    Begin("listContainers", context).initContainers(1)[0].setId(std::string(64, 'c'));
    return kj::READY_NOW;
  }
  kj::Promise<void> execSync(ExecSyncContext context) override {
    auto results = Begin("execSync", context);
    if (context.getParams().getArgv()[0] == "hang"_kj) {
      context.allowCancellation();
      return kj::NEVER_DONE;
    }
    results.initStdout(owner_.answers.stdout_bytes);
    results.initStderr(owner_.answers.stderr_bytes);
    results.setExitCode(3);
    return kj::READY_NOW;
  }
  kj::Promise<void> pullImage(PullImageContext context) override {
    Begin("pullImage", context).setImageId(owner_.answers.image_id);
    return kj::READY_NOW;
  }
  kj::Promise<void> imageStatus(ImageStatusContext context) override {
    auto results = Begin("imageStatus", context);
    const std::string image = context.getParams().getImage().cStr();
    if (image != owner_.answers.known_image) return kj::READY_NOW;
    results.setFound(true);
    results.initImage().setId(owner_.answers.image_id);
    results.getImage().initConfig().setUser("1000:5");
    return kj::READY_NOW;
  }
  kj::Promise<void> listImages(ListImagesContext context) override {
    Begin("listImages", context).initImages(1)[0].setId(owner_.answers.image_id);
    return kj::READY_NOW;
  }
  kj::Promise<void> removeImage(RemoveImageContext context) override {
    Begin("removeImage", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> imageFsInfo(ImageFsInfoContext context) override {
    auto results = Begin("imageFsInfo", context);
    results.setMountpoint("/var/lib/bulkhead");
    results.setUsedBytes(5);
    results.setContainerBytes(7);
    return kj::READY_NOW;
  }
  kj::Promise<void> reopenContainerLog(ReopenContainerLogContext context) override {
    Begin("reopenContainerLog", context);
    return kj::READY_NOW;
  }
  kj::Promise<void> containerStats(ContainerStatsContext context) override {
    Fill(Begin("containerStats", context).initContainers(1)[0]);
    return kj::READY_NOW;
  }
  kj::Promise<void> podStats(PodStatsContext context) override {
    auto results = Begin("podStats", context);
    results.setFsBytes(1000);
    auto pod = results.initPods(1)[0];
    pod.setId(std::string(64, 'a'));
    pod.initConfig().setName("pod");
    pod.setHasNetwork(true);
    auto interfaces = pod.initNetwork().initInterfaces(2);
    interfaces[0].setName("net1");
    interfaces[1].setName("eth0");
    interfaces[1].setRxBytes(12);
    pod.initUsage().setTimestampNs(1);
    pod.getUsage().setTasks(4);
    Fill(pod.initContainers(1)[0]);
    if (context.getParams().getHandles()) pod.getContainers()[0].setSockets(3);
    return kj::READY_NOW;
  }
  // Two events, and then the subscriber was too slow.
  kj::Promise<void> subscribe(SubscribeContext context) override {
    Begin("subscribe", context).setId(17);
    return kj::READY_NOW;
  }
  kj::Promise<void> nextEvents(NextEventsContext context) override {
    auto results = Begin("nextEvents", context);
    if (context.getParams().getSeen() > 0) {
      results.getStatus().setCode(15);  // DATA_LOSS
      return kj::READY_NOW;
    }
    auto events = results.initEvents(2);
    events[0].setKind(schema::Event::Kind::STARTED);
    events[0].setId(std::string(64, 'c'));
    events[0].setAtNs(5);
    events[0].initPod().setId(std::string(64, 'a'));
    events[0].initContainers(1)[0].setId(std::string(64, 'c'));
    events[1].setKind(schema::Event::Kind::DELETED);
    results.setLast(2);
    return kj::READY_NOW;
  }
  kj::Promise<void> unsubscribe(UnsubscribeContext context) override {
    Begin("unsubscribe", context);
    return kj::READY_NOW;
  }

 private:
  static void Fill(schema::ContainerStats::Builder out) {
    out.setId(std::string(64, 'c'));
    out.setName("main");
    out.setRunning(true);
    out.setNanoCores(250000000);
    out.setDiskTimestampNs(3);
    out.setDiskBytes(4096);
    out.setDiskInodes(2);
    auto usage = out.initUsage();
    usage.setTimestampNs(1000);
    usage.setCpuNs(5000000000);
    usage.setMemoryBytes(100);
    usage.setInactiveFileBytes(30);
    usage.setMemoryLimit(200);
    usage.setPageFaults(9);
    auto pressure = usage.initCpuPressure();
    pressure.setKnown(true);
    pressure.initSome().setTotalUs(2500000);
  }

  FakeBroker& owner_;
};

FakeBroker::FakeBroker(base::UniqueFd connection) {
  std::promise<void> ready;
  thread_ = std::thread([this, fd = connection.Release(), &ready] {
    kj::AsyncIoContext io = kj::setupAsyncIo();
    auto stop = kj::newPromiseAndFulfiller<void>();
    auto executor = kj::getCurrentThreadExecutor().addRef();
    stop_ = [&executor, &stop] { executor->executeSync([&stop] { stop.fulfiller->fulfill(); }); };
    {
      auto stream = ipc::GatedStream(
          io.lowLevelProvider->wrapSocketFd(fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP),
          ipc::kMaxMessageBytes, [this](absl::Status) {
            absl::MutexLock lock(&mutex_);
            violated_ = true;
          });
      capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::SERVER);
      auto rpc = capnp::makeRpcServer(network, Broker::Client(kj::heap<FakeBrokerServer>(*this)));
      ready.set_value();
      stop.promise.wait(io.waitScope);
    }
  });
  ready.get_future().wait();
}

FakeBroker::~FakeBroker() { Die(); }

void FakeBroker::Die() {
  if (!thread_.joinable()) return;
  stop_();
  thread_.join();
}

int FakeBroker::Calls(const std::string& method) const {
  absl::MutexLock lock(&mutex_);
  const auto found = calls_.find(method);
  return found == calls_.end() ? 0 : found->second;
}

std::string FakeBroker::LastParams(const std::string& method) const {
  absl::MutexLock lock(&mutex_);
  const auto found = params_.find(method);
  return found == params_.end() ? "" : found->second;
}

bool FakeBroker::violated() const {
  absl::MutexLock lock(&mutex_);
  return violated_;
}

void FakeBroker::Record(const std::string& method, std::string params) {
  absl::MutexLock lock(&mutex_);
  ++calls_[method];
  params_[method] = std::move(params);
}

}  // namespace bulkhead::frontend
