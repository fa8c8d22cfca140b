#pragma once

#include "broker/broker.h"
#include "schema/admin.capnp.h"

namespace bulkhead::broker {

// What the admin command may ask. Its connection is root's: checked when it is accepted (accept.h).
class AdminServer final : public schema::Admin::Server {
 public:
  explicit AdminServer(Broker& broker) : broker_(broker) {}

  kj::Promise<void> importImage(ImportImageContext context) override;
  kj::Promise<void> status(StatusContext context) override;
  kj::Promise<void> networks(NetworksContext context) override;
  kj::Promise<void> checkNetworks(CheckNetworksContext context) override;
  kj::Promise<void> collectNetworkGarbage(CollectNetworkGarbageContext context) override;
  kj::Promise<void> stopAll(StopAllContext context) override;
  kj::Promise<void> timelines(TimelinesContext context) override;
  kj::Promise<void> pulls(PullsContext context) override;
  kj::Promise<void> metrics(MetricsContext context) override;
  // admin_images.cc
  kj::Promise<void> pruneImages(PruneImagesContext context) override;
  kj::Promise<void> check(CheckContext context) override;
  kj::Promise<void> exportImage(ExportImageContext context) override;

 private:
  Broker& broker_;
};

}  // namespace bulkhead::broker
