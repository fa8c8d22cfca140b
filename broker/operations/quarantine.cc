#include "broker/operations/quarantine.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/status.h"
#include "broker/operations/layer_store.h"
#include "broker/operations/list_directory.h"

namespace bulkhead::broker {
namespace {

constexpr absl::string_view kPrefix = "bad-";

absl::Status PutAside(int directory, const std::string& name) {
  std::string aside = absl::StrCat(kPrefix, name, "-", base::NewId().substr(0, 8));
  if (renameat(directory, name.c_str(), directory, aside.c_str()) < 0) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus("put aside what is damaged");
  }
  base::Log(base::Severity::kWarning, "damaged content was put aside", {{"as", aside}});
  return fsync(directory) == 0 ? absl::OkStatus() : base::ErrnoStatus("sync a directory");
}

}  // namespace

absl::Status QuarantineBlob(Broker& broker, const std::string& hex) {
  return PutAside(broker.directories.blobs.get(), hex);
}

absl::Status QuarantineLayer(Broker& broker, const std::string& diff_id_hex) {
  broker.layer_mounts.erase(diff_id_hex);  // no new container gets a view of it
  return PutAside(broker.directories.layers.get(), diff_id_hex);
}

bool IsQuarantined(absl::string_view name) { return absl::StartsWith(name, kPrefix); }

absl::Status EmptyQuarantine(Fiber& fiber, Broker& broker) {
  int blobs = broker.directories.blobs.get(), layers = broker.directories.layers.get();
  BULKHEAD_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(blobs));
  for (const std::string& name : names) {
    if (IsQuarantined(name)) unlinkat(blobs, name.c_str(), 0);
  }
  BULKHEAD_ASSIGN_OR_RETURN(names, ListDirectory(layers));
  for (const std::string& name : names) {
    if (!IsQuarantined(name)) continue;
    // Under a name that the worker that removes things takes, and the next start clears.
    std::string staging = absl::StrCat("tmp-", base::NewId().substr(0, 32));
    if (renameat(layers, name.c_str(), layers, staging.c_str()) < 0) continue;
    BULKHEAD_RETURN_IF_ERROR(RemoveStaging(fiber, broker, staging));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::broker
