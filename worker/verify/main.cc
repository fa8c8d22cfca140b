// SECURITY: holds the payloads of some signatures (read-only); no file system, no network, no other
// process. The broker gives it its job, with the policy's public keys; payloads and signatures come
// from a registry or an archive. Who owns this process through OpenSSL's or the JSON reader's flaw
// can call this one image well signed that is not.
#include "ipc/status_codec.h"
#include "schema/worker/verify.capnp.h"
#include "security/profile.h"
#include "worker/common/worker.h"
#include "worker/verify/verify_job.h"

int main() {
  using namespace bulkhead;
  return worker::RunWorker<schema::VerifyJob, schema::VerifyResult>(
      security::kVerifyProfile, worker::kMaxSignatures,
      [](auto job, std::vector<base::UniqueFd> fds, auto result) {
        ipc::WriteStatus(worker::RunVerifyJob(job, fds, result), result.initStatus());
        return worker::JobResult{};
      });
}
