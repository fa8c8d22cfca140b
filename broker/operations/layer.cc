#include "broker/operations/layer.h"

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/layer_store.h"
#include "broker/spawner/worker.h"
#include "schema/worker/inflate.capnp.h"
#include "schema/worker/pack.capnp.h"
#include "schema/worker/unpack.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kRatioFreeBytes = 1 << 20;

// What one image may still cost.
struct ImageBudget {
  uint64_t bytes;
  uint64_t entries;
};

// A layer that was made and does not count yet.
struct Made {
  Staging staging;
  std::string digest;
  std::string diff_id;
  uint64_t bytes = 0;
  uint64_t entries = 0;
};

uint64_t MaxTarBytes(schema::Layers::Reader limits, uint64_t compressed) {
  // Headers and padding: 1 KiB for an entry's, and as much again for long names and attributes.
  const uint64_t most = limits.getMaxBytes() + limits.getMaxEntries() * 4096;
  if (limits.getMaxRatio() == 0 || compressed > most / limits.getMaxRatio()) return most;
  return std::min(most, std::max(compressed * limits.getMaxRatio(), kRatioFreeBytes));
}

void FillBudget(schema::Layers::Reader limits, const ImageBudget& image, uint64_t compressed,
                schema::LayerBudget::Builder budget) {
  budget.setMaxBytes(std::min(limits.getMaxBytes(), image.bytes));
  budget.setMaxEntries(std::min(limits.getMaxEntries(), image.entries));
  budget.setMaxTarBytes(MaxTarBytes(limits, compressed));
  budget.setMaxDepth(limits.getMaxDepth());
  budget.setMaxXattrBytes(limits.getMaxXattrBytes());
  budget.setCpuSeconds(limits.getMaxCpuSeconds());
}

Worker::Options WithinTime(schema::Layers::Reader limits) {
  return {.limit = absl::Seconds(limits.getMaxSeconds())};
}

absl::StatusOr<std::unique_ptr<Worker>> StartInflate(Fiber& fiber, Broker& broker,
                                                     const LayerSource& source, int out,
                                                     int complete) {
  auto limits = broker.config.getLayers();
  capnp::MallocMessageBuilder message;
  auto job = message.initRoot<schema::InflateJob>();
  job.setOffset(source.offset);
  job.setSize(source.size);
  job.setMaxBytes(MaxTarBytes(limits, source.size));
  job.setMaxRatio(limits.getMaxRatio());
  job.setCpuSeconds(limits.getMaxCpuSeconds());
  job.setGrowing(complete >= 0);
  std::vector<int> fds = {source.fd, out};
  if (complete >= 0) fds.push_back(complete);
  return Worker::Start(fiber, broker.spawner, security::Kind::kInflate, message, fds,
                       WithinTime(limits));
}

template <typename Job>
absl::StatusOr<std::unique_ptr<Worker>> StartMaker(Fiber& fiber, Broker& broker,
                                                   security::Kind kind, uint64_t compressed,
                                                   const ImageBudget& image, int in, int staging) {
  capnp::MallocMessageBuilder message;
  FillBudget(broker.config.getLayers(), image, compressed, message.initRoot<Job>().initBudget());
  return Worker::Start(fiber, broker.spawner, kind, message, {in, staging},
                       WithinTime(broker.config.getLayers()));
}

template <typename Result>
absl::Status FinishMaker(Fiber& fiber, Worker& worker, Made* made) {
  return worker.Finish<Result>(fiber,
                               [&](typename Result::Reader answer, std::vector<base::UniqueFd>&) {
                                 made->bytes = answer.getLayer().getBytes();
                                 made->entries = answer.getLayer().getEntries();
                                 made->diff_id = DigestBytes(answer.getLayer().getDiffId());
                                 return absl::OkStatus();
                               });
}

// One worker inflates and hashes what it inflates, the other hashes what comes out and makes the
// layer; a pipe joins them. complete: see InflateJob; -1: the source is complete.
absl::Status RunMakers(Fiber& fiber, Broker& broker, const LayerSource& source, int complete,
                       const ImageBudget& image, Made* made) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
  fcntl(pipe.first.get(), F_SETPIPE_SZ, 1 << 20);  // fewer switches; refused over the user's limit
  const bool is_image = made->staging.is_image;
  BULKHEAD_ASSIGN_OR_RETURN(auto inflater,
                            StartInflate(fiber, broker, source, pipe.second.get(), complete));
  pipe.second.Reset();
  auto start = is_image ? StartMaker<schema::PackJob> : StartMaker<schema::UnpackJob>;
  BULKHEAD_ASSIGN_OR_RETURN(
      auto maker, start(fiber, broker, is_image ? security::Kind::kPack : security::Kind::kUnpack,
                        source.size, image, pipe.first.get(), made->staging.fd.get()));
  pipe.first.Reset();
  auto finish = is_image ? FinishMaker<schema::PackResult> : FinishMaker<schema::UnpackResult>;
  absl::Status finished = finish(fiber, *maker, made);
  maker->WaitForExit(fiber);  // nothing may change the layer any more
  absl::Status inflated = inflater->Finish<schema::InflateResult>(
      fiber, [&](schema::InflateResult::Reader answer, std::vector<base::UniqueFd>&) {
        made->digest = DigestBytes(answer.getDigest());
        return absl::OkStatus();
      });
  // Whichever stopped first made the other one stop: the pipe's end is no cause.
  if (finished.ok() || (absl::IsDataLoss(finished) && !inflated.ok())) return inflated;
  return finished;
}

