#include "frontend/testing/harness.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace bulkhead::frontend {
namespace {

sockaddr_un Address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

void Require(bool good, const char* what) {
  if (good) return;
  perror(what);
  abort();
}

}  // namespace

base::UniqueFd ListenAt(const std::string& path) {
  base::UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Address(path);
  Require(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
          "bind");
  Require(listen(listener.get(), 128) == 0, "listen");
  Require(chmod(path.c_str(), 0666) == 0, "chmod");
  return listener;
}

std::shared_ptr<grpc::Channel> ConnectTo(const std::string& path) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(16 << 20);  // as kubelet has it
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(), arguments);
}

Harness::Harness(AcceptOptions options) {
  char name[] = "/tmp/bulkhead-frontend-XXXXXX";
  Require(mkdtemp(name) != nullptr, "mkdtemp");
  Require(chmod(name, 0755) == 0, "chmod");
  directory_ = name;
  path_ = directory_ + "/cri.sock";
  node_.runtimes = {{"crun", "1.8.1"}};
  node_.default_runtime = "crun";
  node_.cgroup_mode = "v2";

  base::FdPair ends = std::move(*base::MakeSocketPair(SOCK_STREAM));
  broker_ = std::make_unique<FakeBroker>(std::move(ends.second));
  client_ = std::make_unique<BrokerClient>(std::move(ends.first), [this] { lost_ = true; });
  server_ = std::make_unique<Server>(
      Call{.broker = *client_, .node = node_, .counts = counts_});
  acceptor_ = std::make_unique<Acceptor>(
      std::move(*Acceptor::Make(ListenAt(path_), std::move(options), [this](base::UniqueFd fd) {
        server_->Serve(std::move(fd));
      })));
  accepting_ = std::thread([this] { acceptor_->Run().IgnoreError(); });
}

Harness::~Harness() {
  acceptor_->Stop();
  accepting_.join();
  server_.reset();
  client_.reset();
  unlink(path_.c_str());
  rmdir(directory_.c_str());
}

base::UniqueFd Harness::ConnectRaw() {
  base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Address(path_);
  Require(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
          "connect");
  return fd;
}

}  // namespace bulkhead::frontend
