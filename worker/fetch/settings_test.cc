#include "worker/fetch/settings.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include "base/fs.h"
#include "base/unique_fd.h"

namespace bulkhead::worker {
namespace {

class SettingsTest : public testing::Test {
 protected:
  ~SettingsTest() noexcept override {}  // the message builder may throw in its own
  SettingsTest() : settings_(message_.initRoot<schema::Registries>()) {}
  FetchRequest Apply(const std::string& registry) {
    FetchRequest request;
    request.registry = registry;
    auto words = capnp::messageToFlatArray(message_);
    auto bytes = words.asBytes();
    base::UniqueFd fd =
        *base::MakeSealedMemfd("x", {reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
    absl::Status status = ApplySettings(fd.get(), &request);
    EXPECT_TRUE(status.ok()) << status;
    return request;
  }
  capnp::MallocMessageBuilder message_;
  schema::Registries::Builder settings_;
};

TEST_F(SettingsTest, NothingConfigured) {
  FetchRequest request;
  request.registry = "r.io";
  base::UniqueFd empty = *base::MakeSealedMemfd("x", "");
  ASSERT_TRUE(ApplySettings(empty.get(), &request).ok());
  ASSERT_EQ(request.endpoints.size(), 1u);
  EXPECT_EQ(request.endpoints[0].host, "r.io");
  EXPECT_FALSE(request.endpoints[0].plain_http);
  EXPECT_EQ(Apply("r.io").endpoints[0].host, "r.io");
}

TEST_F(SettingsTest, OwnEntryBeforeTheGeneralOne) {
  auto list = settings_.initRegistries(2);
  list[0].setHost("*");
  list[0].initEndpoints(2)[0].setHost("mirror.io");
  list[0].getEndpoints()[1].setPath("/v2");
  list[1].setHost("r.io");
  auto endpoint = list[1].initEndpoints(1)[0];
  endpoint.setHost("other.io");
  endpoint.initHeaders(1)[0].setKey("X-Key");
  endpoint.getHeaders()[0].setValue("v");
  endpoint.setResolve(true);
  list[1].initTokenHosts(1).set(0, "auth.io");
  FetchRequest own = Apply("r.io");
  ASSERT_EQ(own.endpoints.size(), 1u);
  EXPECT_EQ(own.endpoints[0].headers.at(0), "X-Key: v");
  EXPECT_TRUE(own.endpoints[0].resolve);
  EXPECT_FALSE(own.endpoints[0].pull);
  EXPECT_EQ(own.token_hosts.at(0), "auth.io");
  FetchRequest general = Apply("q.io");
  ASSERT_EQ(general.endpoints.size(), 2u);
  EXPECT_EQ(general.endpoints[0].host, "mirror.io");
  EXPECT_EQ(general.endpoints[1].host, "q.io") << "no host: the registry itself";
}

TEST_F(SettingsTest, SomethingElse) {
  FetchRequest request;
  base::UniqueFd fd = *base::MakeSealedMemfd("x", std::string(24, '\xff'));
  EXPECT_FALSE(ApplySettings(fd.get(), &request).ok());
}

}  // namespace
}  // namespace bulkhead::worker