absl::Status CheckDigests(const LayerSource& source, const Made& made) {
  if (!source.digest.empty() && made.digest != source.digest) {
    return absl::DataLossError(
        absl::StrCat("layer ", DigestText(source.digest), ": the bytes have another digest"));
  }
  if (made.diff_id != source.diff_id) {
    return absl::DataLossError(absl::StrCat("layer with diffID ", DigestText(source.diff_id),
                                            ": its tar has another digest"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Made> MakeLayer(Fiber& fiber, Broker& broker, const LayerSource& source,
                               int complete, const ImageBudget& image) {
  Made made;
  BULKHEAD_ASSIGN_OR_RETURN(made.staging, MakeStaging(broker));
  absl::Status status = RunMakers(fiber, broker, source, complete, image, &made);
  if (status.ok()) status = CheckDigests(source, made);
  if (status.ok()) return made;
  RemoveStaging(fiber, broker, made.staging.name).IgnoreError();
  return status;
}

// A layer that is made while its bytes come.
absl::StatusOr<Made> MakeWhileFetching(Fiber& fiber, Broker& broker, WantedLayer& wanted,
                                       const ImageBudget& image) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair complete, base::MakePipe());
  std::optional<kj::Promise<absl::StatusOr<Made>>> making;
  absl::StatusOr<base::UniqueFd> own = absl::InternalError("layer: never begun");
  absl::StatusOr<base::UniqueFd> fetched = wanted.fetch(fiber, [&](int file) {
    own = base::Duplicate(file);  // the fetcher's goes where it fails
    if (!own.ok()) return;
    LayerSource source = wanted.source;
    source.fd = own->get();
    making = broker.loop.Run([&broker, source, image, end = complete.first.get()](Fiber& mine) {
      return MakeLayer(mine, broker, source, end, image);
    });
  });
  complete.second.Reset();
  absl::StatusOr<Made> made = absl::InternalError("layer: never begun");
  if (!own.ok()) made = own.status();
  if (making.has_value()) made = fiber.Wait(*std::move(making));
  if (!fetched.ok()) {
    if (made.ok()) RemoveStaging(fiber, broker, made->staging.name).IgnoreError();
    return fetched.status();
  }
  const bool again = !made.ok() && !absl::IsResourceExhausted(made.status()) &&
                     !absl::IsDeadlineExceeded(made.status());
  if (!again) return made;
  // The bytes may have changed while they came, where a second server was asked: now they do not.
  wanted.source.fd = fetched->get();
  return MakeLayer(fiber, broker, wanted.source, -1, image);
}

absl::Status EnsureLayer(Fiber& fiber, Broker& broker, WantedLayer& wanted, ImageBudget& image) {
  std::string hex = base::ToHex(wanted.source.diff_id);
  auto ordered = broker.keys.Acquire(fiber, absl::StrCat("layer ", hex));
  if (broker.state.layers().contains(hex)) return absl::OkStatus();
  // Renamed but not recorded: a broker that died in between left it.
  BULKHEAD_RETURN_IF_ERROR(RemoveLayerFiles(fiber, broker, hex));
  absl::StatusOr<Made> made = wanted.fetch ? MakeWhileFetching(fiber, broker, wanted, image)
                                           : MakeLayer(fiber, broker, wanted.source, -1, image);
  if (!made.ok()) return made.status();
  absl::Status status =
      made->bytes > image.bytes || made->entries > image.entries
          ? absl::ResourceExhaustedError("image: its layers together are over the limit")
          : CommitLayer(broker, made->staging, hex, made->bytes, made->entries);
  if (!status.ok()) {
    RemoveStaging(fiber, broker, made->staging.name).IgnoreError();
    return status;
  }
  image.bytes -= made->bytes;
  image.entries -= made->entries;
  return absl::OkStatus();
}

}  // namespace

std::string DigestBytes(schema::Digest::Reader digest) {
  auto bytes = digest.getBytes();
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

std::string DigestText(absl::string_view bytes) {
  return absl::StrCat("sha256:", base::ToHex(bytes));
}

absl::Status EnsureLayers(Fiber& fiber, Broker& broker, std::vector<WantedLayer> layers) {
  auto limits = broker.config.getLayers();
  ImageBudget image = {.bytes = limits.getMaxImageBytes(), .entries = limits.getMaxImageEntries()};
  // The largest first: it is what the others' time can be hidden behind.
  std::stable_sort(layers.begin(), layers.end(), [](const WantedLayer& a, const WantedLayer& b) {
    return a.source.size > b.source.size;
  });
  size_t next = 0;
  absl::Status first_error;
  auto take = [&](Fiber& mine) {
    while (next < layers.size() && first_error.ok()) {
      absl::Status status = EnsureLayer(mine, broker, layers[next++], image);
      if (!status.ok() && first_error.ok()) first_error = status;
    }
    return absl::OkStatus();
  };
  std::vector<kj::Promise<absl::Status>> others;
  for (size_t i = 1; i < std::min<size_t>(limits.getParallel(), layers.size()); ++i) {
    others.push_back(broker.loop.Run(take));
  }
  take(fiber).IgnoreError();
  for (auto& other : others) fiber.Wait(kj::mv(other)).IgnoreError();
  WriteBack(broker);
  return first_error;
}

}  // namespace bulkhead::broker
