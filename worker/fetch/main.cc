// SECURITY: holds the network, write-only files of one pull, that pull's credentials, and what root
// configured about its registry (certificates, headers, proxies); may read certificate authorities
// and name service files, nothing else. The broker gives it its job; HTTP, TLS and DNS answers come
// from anybody. Who owns this process can write wrong bytes, which are hashed afterwards by a
// process without network, can use the node's network as any user's program could, and knows the
// secrets of this one pull. Those of other registries are gone before the first byte of the network
// is read.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "ipc/status_codec.h"
#include "schema/worker/fetch.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/fetch/fetch.h"
#include "worker/fetch/settings.h"

namespace bulkhead::worker {
namespace {

constexpr int kSettingsFd = kFirstDirFd;

std::string DigestText(schema::Digest::Reader digest) {
  capnp::Data::Reader bytes = digest.getBytes();
  absl::string_view view(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  return absl::StrCat("sha256:", base::ToHex(view));
}

FetchItem ReadItem(schema::FetchJob::Item::Reader item, int fd) {
  FetchItem out;
  out.max_bytes = item.getMaxBytes();
  out.fd = fd;
  switch (item.which()) {
    case schema::FetchJob::Item::MANIFEST_BY_TAG:
      out.is_manifest = true;
      out.reference = std::string(item.getManifestByTag());
      break;
    case schema::FetchJob::Item::MANIFEST_BY_DIGEST:
      out.is_manifest = true;
      out.reference = DigestText(item.getManifestByDigest());
      break;
    case schema::FetchJob::Item::BLOB:
      out.reference = DigestText(item.getBlob());
      break;
  }
  return out;
}

Credentials ReadCredentials(schema::RegistryAuth::Reader auth) {
  return {.username = auth.getUsername(),
          .password = auth.getPassword(),
          .identity_token = auth.getIdentityToken(),
          .registry_token = auth.getRegistryToken(),
          .server = auth.getServer()};
}

absl::StatusOr<FetchRequest> ReadRequest(schema::FetchJob::Reader job,
                                         const std::vector<base::UniqueFd>& fds) {
  if (job.getItems().size() != fds.size()) {
    return absl::InvalidArgumentError("fetch job: needs one fd for each item");
  }
  FetchRequest request;
  request.registry = std::string(job.getRegistry());
  request.repository = std::string(job.getRepository());
  for (size_t i = 0; i < fds.size(); ++i) {
    request.items.push_back(ReadItem(job.getItems()[i], fds[i].get()));
  }
  if (job.getDeadlineMs() > 0) {
    request.deadline = base::Deadline::After(absl::Milliseconds(job.getDeadlineMs()));
  }
  request.rate = {.bytes_per_second = job.getMinimumBytesPerSecond(),
                  .window = absl::Seconds(job.getMinimumWindowSeconds())};
  request.auth = ReadCredentials(job.getAuth());
  request.token = {job.getToken().getHost(), job.getToken().getText()};
  absl::Status configured = ApplySettings(kSettingsFd, &request);
  close(kSettingsFd);
  if (!configured.ok()) return configured;
  return request;
}

absl::Status Run(schema::FetchJob::Reader job, const std::vector<base::UniqueFd>& fds,
                 schema::FetchResult::Builder result) {
  absl::StatusOr<FetchRequest> request = ReadRequest(job, fds);
  if (!request.ok()) return request.status();
  RegistryToken token = request->token;
  absl::StatusOr<std::vector<Fetched>> fetched = Fetch(*request, &token);
  if (!fetched.ok()) return fetched.status();
  result.initToken().setHost(token.host);
  result.getToken().setText(token.text);
  auto items = result.initItems(fetched->size());
  for (size_t i = 0; i < fetched->size(); ++i) {
    items[i].setBytes((*fetched)[i].bytes);
    items[i].setMediaType((*fetched)[i].media_type);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::worker

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::FetchJob, schema::FetchResult>(
      security::kFetchProfile, ipc::kMaxFds,
      [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::Run(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
