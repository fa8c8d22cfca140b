#include "tools/client/admin.h"

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/io.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "ipc/status_codec.h"

namespace bulkhead::tools {
namespace {

constexpr kj::Duration kStatusPatience = 10 * kj::SECONDS;
constexpr kj::Duration kImportPatience = 600 * kj::SECONDS;
constexpr kj::Duration kStopPatience = 120 * kj::SECONDS;
constexpr unsigned kFdsPerMessage = 1;

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

absl::StatusOr<AdminCounts> AdminStatus(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  AdminCounts counts;
  BULKHEAD_RETURN_IF_ERROR(
      session.Call(session.admin().statusRequest(), kStatusPatience, [&](auto response) {
        counts = {response.getPods(),       response.getReadyPods(),
                  response.getContainers(), response.getRunningContainers(),
                  response.getImages(),     response.getWorkers(),
                  response.getOperations()};
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

absl::Status AdminStopAll(const std::string& socket) {
  BULKHEAD_ASSIGN_OR_RETURN(base::UniqueFd fd, Connect(socket));
  Session session(std::move(fd));
  return session.Call(session.admin().stopAllRequest(), kStopPatience, [](auto) {});
}

}  // namespace bulkhead::tools
