#include "frontend/testing/configs.h"

namespace bulkhead::frontend {

v1::PodSandboxConfig GoodPod() {
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name("web");
  config.mutable_metadata()->set_namespace_("default");
  config.mutable_metadata()->set_uid("u1");
  config.mutable_metadata()->set_attempt(3);
  config.set_hostname("web");
  config.set_log_directory("/var/log//pods/web/");
  config.mutable_dns_config()->add_servers("10.0.0.10");
  config.mutable_dns_config()->add_searches("cluster.local");
  config.mutable_dns_config()->add_options("ndots:5");
  v1::PortMapping* port = config.add_port_mappings();
  port->set_protocol(v1::UDP);
  port->set_container_port(53);
  port->set_host_port(5353);
  port->set_host_ip("127.0.0.1");
  (*config.mutable_labels())["b"] = "2";
  (*config.mutable_labels())["a"] = "1";
  (*config.mutable_annotations())["note"] = "x\ny";
  config.mutable_linux()->set_cgroup_parent("/kubepods/pod1/");
  (*config.mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  v1::LinuxSandboxSecurityContext* security = config.mutable_linux()->mutable_security_context();
  security->set_privileged(true);
  security->mutable_namespace_options()->set_network(v1::NODE);
  security->mutable_namespace_options()->set_pid(v1::CONTAINER);
  security->mutable_apparmor()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  config.mutable_linux()->mutable_resources()->set_cpu_shares(2);
  return config;
}

v1::ContainerConfig GoodContainer() {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("app");
  config.mutable_metadata()->set_attempt(2);
  config.mutable_image()->set_image("busybox:1");
  config.mutable_image()->set_user_specified_image("busybox:1");
  config.add_command("/bin/sh");
  config.add_args("-c");
  config.add_args("");
  config.set_working_dir("/srv/");
  v1::KeyValue* env = config.add_envs();
  env->set_key("K");
  env->set_value("\xff\n");
  v1::Mount* mount = config.add_mounts();
  mount->set_container_path("/data/");
  mount->set_host_path("/mnt//data");
  mount->set_readonly(true);
  mount->set_recursive_read_only(true);
  mount->set_selinux_relabel(true);
  v1::Device* device = config.add_devices();
  device->set_container_path("/dev/x");
  device->set_host_path("/dev/null");
  device->set_permissions("mrw");
  (*config.mutable_labels())["app"] = "web";
  (*config.mutable_annotations())["note"] = "y";
  config.set_log_path("app/0.log");
  config.set_stdin(true);
  config.set_stdin_once(true);
  config.set_tty(true);
  config.set_stop_signal(v1::SIGNAL_SIGUSR1);
  v1::LinuxContainerResources* resources = config.mutable_linux()->mutable_resources();
  resources->set_cpu_period(100000);
  resources->set_cpu_quota(-1);
  resources->set_cpu_shares(512);
  resources->set_memory_limit_in_bytes(1 << 20);
  resources->set_oom_score_adj(-998);
  resources->set_cpuset_cpus("0-1");
  resources->set_cpuset_mems("0");
  resources->set_memory_swap_limit_in_bytes(2 << 20);
  v1::HugepageLimit* pages = resources->add_hugepage_limits();
  pages->set_page_size("2MB");
  pages->set_limit(7);
  (*resources->mutable_unified())["memory.high"] = "1";
  v1::LinuxContainerSecurityContext* security = config.mutable_linux()->mutable_security_context();
  security->mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  security->mutable_capabilities()->add_drop_capabilities("cap_chown");
  security->mutable_capabilities()->add_drop_capabilities("ALL");
  security->mutable_namespace_options()->set_pid(v1::TARGET);
  security->mutable_namespace_options()->set_target_id(kId);
  security->mutable_run_as_user()->set_value(0);
  security->mutable_run_as_group()->set_value(4294967294);
  security->add_supplemental_groups(12);
  security->set_supplemental_groups_policy(v1::Strict);
  security->set_readonly_rootfs(true);
  security->set_no_new_privs(true);
  security->add_masked_paths("/proc/kcore");
  security->add_readonly_paths("/proc/sys");
  security->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  return config;
}

absl::Status ConvertPod(const v1::PodSandboxConfig& config, const std::string& handler) {
  capnp::MallocMessageBuilder message;
  return ToPodConfig(config, handler, message.initRoot<schema::PodConfig>());
}

absl::Status ConvertContainer(const v1::ContainerConfig& config) {
  capnp::MallocMessageBuilder message;
  const StoreNames names = {.image = kImage, .mounts = {{0, kImage}}};
  return ToContainerConfig(config, names, message.initRoot<schema::ContainerConfig>());
}
void Expect(const absl::Status& status, absl::StatusCode code, const std::string& field) {
  EXPECT_EQ(code, status.code()) << field << " " << status;
  EXPECT_EQ(0u, status.message().find(field + ":")) << status;
}

}  // namespace bulkhead::frontend
