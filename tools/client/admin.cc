#include "tools/client/admin.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/io.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/ids.h"
#include "base/status.h"
#include "ipc/status_codec.h"

namespace bulkhead::tools {
namespace {

constexpr kj::Duration kStatusPatience = 10 * kj::SECONDS;
constexpr kj::Duration kImportPatience = 600 * kj::SECONDS;
constexpr kj::Duration kCheckPatience = 4 * 3600 * kj::SECONDS;  // reads the whole store
constexpr kj::Duration kStopPatience = 120 * kj::SECONDS;
constexpr unsigned kFdsPerMessage = 1;

const char* KindName(schema::CheckFinding::Kind kind) {
  switch (kind) {
    case schema::CheckFinding::Kind::IMAGE:
      return "image";
    case schema::CheckFinding::Kind::BLOB:
      return "blob";
    case schema::CheckFinding::Kind::LAYER:
      return "layer";
    case schema::CheckFinding::Kind::LEFTOVER:
      return "leftover";
  }
  return "other";
}

class OpenArchive final : public schema::ArchiveFile::Server {
 public:
  explicit OpenArchive(base::UniqueFd fd) : fd_(std::move(fd)) {}
  kj::Maybe<int> getFd() override { return fd_.get(); }

 private:
  base::UniqueFd fd_;
};

absl::StatusOr<base::UniqueFd> Connect(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("connect ", path, ": the path is too long"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::ErrnoStatus("make socket");
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  int error = errno;
  if (error == EACCES) return base::ErrnoStatus(absl::StrCat("connect ", path), error);
  return absl::UnavailableError(
      absl::StrCat("connect ", path, ": ", strerror(error), "; does bulkhead up run?"));
}

// One connection with its event loop, and one call on it.
class Session {
 public:
  explicit Session(base::UniqueFd socket)
      : io_(kj::setupAsyncIo()),
        stream_(io_.lowLevelProvider->wrapUnixSocketFd(kj::AutoCloseFd(socket.Release()))),
        rpc_(*stream_, kFdsPerMessage),
        admin_(rpc_.bootstrap().castAs<schema::Admin>()) {}

  schema::Admin::Client& admin() { return admin_; }

  // Sends the request and gives the response to read, once its status is OK.
  template <typename Params, typename Results>
  absl::Status Call(capnp::Request<Params, Results> request, kj::Duration patience,
                    std::function<void(typename Results::Reader)> read) {
    absl::Status outcome = absl::DeadlineExceededError("the broker does not answer");
    auto answered = request.send().then(
        [&](capnp::Response<Results> response) {
          outcome = ipc::ReadStatus(response.getStatus());
          if (outcome.ok()) read(response);
        },
        [&](kj::Exception&& e) {
          outcome = absl::UnavailableError(
              absl::StrCat("the broker ended the call: ", e.getDescription().cStr()));
        });
    auto late = io_.provider->getTimer().afterDelay(patience);
    answered.exclusiveJoin(kj::mv(late)).wait(io_.waitScope);
    return outcome;
  }

 private:
  kj::AsyncIoContext io_;
  kj::Own<kj::AsyncCapabilityStream> stream_;
  capnp::TwoPartyClient rpc_;
  schema::Admin::Client admin_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> AdminImport(const std::string& socket,
                                                     base::UniqueFd archive,
                                                     const schema::ImageReference::Reader* name) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  auto request = session.admin().importImageRequest();
  request.setArchive(kj::heap<OpenArchive>(std::move(archive)));
  if (name != nullptr) request.setReference(*name);
  std::vector<std::string> ids;
  BULKHEAD_RETURN_IF_ERROR(session.Call(kj::mv(request), kImportPatience, [&](auto response) {
    for (capnp::Text::Reader id : response.getImageIds()) ids.emplace_back(id.cStr());
  }));
  return ids;
}

absl::StatusOr<std::vector<std::string>> AdminPrune(const std::string& socket, bool all) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  auto request = session.admin().pruneImagesRequest();
  request.setAll(all);
  std::vector<std::string> ids;
  BULKHEAD_RETURN_IF_ERROR(session.Call(kj::mv(request), kImportPatience, [&](auto response) {
    for (capnp::Text::Reader id : response.getImageIds()) ids.emplace_back(id.cStr());
  }));
  return ids;
}

absl::StatusOr<uint64_t> AdminExport(const std::string& socket, const std::string& image,
                                     base::UniqueFd archive) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  auto request = session.admin().exportImageRequest();
  request.setImage(image);
  request.setArchive(kj::heap<OpenArchive>(std::move(archive)));
  uint64_t bytes = 0;
  BULKHEAD_RETURN_IF_ERROR(session.Call(kj::mv(request), kImportPatience,
                                        [&](auto response) { bytes = response.getBytes(); }));
  return bytes;
}

absl::StatusOr<AdminCheckReport> AdminCheck(const std::string& socket, bool repair) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  auto request = session.admin().checkRequest();
  request.setRepair(repair);
  AdminCheckReport report;
  BULKHEAD_RETURN_IF_ERROR(session.Call(kj::mv(request), kCheckPatience, [&](auto response) {
    auto from = response.getReport();
    report = {from.getImages(), from.getBlobs(), from.getLayers(), from.getBytes(), {}};
    for (auto finding : from.getFindings()) {
      report.findings.push_back({KindName(finding.getKind()), finding.getObject().cStr(),
                                 finding.getProblem().cStr(), finding.getRepair().cStr(),
                                 finding.getRepaired()});
    }
  }));
  return report;
}

