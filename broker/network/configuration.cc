#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "broker/network/network.h"
#include "broker/network/plugins.h"
#include "broker/spawner/worker.h"

namespace bulkhead::broker {
namespace {

constexpr int kMaxConfigFiles = 32;
constexpr size_t kMaxNetworkBytes = 128 << 10;
// Files are often written in several steps.
constexpr absl::Duration kSettle = absl::Milliseconds(50);
// Without a usable configuration: a plugin may have come that was missing, which no watch tells.
constexpr absl::Duration kRetryAfter = absl::Seconds(2);
// Where the watch missed something.
constexpr absl::Duration kRereadAfter = absl::Minutes(1);
constexpr absl::Duration kAskAgainAfter = absl::Seconds(10);

struct ConfigFiles {
  std::vector<std::string> names;
  std::vector<base::UniqueFd> fds;
};

// Root alone may read them, so the network worker opens them.
absl::StatusOr<ConfigFiles> OpenConfigFiles(Fiber& fiber, Broker& broker) {
  capnp::MallocMessageBuilder message;
  message.initRoot<schema::NetworkJob>().setConfDir(broker.config.getCniConfDir());
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kNetwork, message, {},
                                 {.result = {.max_fds = kMaxConfigFiles}}));
  ConfigFiles files;
  BULKHEAD_RETURN_IF_ERROR(worker->Finish<schema::NetworkResult>(
      fiber, [&](schema::NetworkResult::Reader result, std::vector<base::UniqueFd>& fds) {
        if (result.getFileNames().size() != fds.size()) {
          return absl::InternalError("network: names and files do not match");
        }
        for (auto name : result.getFileNames()) files.names.push_back(name.cStr());
        files.fds = std::move(fds);
        return absl::OkStatus();
      }));
  return files;
}

struct Loaded {
  absl::Status status;
  NetworkConfiguration configuration;
  std::vector<std::string> refused;
};

absl::Status TakeLoaded(schema::CniResult::Reader result, Loaded* loaded) {
  loaded->status = ipc::ReadStatus(result.getStatus());
  for (auto name : result.getRefused()) loaded->refused.push_back(name.cStr());
  auto document = result.getConfiguration();
  if (document.size() > kMaxNetworkBytes || loaded->refused.size() > kMaxConfigFiles) {
    return absl::InternalError("cni: the result is over its bounds");
  }
  loaded->configuration = {.name = result.getNetworkName().cStr(),
                           .file = result.getFileName().cStr(),
                           .document = std::string(document.asChars().begin(), document.size()),
                           .has_status = result.getHasStatus()};
  return absl::OkStatus();
}

absl::StatusOr<Loaded> LoadFiles(Fiber& fiber, Broker& broker, const ConfigFiles& files) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::LOAD);
  auto names = job.initFileNames(files.names.size());
  std::vector<int> fds;
  for (size_t i = 0; i < files.names.size(); ++i) {
    names.set(i, files.names[i]);
    fds.push_back(files.fds[i].get());
  }
  Loaded loaded;
  BULKHEAD_RETURN_IF_ERROR(
      RunCni(fiber, broker, nullptr, message, fds,
             [&](schema::CniResult::Reader result) { return TakeLoaded(result, &loaded); }));
  return loaded;
}

bool Names(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void Keep(NetworkState& network, absl::string_view why) {
  base::Log(base::Severity::kError, "the last good network configuration stays in use",
            {{"network", network.current->name}, {"file", network.current->file}, {"why", why}});
}

absl::Status Choose(NetworkState& network, absl::StatusOr<Loaded> loaded) {
  if (!loaded.ok()) {
    // Nothing was learned about the files.
    if (!network.current) return loaded.status();
    Keep(network, loaded.status().message());
    return absl::OkStatus();
  }
  if (network.current && Names(loaded->refused, network.current->file)) {
    Keep(network, loaded->status.ok() ? "its file is broken" : loaded->status.message());
    return absl::OkStatus();
  }
  if (!loaded->status.ok()) {
    network.current.reset();
    return loaded->status;
  }
  bool news = !network.current || network.current->document != loaded->configuration.document;
  network.current = std::move(loaded->configuration);
  if (news) {
    network.asked_at = absl::InfinitePast();
    base::Log(base::Severity::kInfo, "network configuration",
              {{"network", network.current->name}, {"file", network.current->file}});
  }
  return absl::OkStatus();
}

void Read(Fiber& fiber, Broker& broker) {
  NetworkState& network = broker.network;
  auto held = network.reading.Acquire(fiber);
  // Somebody else has just read it.
  if (!network.changed && network.problem.ok()) return;
  network.changed = false;
  network.read_at = absl::Now();
  auto files = OpenConfigFiles(fiber, broker);
  if (files.ok() && files->fds.empty()) {
    network.current.reset();
    network.problem = absl::FailedPreconditionError(
        absl::StrCat("no network configuration in ", broker.config.getCniConfDir().cStr()));
    return;
  }
  network.problem = Choose(network, files.ok() ? LoadFiles(fiber, broker, *files)
                                               : absl::StatusOr<Loaded>(files.status()));
}

absl::Status Ask(Fiber& fiber, Broker& broker) {
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::CniJob>();
  job.setOperation(schema::CniJob::Operation::STATUS);
  const std::string& document = broker.network.current->document;
  job.setConfiguration(kj::StringPtr(document.data(), document.size()).asBytes());
  return RunCni(fiber, broker, nullptr, message);
}

void Refresh(Fiber& fiber, Broker& broker) {
  NetworkState& network = broker.network;
  const absl::Duration age = absl::Now() - network.read_at;
  if (age > (network.problem.ok() ? kRereadAfter : kRetryAfter)) network.changed = true;
  if (network.changed) Read(fiber, broker);
  if (!network.current || !network.current->has_status) {
    network.plugins = absl::OkStatus();
  } else if (absl::Now() - network.asked_at > kAskAgainAfter) {
    network.plugins = Ask(fiber, broker);
    network.asked_at = absl::Now();
  }
}

}  // namespace

void NoteConfigurationChange(Broker& broker) {
  broker.network.changed = true;
  if (std::exchange(broker.network.settling, true)) return;
  broker.loop.Detach([&broker](Fiber& fiber) {
    fiber.Sleep(kSettle);
    broker.network.settling = false;
    // More may have come meanwhile; this reading sees it.
    broker.network.changed = true;
    Read(fiber, broker);
  });
}

absl::StatusOr<NetworkConfiguration> CurrentNetwork(Fiber& fiber, Broker& broker) {
  NetworkState& network = broker.network;
  if (network.changed || !network.problem.ok()) Read(fiber, broker);
  if (!network.problem.ok()) return network.problem;
  return *network.current;
}

absl::Status NetworkReadiness(Fiber& fiber, Broker& broker) {
  NetworkState& network = broker.network;
  if (network.read_at == absl::InfinitePast()) Refresh(fiber, broker);
  if (!network.refreshing) {
    network.refreshing = true;
    broker.loop.Detach([&broker](Fiber& background) {
      Refresh(background, broker);
      broker.network.refreshing = false;
    });
  }
  return network.problem.ok() ? network.plugins : network.problem;
}

}  // namespace bulkhead::broker
