#include "broker/operations/fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/spawner/worker.h"
#include "schema/worker/fetch.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr absl::Duration kFetchLimit = absl::Minutes(30);
constexpr uint32_t kMinimumBytesPerSecond = 1024;

// A file being fetched: its name is gone as soon as it exists, so nothing of it can be left behind.
absl::StatusOr<base::UniqueFd> MakeIngestFile(Broker& broker, base::UniqueFd* writer) {
  std::string name = base::NewId();
  int ingest = broker.directories.ingest.get();
  auto made = base::OpenAt(ingest, name, O_WRONLY | O_CREAT | O_EXCL,
                           base::Resolve::kBeneathNoSymlinks, 0600);
  if (!made.ok()) return made.status();
  *writer = *std::move(made);
  auto reader = base::OpenAt(ingest, name, O_RDONLY, base::Resolve::kBeneathNoSymlinks);
  unlinkat(ingest, name.c_str(), 0);
  return reader;
}

// Where the registry of this reference is found: its entry in the configuration, the entry "*",
// else itself.
void FillEndpoints(Broker& broker, schema::ImageReference::Reader reference,
                   schema::FetchJob::Builder job) {
  for (absl::string_view wanted :
       {absl::string_view(reference.getRegistry().cStr()), absl::string_view("*")}) {
    for (auto registry : broker.config.getRegistries()) {
      if (wanted == registry.getHost().cStr() && registry.getEndpoints().size() > 0) {
        job.setEndpoints(registry.getEndpoints());
        return;
      }
    }
  }
  job.initEndpoints(1)[0].setHost(reference.getRegistry());
}

void FillItem(const Wanted& wanted, schema::FetchJob::Item::Builder item) {
  auto bytes = kj::StringPtr(wanted.name.c_str(), wanted.name.size()).asBytes();
  switch (wanted.what) {
    case Wanted::What::kTag:
      item.setManifestByTag(wanted.name);
      break;
    case Wanted::What::kManifest:
      item.initManifestByDigest().setBytes(bytes);
      break;
    case Wanted::What::kBlob:
      item.initBlob().setBytes(bytes);
      break;
  }
  item.setMaxBytes(wanted.max_bytes);
}

}  // namespace

absl::StatusOr<std::vector<FetchedFile>> Fetch(Fiber& fiber, Broker& broker, Pull& pull,
                                               const std::vector<Wanted>& wanted,
                                               const FetchBegun& begun) {
  std::vector<FetchedFile> files(wanted.size());
  std::vector<base::UniqueFd> writers(wanted.size());
  std::vector<int> fds;
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::FetchJob>();
  FillEndpoints(broker, pull.reference, job);
  job.setRegistry(pull.reference.getRegistry());
  job.setRepository(pull.reference.getRepository());
  job.setDeadlineMs(static_cast<uint32_t>(absl::ToInt64Milliseconds(kFetchLimit)));
  job.setMinimumBytesPerSecond(kMinimumBytesPerSecond);
  auto items = job.initItems(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    FillItem(wanted[i], items[i]);
    BULKHEAD_ASSIGN_OR_RETURN(files[i].fd, MakeIngestFile(broker, &writers[i]));
    fds.push_back(writers[i].get());
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      auto worker, Worker::Start(fiber, broker.spawner, security::Kind::kFetch, message, fds,
                                 {.limit = kFetchLimit + absl::Seconds(10)}));
  writers.clear();
  if (begun) begun(files);
  absl::Status fetched = worker->Finish<schema::FetchResult>(
      fiber, [&](schema::FetchResult::Reader result, std::vector<base::UniqueFd>&) {
        if (result.getItems().size() != files.size()) {
          return absl::InternalError("fetch: not as many files as asked for");
        }
        for (size_t i = 0; i < files.size(); ++i) {
          files[i].size = result.getItems()[i].getBytes();
          files[i].media_type = result.getItems()[i].getMediaType();
        }
        return absl::OkStatus();
      });
  BULKHEAD_RETURN_IF_ERROR(fetched);
  worker->WaitForExit(fiber);  // nobody may write to the files any more when they are hashed (V3)
  return files;
}

}  // namespace bulkhead::broker
