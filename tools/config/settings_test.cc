#include "tools/config/settings.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "capnp/message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/config/encode.h"

namespace bulkhead::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status Apply(absl::string_view text, Settings* settings) {
  return ApplyToml(text, "f.toml", settings);
}

TEST(Settings, EveryKey) {
  Settings s;
  ASSERT_TRUE(Apply(R"(
root_dir = "/data//bulkhead/"
run_dir = "/run/b"
default_runtime = "slow"
allowed_uids = [1000, 0]
sandbox_image = "registry.example/pause:3"
cgroup_driver = "cgroupfs"
[runtimes.slow]
type = "oci"
path = "/opt/slow"
[cni]
conf_dir = "/c"
bin_dirs = ["/b1", "/b2"]
[registries."docker.io"]
endpoints = [{host = "127.0.0.1:5000", plain_http = true}, {host = "m.example", ca_file = "/ca"}]
[registries."*"]
endpoints = [{host = "[::1]:5000", skip_verify = true}]
[streaming]
address = "::1"
port = 10010
tls_cert = "/etc/tls/cert.pem"
tls_key = "/etc/tls/key.pem"
forward_to_node = true
)",
                    &s)
                  .ok());
  EXPECT_TRUE(CheckSettings(s).ok()) << CheckSettings(s);
  EXPECT_EQ(s.root_dir, "/data/bulkhead");
  EXPECT_EQ(s.run_dir, "/run/b");
  EXPECT_EQ(s.cgroup_driver, "cgroupfs");
  EXPECT_EQ(s.runtimes["slow"].path, "/opt/slow");
  EXPECT_EQ(s.runtimes["crun"].path, "/usr/bin/crun");
  EXPECT_THAT(s.cni_bin_dirs, ElementsAre("/b1", "/b2"));
  EXPECT_THAT(s.allowed_uids, ElementsAre(1000u, 0u));
  ASSERT_EQ(s.registries["docker.io"].endpoints.size(), 2u);
  EXPECT_TRUE(s.registries["docker.io"].endpoints[0].plain_http);
  EXPECT_EQ(s.registries["docker.io"].endpoints[1].ca_files.at(0), "/ca");
  EXPECT_TRUE(s.registries["*"].endpoints[0].skip_verify);
  EXPECT_EQ(s.streaming.address, "::1");
  EXPECT_EQ(s.streaming.port, 10010);
  EXPECT_EQ(s.streaming.tls_key, "/etc/tls/key.pem");
  EXPECT_TRUE(s.streaming.forward_to_node);
}

struct Bad {
  const char* text;
  const char* message;
};

TEST(Settings, SaysFileLineAndKey) {
  const Bad kBad[] = {
      {"\n\nroot_dri = \"/x\"", "f.toml:3: key 'root_dri': unknown key"},
      {"root_dir = \"x\"", "f.toml:1: key 'root_dir': path"},
      {"root_dir = \"/a/../b\"", "key 'root_dir'"},
      {"root_dir = 3", "must be a string"},
      {"run_dir = \"/a\\u0001\"", "control character"},
      {"[cni]\nconf_dri = \"/x\"", "f.toml:2: key 'cni.conf_dri': unknown key"},
      {"cni = 1", "must be a table"},
      {"[cni]\nbin_dirs = \"/x\"", "must be an array"},
      {"[cni]\nbin_dirs = [\"/x\", \"y\"]", "key 'cni.bin_dirs[1]'"},
      {"[runtimes.Crun]\npath = \"/x\"", "a runtime's name"},
      {"[runtimes.layers]\npath = \"/x\"", "has this name already"},
      {"[runtimes.a]\ntype = \"jail\"", "must be \"oci\" or \"lxc\""},
      {"cgroup_driver = \"none\"", "must be \"auto\", \"cgroupfs\" or \"systemd\""},
      {"[registries.\"UP\"]\nendpoints = []", "a registry is named"},
      {"[registries.\"a:0\"]\nendpoints = []", "a registry is named"},
      {"[registries.a]\nendpoints = [{host = \"https://a\"}]", "must be host or host:port"},
      {"[registries.a]\nendpoints = [{plain_http = true}]", "has no host"},
      {"[registries.a]\nendpoints = [{host = \"a\", tls = 1}]",
       "key 'registries.a.endpoints[0].tls': unknown key"},
      {"allowed_uids = [-1]", "must be a user id"},
      {"allowed_uids = [4294967295]", "must be a user id"},
      {"[streaming]\naddress = \"localhost\"", "must be an IPv4 or IPv6 address"},
      {"[streaming]\nport = 65536", "must be a port"},
      {"[streaming]\nport = \"80\"", "must be a port"},
      {"[streaming]\ntls = true", "key 'streaming.tls': unknown key"},
      {"root_dir = ", "f.toml:1: "},
  };
  for (const Bad& bad : kBad) {
    Settings s;
    absl::Status status = Apply(bad.text, &s);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
  }
}

