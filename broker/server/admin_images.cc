#include "broker/audit/operation.h"
#include "broker/operations/image.h"
#include "broker/operations/store_check.h"
#include "broker/server/admin_server.h"
#include "broker/server/answer.h"

namespace bulkhead::broker {
namespace {

void FillReport(const CheckReport& report, schema::CheckReport::Builder out) {
  out.setImages(report.images);
  out.setBlobs(report.blobs);
  out.setLayers(report.layers);
  out.setBytes(report.bytes);
  auto findings = out.initFindings(report.findings.size());
  for (size_t i = 0; i < report.findings.size(); ++i) {
    const CheckFinding& from = report.findings[i];
    findings[i].setKind(from.kind);
    findings[i].setObject(from.object);
    findings[i].setProblem(from.problem);
    findings[i].setRepair(from.repair);
    findings[i].setRepaired(from.repaired);
  }
}

}  // namespace

kj::Promise<void> AdminServer::pruneImages(PruneImagesContext context) {
  Prune which = context.getParams().getAll() ? Prune::kAll : Prune::kUntagged;
  return Answer(
      broker_.loop, context,
      [this, which](Fiber& fiber) {
        return Operation(fiber, broker_, "PruneImages", "", Operation::Actor::ADMIN).Run([&] {
          return PruneImages(fiber, broker_, which);
        });
      },
      [](auto results, const std::vector<std::string>& ids) {
        auto list = results.initImageIds(ids.size());
        for (size_t i = 0; i < ids.size(); ++i) list.set(i, ids[i]);
      });
}

kj::Promise<void> AdminServer::check(CheckContext context) {
  Repair repair = context.getParams().getRepair() ? Repair::kYes : Repair::kNo;
  return Answer(
      broker_.loop, context,
      [this, repair](Fiber& fiber) {
        const char* name = repair == Repair::kYes ? "RepairStore" : "CheckStore";
        return Operation(fiber, broker_, name, "", Operation::Actor::ADMIN).Run([&] {
          return CheckStore(fiber, broker_, repair);
        });
      },
      [](auto results, const CheckReport& report) { FillReport(report, results.initReport()); });
}

kj::Promise<void> AdminServer::exportImage(ExportImageContext context) {
  auto params = context.getParams();
  std::string image = params.getImage();
  auto archive = params.getArchive();
  return archive.getFd().then(
      [this, context, image, archive](kj::Maybe<int> passed) mutable -> kj::Promise<void> {
        auto fd = std::make_shared<base::UniqueFd>();
        KJ_IF_MAYBE (number, passed) {
          absl::StatusOr<base::UniqueFd> own = base::Duplicate(*number);
          if (own.ok()) *fd = *std::move(own);
        }
        return Answer(
            broker_.loop, context,
            [this, fd, image](Fiber& fiber) {
              return Operation(fiber, broker_, "ExportImage", "", Operation::Actor::ADMIN)
                  .OfImage(image)
                  .Run([&] { return ExportImage(fiber, broker_, image, fd->get()); });
            },
            [](auto results, uint64_t bytes) { results.setBytes(bytes); });
      });
}

}  // namespace bulkhead::broker
