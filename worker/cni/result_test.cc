#include "worker/cni/result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::cni {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kBridge[] = R"({"cniVersion":"1.0.0","interfaces":[
  {"name":"cni0"},{"name":"veth1","mac":"x"},{"name":"eth0","sandbox":"/run/x"}],
  "ips":[{"interface":2,"address":"10.1.0.5/24","gateway":"10.1.0.1"},
         {"interface":0,"address":"10.1.0.1/24"},
         {"address":"FD00:0:0::5/64"}],"routes":[],"dns":{}})";

std::vector<std::string> Addresses(const std::string& text, const char* version = "1.0.0") {
  const auto result = ParseResult(text, version);
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  return PodAddresses(*result).value_or(std::vector<std::string>{"error"});
}

std::string OneAddress(const std::string& cidr) {
  return absl::StrCat(R"({"cniVersion":"1.0.0","ips":[{"address":")", cidr, "\"}]}");
}

TEST(Result, HasThePodsAddresses) {
  EXPECT_THAT(Addresses(kBridge), ElementsAre("10.1.0.5", "fd00::5"));
  EXPECT_THAT(Addresses(R"({"cniVersion":"1.0.0"})"), IsEmpty());
  EXPECT_THAT(Addresses(R"({"cniVersion":"1.0.0","ips":null,"interfaces":null})"), IsEmpty());
}

TEST(Result, TakesTheConfigurationsVersion) {
  const auto old = ParseResult(kBridge, "0.4.0");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_EQ((*old)["cniVersion"], "0.4.0");
  EXPECT_EQ((*old)["ips"][0]["version"], "4");
  EXPECT_EQ((*old)["ips"][2]["version"], "6");
  const auto back = ParseResult(old->dump(), "1.1.0");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ((*back)["cniVersion"], "1.1.0");
  EXPECT_FALSE((*back)["ips"][0].contains("version"));
  const auto silent = ParseResult(R"({"ips":[{"address":"10.0.0.1/8"}]})", "1.0.0");
  ASSERT_TRUE(silent.ok());
  EXPECT_EQ((*silent)["cniVersion"], "1.0.0");
}

TEST(Result, RefusesWhatIsNone) {
  for (const std::string& text :
       {std::string(""), std::string("ok"), std::string("{"), std::string("[]"), std::string("7"),
        std::string(R"({"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.1/8"}})"),
        std::string(R"({"cniVersion":7})"), std::string(R"({"ips":{}})"),
        std::string(R"({"ips":[7]})"), std::string(R"({"ips":[{}]})"),
        std::string(R"({"ips":[{"address":7}]})"), std::string(R"({"interfaces":7})"),
        std::string(kMaxResultBytes + 1, ' '), std::string(5000, '[')}) {
    EXPECT_TRUE(absl::IsInternal(ParseResult(text, "1.0.0").status())) << text.substr(0, 50);
  }
}

TEST(Result, RefusesAddressesThatAreNone) {
  for (const char* cidr : {"10.0.0.1",  "10.0.0/8",    "10.0.0.1/33",     "10.0.0.1/-1",
                           "10.0.0.1/", "/8",          "10.0.0.1/8/8",    "fd00::1/129",
                           "0.0.0.0/0", "127.0.0.1/8", "224.0.0.1/4",     "255.255.255.255/32",
                           "::/0",      "::1/128",     "ff02::1/16",      "::ffff:10.0.0.1/96",
                           "host/8",    "10.0.0.1 /8", "fe80::1%eth0/64", "0x0a000001/8"}) {
    EXPECT_TRUE(absl::IsInternal(ParseResult(OneAddress(cidr), "1.0.0").status())) << cidr;
  }
  EXPECT_THAT(Addresses(OneAddress("10.0.0.1/8")), ElementsAre("10.0.0.1"));
}

TEST(Result, RefusesInterfacesThatAreNone) {
  for (const char* index : {"3", "-1", "1.5", "\"2\"", "99999999999999999999"}) {
    std::string text = kBridge;
    text.replace(text.find("\"interface\":2"), 13, absl::StrCat("\"interface\":", index));
    const auto result = ParseResult(text, "1.0.0");
    ASSERT_TRUE(result.ok()) << index;
    EXPECT_TRUE(absl::IsInternal(PodAddresses(*result).status())) << index;
  }
}

TEST(Result, BoundsTheNumberOfAddresses) {
  std::string text = R"({"cniVersion":"1.0.0","ips":[{"address":"10.0.0.1/8"})";
  for (size_t i = 1; i < kMaxAddresses; ++i) absl::StrAppend(&text, R"(,{"address":"10.0.0.1/8"})");
  EXPECT_EQ(Addresses(text + "]}").size(), kMaxAddresses);
  absl::StrAppend(&text, R"(,{"address":"10.0.0.1/8"}]})");
  EXPECT_FALSE(PodAddresses(*ParseResult(text, "1.0.0")).ok());
}

TEST(Error, TellsPeople) {
  const absl::Status status = ParseError(
      R"({"cniVersion":"1.0.0","code":999,"msg":"no \"veth\"","details":"a\nb\u0007"})", 1);
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_EQ(status.message(), "no \"veth\"; a\\nb\\007 (code 999)");
  EXPECT_TRUE(absl::IsUnavailable(ParseError(R"({"code":11,"msg":"later"})", 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(ParseError(R"({"code":7,"msg":"bad"})", 1)));
  const absl::Status lengthy =
      ParseError(absl::StrCat(R"({"code":100,"msg":")", std::string(20000, 'x'), "\"}"), 1);
  EXPECT_LT(lengthy.message().size(), 1100u);
}

TEST(Error, NeedsNoForm) {
  for (const std::string& text :
       {std::string(""), std::string("panic: x"), std::string("[]"),
        std::string("{\"code\":\"7\"}"), std::string("{}"), std::string(100000, 'x')}) {
    const absl::Status status = ParseError(text, 42);
    EXPECT_TRUE(absl::IsInternal(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("exit code 42"));
  }
}

}  // namespace
}  // namespace bulkhead::cni
