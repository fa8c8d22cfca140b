#pragma once

#include <string>

#include "absl/status/status.h"
#include "worker/fetch/http_transfer.h"

namespace bulkhead::worker {

// Whether trying again may help: a broken connection, 429, 5xx.
bool MayPass(const HttpResponse& response);

// What a request that did not end with 200 means: "host: HTTP 404" or "host: could not connect".
// Never the URL, a header or the body: any of them may hold a secret (V6).
absl::Status DescribeFailure(const std::string& url, const HttpResponse& response);

}  // namespace bulkhead::worker
