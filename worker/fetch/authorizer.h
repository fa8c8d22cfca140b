#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/fetch/http_client.h"
#include "worker/fetch/token.h"

namespace bulkhead::worker {

// What convinces one endpoint: nothing, the pull's own token, Basic, or a token of its token
// service. The credentials go to the registry itself and to those that root named, and to nobody
// else (V1).
class Authorizer {
 public:
  Authorizer(const FetchRequest& request, const FetchEndpoint& endpoint, HttpClient& client);

  // Adds it to a request to the endpoint itself. Never to be called for another host.
  void Apply(HttpRequest& request) const;

  // The token of the token service, if one is in use.
  bool HasToken() const { return !token_.empty() && token_ != auth_.registry_token; }
  RegistryToken Token() const { return {endpoint_.host, token_}; }

  // What to do about a 401 with these challenges. OK: ask again. UNAUTHENTICATED: nothing helps.
  // Other codes: the token service cannot be asked, or may not be.
  absl::Status Answer(const std::vector<std::string>& challenges);

 private:
  absl::Status AnswerBasic();
  absl::Status AnswerBearer(const Challenge& challenge);
  absl::StatusOr<std::string> AskForToken(const TokenService& service, const Challenge& challenge);
  HttpRequest TokenRequest(const TokenService& service, const Challenge& challenge) const;
  bool MayUseCredentials() const;

  const FetchRequest& request_;
  const FetchEndpoint& endpoint_;
  HttpClient& client_;
  FetchEndpoint service_tls_;  // of a token service elsewhere: the same authorities, no more
  Credentials auth_;           // those that this endpoint may see; none: empty
  std::string token_;          // Bearer
  bool basic_ = false;
};

}  // namespace bulkhead::worker
