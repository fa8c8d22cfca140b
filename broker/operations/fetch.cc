#include "broker/operations/fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/spawner/worker.h"
#include "ipc/wipe.h"
#include "schema/worker/fetch.capnp.h"

namespace bulkhead::broker {
namespace {

// Of one worker, where the pull has no deadline or a later one (the profile's wall limit).
constexpr absl::Duration kFetchLimit = absl::Hours(1);
// Beyond the worker's own deadline, so that its own words are heard.
constexpr absl::Duration kAnswerPatience = absl::Seconds(10);

// A file being fetched: its name goes with it, and with the next start.
absl::StatusOr<base::UniqueFd> MakeIngestFile(Broker& broker, base::UniqueFd* writer,
                                              IngestName* taken) {
  std::string name = IngestName::New();
  int blobs = broker.directories.blobs.get();
  auto made = base::OpenAt(blobs, name, O_WRONLY | O_CREAT | O_EXCL,
                           base::Resolve::kBeneathNoSymlinks, 0600);
  if (!made.ok()) return made.status();
  *taken = IngestName(blobs, name);
  *writer = *std::move(made);
  return base::OpenAt(blobs, name, O_RDONLY, base::Resolve::kBeneathNoSymlinks);
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

void FillJob(Broker& broker, const Pull& pull, absl::Duration limit,
             schema::FetchJob::Builder job) {
  auto reference = pull.reference.read();
  job.setAuth(pull.auth.read());
  job.setToken(pull.token.read());
  job.setRegistry(reference.getRegistry());
  job.setRepository(reference.getRepository());
  job.setDeadlineMs(static_cast<uint32_t>(absl::ToInt64Milliseconds(limit)));
  auto pulls = broker.config.getPulls();
  job.setMinimumBytesPerSecond(pulls.getMinimumBytesPerSecond());
  job.setMinimumWindowSeconds(pulls.getMinimumWindowSeconds());
}

// Shows how far the layer of this digest is by the file that it goes to.
void ShowPart(Pull& pull, const Wanted& wanted, int file) {
  for (Pull::Part& part : pull.parts) {
    if (part.fetched || part.digest != wanted.name) continue;
    absl::StatusOr<base::UniqueFd> own = base::Duplicate(file);
    if (own.ok()) part.file = *std::move(own);
  }
}

void HideParts(Pull& pull, const std::vector<Wanted>& wanted, bool fetched) {
  for (Pull::Part& part : pull.parts) {
    for (const Wanted& each : wanted) {
      if (part.digest != each.name) continue;
      part.file.Reset();
      part.fetched = part.fetched || fetched;
    }
  }
}

absl::Status TakeResult(Fiber& fiber, Pull& pull, Worker& worker, std::vector<FetchedFile>& files) {
  absl::Status fetched = worker.Finish<schema::FetchResult>(
      fiber, [&](schema::FetchResult::Reader result, std::vector<base::UniqueFd>&) {
        if (result.getItems().size() != files.size()) {
          return absl::InternalError("fetch: not as many files as asked for");
        }
        for (size_t i = 0; i < files.size(); ++i) {
          files[i].size = result.getItems()[i].getBytes();
          files[i].media_type = result.getItems()[i].getMediaType();
        }
        pull.token.edit().setHost(result.getToken().getHost());
        pull.token.edit().setText(result.getToken().getText());
        return absl::OkStatus();
      });
  if (fetched.ok()) worker.WaitForExit(fiber);  // nobody may write any more (V3)
  return fetched;
}

absl::Status Await(Fiber& fiber, Pull& pull, Worker& worker, std::vector<FetchedFile>& files) {
  auto mine = pull.on_abandon.insert(pull.on_abandon.end(), [&worker] { worker.Cancel(); });
  absl::Status status = TakeResult(fiber, pull, worker, files);
  pull.on_abandon.erase(mine);
  return status;
}

}  // namespace

absl::StatusOr<std::vector<FetchedFile>> Fetch(Fiber& fiber, Broker& broker, Pull& pull,
                                               const std::vector<Wanted>& wanted,
                                               const FetchBegun& begun) {
  if (pull.abandoned) return absl::CancelledError("pull: nobody waits for it any more");
  absl::Duration limit = std::min(pull.deadline.Remaining(), kFetchLimit);
  if (limit < absl::Milliseconds(1)) return absl::DeadlineExceededError("pull: took too long");
  std::vector<FetchedFile> files(wanted.size());
  std::vector<base::UniqueFd> writers(wanted.size());
  std::vector<int> fds;
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::FetchJob>();
  FillJob(broker, pull, limit, job);
  auto items = job.initItems(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    FillItem(wanted[i], items[i]);
    BULKHEAD_ASSIGN_OR_RETURN(files[i].fd, MakeIngestFile(broker, &writers[i], &files[i].name));
    ShowPart(pull, wanted[i], files[i].fd.get());
    fds.push_back(writers[i].get());
  }
  auto worker = Worker::Start(fiber, broker.spawner, security::Kind::kFetch, message, fds,
                              {.limit = limit + kAnswerPatience});
  ipc::Wipe(message);
  writers.clear();
  absl::Status status = worker.status();
  if (status.ok() && begun) begun(files);
  if (status.ok()) status = Await(fiber, pull, **worker, files);
  HideParts(pull, wanted, status.ok());
  if (!status.ok()) return status;
  return files;
}

}  // namespace bulkhead::broker
