// What a registry answers to a request without credentials: the WWW-Authenticate header, the token
// service that it names, and that service's document. First byte: which.
#include <cstdlib>
#include <string>

#include "worker/fetch/challenge.h"
#include "worker/fetch/token.h"

namespace {

namespace worker = bulkhead::worker;

void Check(bool condition) {
  if (!condition) abort();
}

void TryService(const worker::Challenge& challenge, bool plain) {
  worker::FetchRequest request;
  request.token_hosts = {"auth.example"};
  worker::FetchEndpoint endpoint = {"registry.example", plain};
  auto service = worker::FindTokenService(challenge, endpoint, request);
  if (!service.ok()) return;
  Check(service->host.scheme == "https" || plain);
  // Nobody else may see a password.
  bool known = worker::ShowHost(service->host) == "registry.example" ||
               worker::ShowHost(service->host) == "auth.example";
  Check(!service->trusted || known);
  std::string query = worker::TokenQuery(challenge, endpoint, "a/b");
  for (unsigned char c : query) Check(c > 0x20 && c < 0x7f && c != '#');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) {
    auto token = worker::ParseToken(text);
    if (token.ok()) Check(worker::IsTokenText(*token));
    return 0;
  }
  auto challenges = worker::ParseChallenges(text);
  Check(challenges.size() <= 16);
  for (const worker::Challenge& challenge : challenges) {
    Check(!challenge.scheme.empty());
    TryService(challenge, data[0] % 4 == 0);
  }
  return 0;
}