absl::StatusOr<AdminCounts> AdminStatus(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  AdminCounts counts;
  BULKHEAD_RETURN_IF_ERROR(
      session.Call(session.admin().statusRequest(), kStatusPatience, [&](auto response) {
        counts = {response.getPods(),       response.getReadyPods(),
                  response.getContainers(), response.getRunningContainers(),
                  response.getImages(),     response.getWorkers(),
                  response.getOperations(), {}};
        for (const capnp::Text::Reader kind : response.getSpares()) {
          counts.spares.push_back(kind.cStr());
        }
      }));
  return counts;
}

absl::Status AdminTimelines(const std::string& socket, const std::string& id,
                            std::function<void(schema::Timeline::Reader)> each) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  auto request = session.admin().timelinesRequest();
  request.setId(id);
  return session.Call(kj::mv(request), kStatusPatience, [&](auto response) {
    for (schema::Timeline::Reader timeline : response.getTimelines()) each(timeline);
  });
}

absl::StatusOr<std::vector<AdminPull>> AdminPulls(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  std::vector<AdminPull> pulls;
  BULKHEAD_RETURN_IF_ERROR(
      session.Call(session.admin().pullsRequest(), kStatusPatience, [&](auto response) {
        for (schema::Pull::Reader from : response.getPulls()) {
          AdminPull& pull = pulls.emplace_back();
          pull.reference = from.getReference();
          pull.waiting = from.getWaiting();
          pull.callers = from.getCallers();
          pull.seconds = from.getSeconds();
          for (schema::Pull::Part::Reader part : from.getParts()) {
            auto digest = part.getDigest().getBytes();
            absl::string_view bytes(reinterpret_cast<const char*>(digest.begin()), digest.size());
            pull.parts.push_back({absl::StrCat("sha256:", base::ToHex(bytes)), part.getSize(),
                                  part.getFetched(), part.getState()});
          }
        }
      }));
  return pulls;
}

absl::StatusOr<AdminNetworks> AdminNetworkStatus(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  AdminNetworks networks;
  BULKHEAD_RETURN_IF_ERROR(
      session.Call(session.admin().networksRequest(), kStatusPatience, [&](auto response) {
        networks.ready = response.getReady();
        networks.reason = response.getReason().cStr();
        networks.network = response.getNetwork().cStr();
        networks.file = response.getFile().cStr();
        networks.attachments = response.getAttachments();
        networks.owed = response.getOwed();
        for (auto debt : response.getDebts()) {
          networks.debts.push_back({debt.getPodId().cStr(), debt.getPodName().cStr(),
                                    debt.getPodNamespace().cStr(), debt.getNetwork().cStr(),
                                    debt.getLastError().cStr(), debt.getFailures(),
                                    absl::FromUnixNanos(debt.getDueSinceNs())});
        }
      }));
  return networks;
}

absl::StatusOr<std::vector<AdminPodNetwork>> AdminCheckNetworks(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  std::vector<AdminPodNetwork> pods;
  BULKHEAD_RETURN_IF_ERROR(
      session.Call(session.admin().checkNetworksRequest(), kStopPatience, [&](auto response) {
        for (auto pod : response.getPods()) {
          pods.push_back({pod.getPodId().cStr(), pod.getPodName().cStr(),
                          pod.getPodNamespace().cStr(), ipc::ReadStatus(pod.getStatus())});
        }
      }));
  return pods;
}

absl::Status AdminCollectNetworkGarbage(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  return session.Call(session.admin().collectNetworkGarbageRequest(), kStopPatience, [](auto) {});
}

absl::Status AdminMetrics(const std::string& socket,
                          std::function<void(schema::Admin::MetricsResults::Reader)> with) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  return session.Call(session.admin().metricsRequest(), kStatusPatience,
                      [&](schema::Admin::MetricsResults::Reader response) { with(response); });
}

absl::Status AdminStopAll(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  return session.Call(session.admin().stopAllRequest(), kStopPatience, [](auto) {});
}

}  // namespace bulkhead::tools