TEST(Settings, ChecksTheWhole) {
  for (const char* text :
       {"run_dir = \"/var/lib/bulkhead/run\"", "root_dir = \"/\"", "[streaming]\ntls_cert = \"/c\"",
        "default_runtime = \"none\"", "[runtimes.a]\ntype = \"oci\"",
        "[runtimes.a]\ntype = \"lxc\"\npath = \"/x\"",
        "[runtimes.crun]\nuser_namespace = \"optional\""}) {
    Settings s;
    ASSERT_TRUE(Apply(text, &s).ok()) << text;
    EXPECT_EQ(CheckSettings(s).code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_TRUE(CheckSettings(Settings()).ok());
}

class SettingsFiles : public ::testing::Test {
 protected:
  SettingsFiles() {
    char name[] = "/tmp/settings-test-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~SettingsFiles() override { std::filesystem::remove_all(dir_); }
  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    std::string path = dir_ + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string dir_;
};

TEST_F(SettingsFiles, DropInsInNameOrder) {
  std::string file = Write("c.toml", "run_dir = \"/run/1\"\nroot_dir = \"/r\"");
  std::filesystem::create_directory(file + ".d");
  Write("c.toml.d/20.toml", "run_dir = \"/run/3\"");
  Write("c.toml.d/10.toml", "run_dir = \"/run/2\"\n[cni]\nconf_dir = \"/c\"");
  Write("c.toml.d/30.toml.bak", "nonsense");
  absl::StatusOr<Settings> s = LoadSettings(file);
  ASSERT_TRUE(s.ok()) << s.status();
  EXPECT_EQ(s->run_dir, "/run/3");
  EXPECT_EQ(s->root_dir, "/r");
  EXPECT_EQ(s->cni_conf_dir, "/c");
}

TEST_F(SettingsFiles, RefusesWhatOthersMayWrite) {
  std::string file = Write("c.toml", "", 0666);
  EXPECT_EQ(LoadSettings(file).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(SettingsFiles, NamedFileMustExist) {
  EXPECT_EQ(LoadSettings(dir_ + "/none.toml").status().code(), absl::StatusCode::kNotFound);
}

TEST(Encode, CarriesEverything) {
  Settings s;
  s.pulls.at_once = 9;
  s.allowed_uids = {7};
  Host host = {base::CgroupMode::kHybrid, false, "6.1"};
  capnp::MallocMessageBuilder message;
  auto config = message.initRoot<schema::Config>();
  EncodeConfig(s, host, {{"crun", {"crun version 1.8.1", {}}}}, config);
  EXPECT_EQ(config.getRootDir(), "/var/lib/bulkhead");
  ASSERT_EQ(config.getRuntimes().size(), 1u);
  EXPECT_EQ(config.getRuntimes()[0].getVersion(), "crun version 1.8.1");
  EXPECT_EQ(config.getPulls().getAtOnce(), 9);
  EXPECT_EQ(config.getPulls().getDeadlineSeconds(), 3600u);
  EXPECT_EQ(config.getHost().getCgroupMode(), schema::Host::CgroupMode::HYBRID);
  EXPECT_EQ(config.getAllowedUids()[0], 7u);
  EXPECT_EQ(config.getCniBinDirs().size(), 2u);
  EXPECT_TRUE(ConfigMemfd(message).ok());
}

}  // namespace
}  // namespace bulkhead::tools
