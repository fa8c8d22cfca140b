#include <capnp/message.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "frontend/cri/convert.h"
#include "frontend/cri/convert_common.h"
#include "frontend/cri/image_name.h"
#include "frontend/cri/unknown_fields.h"
#include "frontend/testing/configs.h"

namespace bulkhead::frontend {
namespace {

TEST(FromPod, ReportsAddressesOnlyOfItsOwnNetwork) {
  capnp::MallocMessageBuilder message;
  auto pod = message.initRoot<schema::Pod>();
  pod.setId(kId);
  pod.setState(schema::Pod::State::NOT_READY);
  pod.setCreatedAtNs(5);
  ASSERT_TRUE(ToPodConfig(GoodPod(), "crun", pod.initConfig()).ok());
  auto ips = pod.initIps(2);
  ips.set(0, "10.1.1.2");
  ips.set(1, "fd00::2");

  v1::PodSandboxStatus status;
  FromPodStatus(pod.asReader(), &status);
  EXPECT_FALSE(status.has_network());
  EXPECT_EQ(v1::NODE, status.linux().namespaces().options().network());
  EXPECT_EQ(v1::SANDBOX_NOTREADY, status.state());
  EXPECT_EQ("x\ny", status.annotations().at("note"));
  EXPECT_EQ("crun", status.runtime_handler());

  pod.getConfig().setNetwork(schema::NamespaceMode::POD);
  v1::PodSandboxStatus own;
  FromPodStatus(pod.asReader(), &own);
  EXPECT_EQ("10.1.1.2", own.network().ip());
  ASSERT_EQ(1, own.network().additional_ips_size());
  EXPECT_EQ("fd00::2", own.network().additional_ips(0).ip());

  v1::PodSandbox item;
  FromPod(pod.asReader(), &item);
  EXPECT_EQ(kId, item.id());
  EXPECT_EQ(GoodPod().metadata().SerializeAsString(), item.metadata().SerializeAsString());
  EXPECT_EQ("2", item.labels().at("b"));
}

TEST(FromContainer, ReportsWhatKubeletReads) {
  capnp::MallocMessageBuilder message;
  auto container = message.initRoot<schema::Container>();
  container.setId(kId);
  container.setPodId("b");
  ASSERT_TRUE(ToContainerConfig(GoodContainer(), {.image = kImage}, container.initConfig()).ok());
  container.setResources(container.getConfig().getResources());
  container.setState(schema::Container::State::EXITED);
  container.setImageId("sha256:1");
  container.setImageRef("docker.io/library/busybox@sha256:2");
  container.setExitCode(137);
  container.setReason("OOMKilled");
  container.setFinishedAtNs(9);
  container.setLogPath("/var/log/pods/web/app/0.log");
  container.setStopSignal(SIGUSR1);
  auto user = container.initUser();
  user.setUid(7);
  user.setGid(8);
  user.initAdditionalGids(1).set(0, 8);

  v1::ContainerStatus status;
  FromContainerStatus(container.asReader(), schema::Image::Reader(), &status);
  EXPECT_EQ(v1::CONTAINER_EXITED, status.state());
  EXPECT_EQ(kImage, status.image().image());
  EXPECT_EQ("busybox:1", status.image().user_specified_image());
  EXPECT_EQ("docker.io/library/busybox@sha256:2", status.image_ref());
  EXPECT_EQ("sha256:1", status.image_id());
  EXPECT_EQ(137, status.exit_code());
  EXPECT_EQ("OOMKilled", status.reason());
  EXPECT_EQ("/var/log/pods/web/app/0.log", status.log_path());
  ASSERT_EQ(1, status.mounts_size());
  EXPECT_EQ("/mnt/data", status.mounts(0).host_path());
  EXPECT_TRUE(status.mounts(0).recursive_read_only());
  EXPECT_EQ(512, status.resources().linux().cpu_shares());
  EXPECT_EQ(7, status.user().linux().uid());
  EXPECT_EQ(8, status.user().linux().supplemental_groups(0));
  EXPECT_EQ(v1::SIGNAL_SIGUSR1, status.stop_signal());

  v1::Container item;
  FromContainer(container.asReader(), &item);
  EXPECT_EQ("b", item.pod_sandbox_id());
  EXPECT_EQ("app", item.metadata().name());
  EXPECT_EQ("web", item.labels().at("app"));
}

TEST(FromImage, TellsANumberFromAName) {
  const struct {
    const char* written;
    bool has_uid;
    int64_t uid;
    const char* name;
  } table[] = {{"", false, 0, ""},       {"0", true, 0, ""},           {"1000:5", true, 1000, ""},
               {"www", false, 0, "www"}, {"www:web", false, 0, "www"}, {"-1", false, 0, "-1"}};
  for (const auto& row : table) {
    capnp::MallocMessageBuilder message;
    auto image = message.initRoot<schema::Image>();
    image.initConfig().setUser(row.written);
    v1::Image out;
    FromImage(image.asReader(), &out);
    EXPECT_EQ(row.has_uid, out.has_uid()) << row.written;
    EXPECT_EQ(row.uid, out.uid().value()) << row.written;
    EXPECT_EQ(row.name, out.username()) << row.written;
  }
}

TEST(ImageNames, GoFromWhatUsersWriteToWhatTheStoreKnows) {
  const std::string digest = "@sha256:" + kId;
  const std::pair<std::string, std::vector<std::string>> table[] = {
      {"busybox", {"docker.io/library/busybox:latest"}},
      {"h:5000/a:1", {"h:5000/a:1"}},
      {"busybox:1" + digest, {"docker.io/library/busybox" + digest}},
      {"sha256:" + kId, {"sha256:" + kId}},
      {"sha256:abcd", {"sha256:abcd"}},
      {kId, {kId}},
      {"cafe", {"docker.io/library/cafe:latest", "cafe"}}};
  for (const auto& [text, names] : table) {
    const auto result = ImageNames("image", text);
    ASSERT_TRUE(result.ok()) << text << result.status();
    EXPECT_EQ(names, *result) << text;
  }
  for (const char* bad : {"", "sha256:", "sha256:xyz", "oci:/etc", "A"}) {
    EXPECT_EQ(kInvalid, ImageNames("image", bad).status().code()) << bad;
  }
}

TEST(UnknownFields, AreCountedAtEveryDepth) {
  v1::RunPodSandboxRequest request;
  *request.mutable_config() = GoodPod();
  EXPECT_EQ(0, CountUnknownFields(request));
  const auto add = [](google::protobuf::Message& message) {
    message.GetReflection()->MutableUnknownFields(&message)->AddVarint(999, 1);
  };
  add(request);
  add(*request.mutable_config()->mutable_linux()->mutable_security_context());
  add(*request.mutable_config()->mutable_port_mappings(0));
  EXPECT_EQ(3, CountUnknownFields(request));
}

}  // namespace
}  // namespace bulkhead::frontend
