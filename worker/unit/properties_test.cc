#include "worker/unit/properties.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace bulkhead::unit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PropertiesTest : public testing::Test {
 protected:
  std::vector<std::string> Words(bool v2) {
    std::vector<std::string> words;
    for (const Property& property : Properties(resources_.asReader(), v2)) {
      std::string value = property.number == kNoLimit ? "none" : absl::StrCat(property.number);
      for (const uint8_t byte : property.bytes) value += absl::StrCat(",", byte);
      words.push_back(absl::StrCat(property.name, "=", value));
    }
    return words;
  }

  // By pointer: its destructor may throw, a test's may not.
  std::unique_ptr<capnp::MallocMessageBuilder> message_ =
      std::make_unique<capnp::MallocMessageBuilder>();
  schema::Resources::Builder resources_ = message_->initRoot<schema::Resources>();
};

TEST_F(PropertiesTest, NothingAskedIsNothingSet) {
  EXPECT_THAT(Words(true), IsEmpty());
  EXPECT_THAT(Words(false), IsEmpty());
}

TEST_F(PropertiesTest, V2) {
  resources_.setCpuShares(1024);
  resources_.setCpuPeriod(50000);
  resources_.setCpuQuota(25000);
  resources_.setMemoryLimit(1 << 20);
  resources_.setMemorySwapLimit(3 << 20);
  resources_.setCpusetCpus("0-2,9");
  EXPECT_THAT(Words(true),
              ElementsAre("CPUWeight=39", "CPUQuotaPeriodUSec=50000", "CPUQuotaPerSecUSec=500000",
                          "MemoryMax=1048576", "MemorySwapMax=2097152", "AllowedCPUs=0,7,2"));
}

TEST_F(PropertiesTest, V1KnowsLess) {
  resources_.setCpuShares(1024);
  resources_.setCpuQuota(25000);
  resources_.setMemoryLimit(1 << 20);
  resources_.setMemorySwapLimit(3 << 20);
  resources_.setCpusetCpus("0");
  EXPECT_THAT(Words(false),
              ElementsAre("CPUShares=1024", "CPUQuotaPerSecUSec=250000", "MemoryLimit=1048576"));
}

TEST_F(PropertiesTest, QuotasRoundUpToAPercentAndDoNotOverflow) {
  resources_.setCpuPeriod(100000);
  resources_.setCpuQuota(12345);
  EXPECT_THAT(Words(true), ElementsAre("CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=130000"));
  resources_.setCpuQuota(INT64_MAX);
  EXPECT_THAT(Words(true), ElementsAre("CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=none"));
  resources_.setCpuQuota(-1);
  EXPECT_THAT(Words(true), ElementsAre("CPUQuotaPeriodUSec=100000", "CPUQuotaPerSecUSec=none"));
}

TEST(BitsOfListTest, ListsAndWhatIsNone) {
  EXPECT_THAT(BitsOfList("0"), ElementsAre(1));
  EXPECT_THAT(BitsOfList("7,8"), ElementsAre(0x80, 1));
  EXPECT_THAT(BitsOfList("3-1"), IsEmpty());
  EXPECT_THAT(BitsOfList("1-2-3"), IsEmpty());
  EXPECT_THAT(BitsOfList("0-4294967295"), IsEmpty());
  EXPECT_THAT(BitsOfList(","), IsEmpty());
}

}  // namespace
}  // namespace bulkhead::unit
