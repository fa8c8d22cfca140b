#include "worker/fetch/authorizer.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "worker/fetch/back_off.h"
#include "worker/fetch/failure.h"

namespace bulkhead::worker {
namespace {

constexpr absl::Duration kTokenTimeout = absl::Seconds(30);

std::vector<Challenge> ParseAll(const std::vector<std::string>& headers) {
  std::vector<Challenge> out;
  for (const std::string& header : headers) {
    for (Challenge& challenge : ParseChallenges(header)) out.push_back(std::move(challenge));
  }
  return out;
}

const Challenge* FindScheme(const std::vector<Challenge>& challenges, absl::string_view scheme) {
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == scheme) return &challenge;
  }
  return nullptr;
}

}  // namespace

Authorizer::Authorizer(const FetchRequest& request, const FetchEndpoint& endpoint,
                       HttpClient& client)
    : request_(request), endpoint_(endpoint), client_(client) {
  service_tls_.ca = endpoint.ca;
  if (request.token.host == endpoint.host && IsTokenText(request.token.text)) {
    token_ = request.token.text;
  }
  if (!MayUseCredentials()) return;
  auth_ = request.auth;
  if (!auth_.registry_token.empty()) token_ = auth_.registry_token;
}

bool Authorizer::MayUseCredentials() const {
  const Credentials& auth = request_.auth;
  if (auth.empty()) return false;
  std::string for_whom = CanonicalHost(auth.server.empty() ? request_.registry : auth.server);
  if (for_whom == CanonicalHost(endpoint_.host)) return true;
  return for_whom == CanonicalHost(request_.registry) && endpoint_.credentials;
}

void Authorizer::Apply(HttpRequest& request) const {
  request.bearer = token_;
  if (!basic_) return;
  request.username = auth_.username;
  request.password = auth_.password;
}

absl::Status Authorizer::Answer(const std::vector<std::string>& headers) {
  // It was sent with the request, and refused.
  if (!auth_.registry_token.empty() || basic_) {
    return absl::UnauthenticatedError("refuses the credentials");
  }
  std::vector<Challenge> challenges = ParseAll(headers);
  if (const Challenge* bearer = FindScheme(challenges, "bearer")) return AnswerBearer(*bearer);
  if (FindScheme(challenges, "basic") != nullptr) return AnswerBasic();
  return absl::UnauthenticatedError("asks for nothing that can be given");
}

absl::Status Authorizer::AnswerBasic() {
  if (auth_.username.empty() && auth_.password.empty()) {
    return absl::UnauthenticatedError("wants credentials");
  }
  basic_ = true;
  return absl::OkStatus();
}

absl::Status Authorizer::AnswerBearer(const Challenge& challenge) {
  BULKHEAD_ASSIGN_OR_RETURN(TokenService service, FindTokenService(challenge, endpoint_, request_));
  if (!auth_.empty() && !service.trusted) {
    return absl::PermissionDeniedError(
        absl::StrCat("names the token service ", ShowHost(service.host),
                     ", which may not see the credentials: token_hosts does not list it"));
  }
  BULKHEAD_ASSIGN_OR_RETURN(token_, AskForToken(service, challenge));
  return absl::OkStatus();
}

HttpRequest Authorizer::TokenRequest(const TokenService& service,
                                     const Challenge& challenge) const {
  std::string query = TokenQuery(challenge, endpoint_, request_.repository);
  HttpRequest request;
  request.url = service.url;
  bool same_host = IsSameHost(service.url, BaseUrl(endpoint_));
  request.foreign = !service.trusted && !same_host;
  request.foreign_may_be_private = request_.private_redirects;
  if (same_host || service.trusted) request.tls = same_host ? &endpoint_ : &service_tls_;
  request.proxy = ProxyFor(request_.proxy, service.host);
  request.max_bytes = kMaxTokenDocumentBytes;
  request.timeout = std::min(kTokenTimeout, request_.deadline.Remaining());
  if (!auth_.identity_token.empty()) {
    request.form = RefreshForm(query, auth_.identity_token);
    return request;
  }
  absl::StrAppend(&request.url, absl::StrContains(request.url, "?") ? "&" : "?", query);
  request.username = auth_.username;
  request.password = auth_.password;
  return request;
}

absl::StatusOr<std::string> Authorizer::AskForToken(const TokenService& service,
                                                    const Challenge& challenge) {
  for (int failures = 1;; ++failures) {
    HttpTransfer transfer(TokenRequest(service, challenge));
    client_.Run(&transfer);
    const HttpResponse& response = transfer.response();
    if (response.code == CURLE_OK && response.status == 200 && response.local.ok()) {
      absl::StatusOr<std::string> token = ParseToken(response.body);
      if (token.ok()) return token;
      return absl::UnavailableError("its token service gave no token");
    }
    absl::Status failure =
        base::Annotate(DescribeFailure(transfer.request().url, response), "token service");
    if (failures == kMaxAttempts || !MayPass(response)) return failure;
    absl::StatusOr<absl::Duration> wait =
        WaitBefore(failures, response.retry_after, request_.deadline.Remaining());
    if (!wait.ok()) return failure;
    absl::SleepFor(*wait);
  }
}

}  // namespace bulkhead::worker
