#include "worker/fetch/settings.h"

#include <capnp/serialize.h>
#include <string.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/fs.h"
#include "base/status.h"
#include "ipc/guard.h"
#include "ipc/message.h"

namespace bulkhead::worker {
namespace {

constexpr absl::string_view kAnyRegistry = "*";

std::string ToString(capnp::Text::Reader text) { return std::string(text.cStr(), text.size()); }
std::string ToString(capnp::Data::Reader data) {
  return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
}

FetchEndpoint ReadEndpoint(schema::Endpoint::Reader from, const std::string& registry) {
  FetchEndpoint to;
  to.host = from.getHost().size() > 0 ? ToString(from.getHost()) : registry;
  to.plain_http = from.getPlainHttp();
  to.skip_verify = from.getSkipVerify();
  to.ca = ToString(from.getCa());
  to.path = ToString(from.getPath());
  to.resolve = from.getResolve();
  to.pull = from.getPull();
  to.credentials = from.getCredentials();
  to.client_cert = ToString(from.getClientCert());
  to.client_key = ToString(from.getClientKey());
  for (auto header : from.getHeaders()) {
    to.headers.push_back(
        absl::StrCat(ToString(header.getKey()), ": ", ToString(header.getValue())));
  }
  return to;
}

// Where the registry has no entry of its own, the one for all others.
const schema::Registry::Reader* Find(const std::vector<schema::Registry::Reader>& entries,
                                     absl::string_view registry) {
  const schema::Registry::Reader* any = nullptr;
  for (const schema::Registry::Reader& entry : entries) {
    if (registry == entry.getHost().cStr()) return &entry;
    if (kAnyRegistry == entry.getHost().cStr()) any = &entry;
  }
  return any;
}

}  // namespace

void ApplyRegistries(schema::Registries::Reader settings, FetchRequest* request) {
  std::vector<schema::Registry::Reader> entries;
  for (auto entry : settings.getRegistries()) entries.push_back(entry);
  if (const schema::Registry::Reader* entry = Find(entries, request->registry)) {
    for (auto endpoint : entry->getEndpoints()) {
      request->endpoints.push_back(ReadEndpoint(endpoint, request->registry));
    }
    for (auto host : entry->getTokenHosts()) request->token_hosts.push_back(ToString(host));
  }
  if (request->endpoints.empty()) request->endpoints.push_back({.host = request->registry});
  auto proxy = settings.getProxy();
  request->proxy = {ToString(proxy.getHttp()), ToString(proxy.getHttps()),
                    ToString(proxy.getNone())};
  request->private_redirects = settings.getPrivateRedirects();
}

absl::Status ApplySettings(int fd, FetchRequest* request) {
  struct stat st;
  if (fstat(fd, &st) != 0) return base::ErrnoStatus("registry settings");
  if (st.st_size < 0 || static_cast<size_t>(st.st_size) > kMaxSettingsBytes) {
    return absl::InternalError("registry settings: no sensible size");
  }
  if (st.st_size == 0) {
    request->endpoints.push_back({.host = request->registry});
    return absl::OkStatus();
  }
  BULKHEAD_ASSIGN_OR_RETURN(std::string bytes, base::ReadAt(fd, 0, st.st_size));
  absl::Status status = ipc::CheckSegmentTable(
      absl::MakeSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  kj::Array<capnp::word> words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  memcpy(words.begin(), bytes.data(), words.asBytes().size());
  if (status.ok()) {
    status = ipc::Guarded([&] {
      capnp::FlatArrayMessageReader reader(words, ipc::SafeReaderOptions(bytes.size()));
      ApplyRegistries(reader.getRoot<schema::Registries>(), request);
    });
  }
  explicit_bzero(bytes.data(), bytes.size());
  explicit_bzero(words.begin(), words.asBytes().size());
  return base::Annotate(status, "registry settings");
}

}  // namespace bulkhead::worker
