#include "streaming/request.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "streaming/kube_json.h"

namespace bulkhead::streaming {
namespace {

const std::string kToken(64, 'a');

TEST(RequestTest, ReadsTargets) {
  EXPECT_EQ(ParseTarget("/exec/" + kToken)->verb, schema::StreamVerb::EXEC);
  EXPECT_EQ(ParseTarget("/attach/" + kToken + "?command=x")->token, kToken);
  EXPECT_EQ(ParseTarget("/portforward/" + kToken)->verb, schema::StreamVerb::PORT_FORWARD);
}

TEST(V43, TargetsHaveOneForm) {
  for (const std::string& target : std::vector<std::string>{
           "/", "/exec/", "/exec/" + kToken.substr(1), "/exec/" + kToken + "/", "//exec/" + kToken,
           "/exec//" + kToken, "/exec%2f" + kToken, "/./exec/" + kToken, "/EXEC/" + kToken,
           "/exec/" + std::string(64, 'A'), "http://host/exec/" + kToken, "/cri/exec/" + kToken,
           "/exec/../exec/" + kToken}) {
    EXPECT_FALSE(ParseTarget(target).has_value()) << target;
  }
}

TEST(RequestTest, ChoosesWhatTheClientLikesBest) {
  const auto spdy = SpdyProtocols(schema::StreamVerb::EXEC);
  EXPECT_EQ(Choose("v5.channel.k8s.io, v4.channel.k8s.io,v3.channel.k8s.io", spdy),
            "v4.channel.k8s.io");
  EXPECT_EQ(Choose("channel.k8s.io", spdy), "channel.k8s.io");
  EXPECT_EQ(Choose("v9.channel.k8s.io", spdy), "");
  EXPECT_EQ(Choose("v5.channel.k8s.io", WebSocketProtocols(schema::StreamVerb::ATTACH)),
            "v5.channel.k8s.io");
  EXPECT_EQ(
      Choose("SPDY/3.1+portforward.k8s.io", WebSocketProtocols(schema::StreamVerb::PORT_FORWARD)),
      kTunnelProtocol);
}

TEST(KubeJsonTest, WritesWhatClientsParse) {
  EXPECT_EQ(SuccessStatus(), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(ExitStatus(0), SuccessStatus());
  EXPECT_EQ(
      ExitStatus(3),
      R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: )"
      R"(exit code 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode",)"
      R"("message":"3"}]}})");
  EXPECT_EQ(
      FailureStatus(absl::UnavailableError("gone \xff")),
      "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Internal error occurred: gone "
      "\xef\xbf\xbd\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":\"gone "
      "\xef\xbf\xbd\"}]},\"code\":500}");
}

TEST(KubeJsonTest, ReadsSizesInPiecesAndSkipsTheRest) {
  SizeReader reader;
  EXPECT_EQ(reader.Read(R"({"Width":80,)").columns, 0);
  EXPECT_EQ(reader.Read("\"Height\":24}\n").rows, 24);
  const TerminalSize last = reader.Read(R"({"Width":1,"Height":2}{"Width":120,"Height":50})");
  EXPECT_EQ(last.columns, 120);
  EXPECT_EQ(
      reader.Read(R"({"Width":70000,"Height":2}{"Width":-1}{}garbage{"Width":"x","Height":1})")
          .columns,
      0);
  EXPECT_EQ(reader.Read("{" + std::string(1 << 20, '{') + std::string(1 << 20, 'x')).columns, 0);
}

}  // namespace
}  // namespace bulkhead::streaming
