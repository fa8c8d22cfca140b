#include "broker/network/network.h"
#include "broker/server/admin_server.h"
#include "broker/server/answer.h"

namespace bulkhead::broker {
namespace {

constexpr size_t kMaxDebtsShown = 64;

std::vector<AttachmentPtr> Debts(const State& state) {
  std::vector<AttachmentPtr> debts;
  for (const auto& [id, attachment] : state.attachments()) {
    if (attachment->record.read().getDue()) debts.push_back(attachment);
  }
  return debts;
}

void Describe(schema::NetworkAttachment::Reader debt, schema::NetworkDebt::Builder out) {
  out.setPodId(debt.getPodId());
  out.setPodName(debt.getPodName());
  out.setPodNamespace(debt.getPodNamespace());
  out.setNetwork(debt.getNetworkName());
  out.setFailures(debt.getFailures());
  out.setLastError(debt.getLastError());
  out.setDueSinceNs(debt.getDueSinceNs());
}

struct Checked {
  PodPtr pod;
  absl::Status status;
};

std::vector<Checked> CheckAll(Fiber& fiber, Broker& broker) {
  std::vector<Checked> all;
  for (const auto& [id, attachment] : broker.state.attachments()) {
    auto pod = broker.state.pods().find(id);
    if (pod != broker.state.pods().end()) all.push_back({pod->second, absl::OkStatus()});
  }
  for (Checked& one : all) {
    auto held = one.pod->mutex.Acquire(fiber);
    one.status = CheckPodNetwork(fiber, broker, one.pod->id);
  }
  return all;
}

}  // namespace

kj::Promise<void> AdminServer::networks(NetworksContext context) {
  struct State {
    absl::Status readiness;
  };
  return Answer(
      broker_.loop, context,
      [this](Fiber& fiber) -> absl::StatusOr<State> {
        return State{NetworkReadiness(fiber, broker_)};
      },
      [this](auto results, const State& state) {
        results.setReady(state.readiness.ok());
        results.setReason(std::string(state.readiness.message()));
        if (broker_.network.current) {
          results.setNetwork(broker_.network.current->name);
          results.setFile(broker_.network.current->file);
        }
        std::vector<AttachmentPtr> debts = Debts(broker_.state);
        results.setAttachments(broker_.state.attachments().size() - debts.size());
        results.setOwed(debts.size());
        if (debts.size() > kMaxDebtsShown) debts.resize(kMaxDebtsShown);
        auto list = results.initDebts(debts.size());
        for (size_t i = 0; i < debts.size(); ++i) Describe(debts[i]->record.read(), list[i]);
      });
}

kj::Promise<void> AdminServer::checkNetworks(CheckNetworksContext context) {
  return Answer(
      broker_.loop, context,
      [this](Fiber& fiber) -> absl::StatusOr<std::vector<Checked>> {
        return CheckAll(fiber, broker_);
      },
      [](auto results, const std::vector<Checked>& all) {
        auto list = results.initPods(all.size());
        for (size_t i = 0; i < all.size(); ++i) {
          auto config = all[i].pod->record.read().getConfig();
          list[i].setPodId(all[i].pod->id);
          list[i].setPodName(config.getName());
          list[i].setPodNamespace(config.getNamespace());
          ipc::WriteStatus(all[i].status, list[i].initStatus());
        }
      });
}

kj::Promise<void> AdminServer::collectNetworkGarbage(CollectNetworkGarbageContext context) {
  return Answer(broker_.loop, context,
                [this](Fiber& fiber) { return CollectNetworkGarbage(fiber, broker_); });
}

}  // namespace bulkhead::broker
