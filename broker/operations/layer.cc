#include "broker/operations/layer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/status.h"
#include "broker/operations/remove.h"
#include "broker/spawner/worker.h"
#include "schema/worker/inflate.capnp.h"
#include "schema/worker/unpack.capnp.h"

namespace bulkhead::broker {
namespace {

constexpr uint64_t kMaxLayerBytes = uint64_t{64} << 30;
constexpr uint64_t kMaxLayerEntries = 2'000'000;
constexpr uint32_t kMaxRatio = 1100;  // deflate cannot do better than 1032

// A directory under layers/ that counts as nothing until it is renamed.
struct Staging {
  std::string name;
  base::UniqueFd directory;
};

absl::StatusOr<Staging> MakeStaging(Broker& broker) {
  Staging staging{.name = absl::StrCat("tmp-", base::NewId().substr(0, 32))};
  int layers = broker.directories.layers.get();
  if (mkdirat(layers, staging.name.c_str(), 0700) < 0) {
    return base::ErrnoStatus("make a layer's directory");
  }
  BULKHEAD_ASSIGN_OR_RETURN(
      staging.directory,
      base::OpenAt(layers, staging.name, O_RDONLY | O_DIRECTORY, base::Resolve::kBeneathNoSymlinks));
  return staging;
}

struct Unpacked {
  std::string digest;
  std::string diff_id;
  LayerObject layer;
};

// One worker inflates and hashes, the other writes the files; a pipe joins them.
absl::StatusOr<Unpacked> UnpackInto(Fiber& fiber, Broker& broker, const LayerSource& source,
                                    const Staging& staging) {
  BULKHEAD_ASSIGN_OR_RETURN(base::FdPair pipe, base::MakePipe());
  fcntl(pipe.first.get(), F_SETPIPE_SZ, 1 << 20);  // fewer switches; refused over the user's limit
  capnp::MallocMessageBuilder inflate_job;
  auto inflate = inflate_job.initRoot<schema::InflateJob>();
  inflate.setOffset(source.offset);
  inflate.setSize(source.size);
  inflate.setMaxBytes(kMaxLayerBytes);
  inflate.setMaxRatio(kMaxRatio);
  capnp::MallocMessageBuilder unpack_job;
  auto unpack = unpack_job.initRoot<schema::UnpackJob>();
  unpack.setMaxBytes(kMaxLayerBytes);
  unpack.setMaxEntries(kMaxLayerEntries);

  BULKHEAD_ASSIGN_OR_RETURN(auto inflater,
                            Worker::Start(fiber, broker.spawner, security::Kind::kInflate,
                                          inflate_job, {source.fd, pipe.second.get()}));
  pipe.second.Reset();
  BULKHEAD_ASSIGN_OR_RETURN(
      auto unpacker,
      Worker::Start(fiber, broker.spawner, security::Kind::kUnpack, unpack_job,
                    {pipe.first.get(), staging.directory.get()}));
  pipe.first.Reset();

  Unpacked result;
  absl::Status unpacked = unpacker->Finish<schema::UnpackResult>(
      fiber, [&](schema::UnpackResult::Reader answer, std::vector<base::UniqueFd>&) {
        result.layer = {.bytes = answer.getBytes(), .inodes = answer.getEntries()};
        return absl::OkStatus();
      });
  unpacker->WaitForExit(fiber);  // nothing may change the directory any more
  absl::Status inflated = inflater->Finish<schema::InflateResult>(
      fiber, [&](schema::InflateResult::Reader answer, std::vector<base::UniqueFd>&) {
        result.digest = DigestBytes(answer.getDigest());
        result.diff_id = DigestBytes(answer.getDiffId());
        return absl::OkStatus();
      });
  BULKHEAD_RETURN_IF_ERROR(unpacked);
  BULKHEAD_RETURN_IF_ERROR(inflated);
  return result;
}

absl::Status CheckDigests(const LayerSource& source, const Unpacked& unpacked) {
  if (!source.digest.empty() && unpacked.digest != source.digest) {
    return absl::DataLossError(
        absl::StrCat("layer ", DigestText(source.digest), ": the bytes have another digest"));
  }
  if (unpacked.diff_id != source.diff_id) {
    return absl::DataLossError(absl::StrCat("layer with diffID ", DigestText(source.diff_id),
                                            ": its tar has another digest"));
  }
  return absl::OkStatus();
}

absl::Status Commit(Broker& broker, const Staging& staging, const std::string& hex,
                    LayerObject layer) {
  int layers = broker.directories.layers.get();
  if (renameat(layers, staging.name.c_str(), layers, hex.c_str()) < 0) {
    return base::ErrnoStatus("put a layer in its place");
  }
  // The unpacker synced the files; the name must be as durable before the row says that it is there.
  if (fsync(layers) < 0) return base::ErrnoStatus("sync the layers' directory");
  return broker.state.SaveLayer(hex, layer);
}

}  // namespace

std::string DigestBytes(schema::Digest::Reader digest) {
  auto bytes = digest.getBytes();
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}

std::string DigestText(absl::string_view bytes) {
  return absl::StrCat("sha256:", base::ToHex(bytes));
}

absl::Status EnsureLayer(Fiber& fiber, Broker& broker, const LayerSource& source) {
  std::string hex = base::ToHex(source.diff_id);
  auto ordered = broker.keys.Acquire(fiber, absl::StrCat("layer ", hex));
  if (broker.state.layers().contains(hex)) return absl::OkStatus();
  // Renamed but not recorded: a broker that died in between left it.
  BULKHEAD_RETURN_IF_ERROR(RemoveLayerFiles(fiber, broker, hex));
  BULKHEAD_ASSIGN_OR_RETURN(Staging staging, MakeStaging(broker));
  absl::Status status = [&]() -> absl::Status {
    BULKHEAD_ASSIGN_OR_RETURN(Unpacked unpacked, UnpackInto(fiber, broker, source, staging));
    BULKHEAD_RETURN_IF_ERROR(CheckDigests(source, unpacked));
    return Commit(broker, staging, hex, unpacked.layer);
  }();
  if (!status.ok()) RemoveStaging(fiber, broker, staging.name).IgnoreError();
  return status;
}

absl::Status EnsureLayers(Fiber& fiber, Broker& broker, const std::vector<LayerSource>& sources) {
  struct Work {
    std::vector<LayerSource> sources;
    size_t next = 0;
    absl::Status first_error;
  };
  auto work = std::make_shared<Work>();
  work->sources = sources;
  auto take = [work, &broker](Fiber& mine) {
    while (work->next < work->sources.size() && work->first_error.ok()) {
      const LayerSource& source = work->sources[work->next++];
      absl::Status status = EnsureLayer(mine, broker, source);
      if (!status.ok() && work->first_error.ok()) work->first_error = status;
    }
    return absl::OkStatus();
  };
  kj::Promise<absl::Status> other = broker.loop.Run(take);
  take(fiber).IgnoreError();
  fiber.Wait(kj::mv(other)).IgnoreError();
  return work->first_error;
}

}  // namespace bulkhead::broker
