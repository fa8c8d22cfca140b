#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/nodeconfig/cdi_devices.h"
#include "worker/nodeconfig/yaml.h"

namespace bulkhead::worker {
namespace {

using testing::HasSubstr;

constexpr char kGpu[] = R"(
cdiVersion: 0.6.0
kind: vendor.com/gpu
annotations: {ignored: "yes"}
containerEdits:
  env: [VENDOR=all, EMPTY=]
  mounts:
  - {hostPath: /usr/lib/vendor//lib.so, containerPath: /usr/lib/lib.so, options: [ro, nosuid, bind]}
  hooks:
  - {hookName: createContainer, path: /usr/bin/vendor-hook, args: [vendor-hook, update], timeout: 5}
devices:
- name: gpu0
  containerEdits:
    deviceNodes:
    - {path: /dev/gpu0, hostPath: /dev/vendor/gpu0, type: c, major: 10, minor: 200, fileMode: 438,
       permissions: rw, uid: 1000, gid: 44}
    - {path: /dev/gpuctl}
    additionalGids: [44, 0]
- name: gpu1
  containerEdits: {env: [SECOND=1]}
)";

class Cdi : public testing::Test {
 protected:
  absl::Status Add(const std::string& text, unsigned directory = 0) {
    absl::StatusOr<Json> document = ParseYaml(text);
    EXPECT_TRUE(document.ok()) << document.status();
    absl::StatusOr<CdiSpec> spec = ParseCdiSpec(*document);
    if (!spec.ok()) return spec.status();
    registry_.Add(*std::move(spec), directory);
    return absl::OkStatus();
  }
  absl::Status Resolve(const std::vector<std::string>& devices) {
    edits_ =
        (message_ = std::make_unique<capnp::MallocMessageBuilder>())->initRoot<schema::CdiEdits>();
    return registry_.Resolve(devices, edits_);
  }
  // A spec whose one device has these edits.
  absl::Status AddEdits(const std::string& edits) {
    return Add("cdiVersion: 0.6.0\nkind: v/c\ndevices: [{name: d, containerEdits: " + edits +
               "}]\n");
  }

  CdiRegistry registry_;
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
  schema::CdiEdits::Builder edits_{nullptr};
};

TEST_F(Cdi, EditsOfASpecAndItsDevices) {
  ASSERT_TRUE(Add(kGpu).ok());
  ASSERT_TRUE(Resolve({"vendor.com/gpu=gpu0", "vendor.com/gpu=gpu1", "vendor.com/gpu=gpu0"}).ok());
  ASSERT_EQ(edits_.getEnv().size(), 3u) << "the spec's own once";
  EXPECT_STREQ(edits_.getEnv()[2].getKey().cStr(), "SECOND");
  ASSERT_EQ(edits_.getDevices().size(), 2u);
  auto device = edits_.getDevices()[0];
  EXPECT_STREQ(device.getPath().cStr(), "/dev/gpu0");
  EXPECT_STREQ(device.getHostPath().cStr(), "/dev/vendor/gpu0");
  EXPECT_STREQ(device.getPermissions().cStr(), "rw");
  EXPECT_EQ(device.getFileMode(), 0666u);
  EXPECT_EQ(device.getGid(), 44u);
  EXPECT_STREQ(edits_.getDevices()[1].getHostPath().cStr(), "/dev/gpuctl");
  EXPECT_STREQ(edits_.getDevices()[1].getPermissions().cStr(), "rwm");
  ASSERT_EQ(edits_.getMounts().size(), 1u);
  EXPECT_STREQ(edits_.getMounts()[0].getHostPath().cStr(), "/usr/lib/vendor/lib.so");
  EXPECT_TRUE(edits_.getMounts()[0].getReadonly());
  ASSERT_EQ(edits_.getHooks().size(), 1u);
  EXPECT_EQ(edits_.getHooks()[0].getTimeoutSeconds(), 5u);
  ASSERT_EQ(edits_.getAdditionalGids().size(), 1u);
  EXPECT_EQ(edits_.getAdditionalGids()[0], 44u);
}

TEST_F(Cdi, ALaterDirectoryWinsAndOneDirectoryMustNotContradictItself) {
  const std::string first =
      "cdiVersion: 0.6.0\nkind: v/c\ndevices: [{name: d, containerEdits: {env: [A=1]}}]\n";
  const std::string second =
      "cdiVersion: 0.6.0\nkind: v/c\ndevices: [{name: d, containerEdits: {env: [A=2]}}]\n";
  ASSERT_TRUE(Add(second, 1).ok());
  ASSERT_TRUE(Add(first, 0).ok());
  ASSERT_TRUE(Resolve({"v/c=d"}).ok());
  EXPECT_EQ(edits_.getEnv()[0].getValue()[0], '2');
  ASSERT_TRUE(Add(first, 1).ok());
  EXPECT_EQ(Resolve({"v/c=d"}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Cdi, AMissingDeviceIsNamedWithTheSpecsThatCouldNotBeRead) {
  registry_.AddBroken("gpu.yaml", absl::InvalidArgumentError("YAML: malformed in line 3"));
  absl::Status missing = Resolve({"v/c=d"});
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("v/c=d"));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("gpu.yaml: YAML: malformed in line 3"));
}

// A device is given whole or not at all.
TEST_F(Cdi, WhatCannotBeDoneIsRefused) {
  EXPECT_TRUE(AddEdits("{}").ok());
  for (const char* edits :
       {"{intelRdt: {closID: x}}", "{netDevices: [{hostInterfaceName: eth0}]}", "{env: [NAME]}",
        "{env: [=x]}", "{deviceNodes: [{path: dev/x}]}", "{deviceNodes: [{path: /dev/../x}]}",
        "{deviceNodes: [{path: /dev/x, permissions: rx}]}",
        "{deviceNodes: [{path: /dev/x, type: p}]}", "{deviceNodes: [{hostPath: /dev/x}]}",
        "{mounts: [{hostPath: /a, containerPath: /}]}",
        "{mounts: [{hostPath: /a, containerPath: /b, type: tmpfs}]}",
        "{mounts: [{hostPath: /a, containerPath: /b, options: [rshared]}]}",
        "{hooks: [{hookName: never, path: /x}]}", "{hooks: [{hookName: poststop, path: x}]}",
        "{additionalGids: [4294967295]}", "{additionalGids: [-1]}", "{env: {A: 1}}", "[]"}) {
    EXPECT_EQ(AddEdits(edits).code(), absl::StatusCode::kInvalidArgument) << edits;
  }
  for (const char* text :
       {"kind: v/c\n", "cdiVersion: 2.0.0\nkind: v/c\n", "cdiVersion: 0.6.0\nkind: v\n",
        "cdiVersion: 0.6.0\nkind: v/c\nextra: 1\n",
        "cdiVersion: 0.6.0\nkind: v/c\ndevices: [{name: d}, {name: d}]\n"}) {
    EXPECT_EQ(Add(text).code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace bulkhead::worker
