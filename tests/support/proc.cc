#include "tests/support/proc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "base/unique_fd.h"

namespace bulkhead::test {
namespace {

// pid (comm) state ppid ...; comm may hold anything, so its end is the last parenthesis.
bool ReadStat(const std::string& pid, ProcessInfo* info) {
  std::string text;
  if (!std::getline(std::ifstream("/proc/" + pid + "/stat"), text)) return false;
  size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return false;
  info->pid = atoi(text.c_str());
  info->name = text.substr(open + 1, close - open - 1);
  return sscanf(text.c_str() + close + 1, " %c %d", &info->state, &info->parent) == 2;
}

std::multimap<pid_t, ProcessInfo> AllByParent() {
  std::multimap<pid_t, ProcessInfo> all;
  DIR* dir = opendir("/proc");
  absl::Cleanup close = [dir] { closedir(dir); };
  while (const dirent* entry = readdir(dir)) {
    ProcessInfo info;
    int number;
    if (!absl::SimpleAtoi(entry->d_name, &number) || !ReadStat(entry->d_name, &info)) continue;
    all.emplace(info.parent, info);
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> ReadMounts() {
  std::vector<std::pair<std::string, std::string>> mounts;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string skip, point, word;
    words >> skip >> skip >> skip >> skip >> point;
    while (words >> word && word != "-") {
    }
    words >> word;
    mounts.emplace_back(point, word);
  }
  return mounts;
}

}  // namespace

std::vector<ProcessInfo> Descendants(pid_t root) {
  std::multimap<pid_t, ProcessInfo> all = AllByParent();
  std::vector<ProcessInfo> found;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    auto [begin, end] = all.equal_range(open.back());
    open.pop_back();
    for (auto child = begin; child != end; ++child) {
      found.push_back(child->second);
      open.push_back(child->first == child->second.pid ? 0 : child->second.pid);
    }
  }
  return found;
}

void ReapOrphans() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

void KillDescendants() {
  for (int round = 0; round < 200; ++round) {
    std::vector<ProcessInfo> left = Descendants(getpid());
    for (const ProcessInfo& info : left) kill(info.pid, SIGKILL);
    ReapOrphans();
    if (left.empty()) return;
    usleep(10000);
  }
}

std::vector<std::string> Mounts() {
  std::vector<std::string> mounts;
  for (const auto& [point, type] : ReadMounts()) mounts.push_back(point + " " + type);
  std::sort(mounts.begin(), mounts.end());
  return mounts;
}

void UnmountBelow(const std::string& directory) {
  auto mounts = ReadMounts();
  std::reverse(mounts.begin(), mounts.end());
  for (const auto& [point, type] : mounts) {
    if (absl::StartsWith(point, directory + "/")) umount2(point.c_str(), MNT_DETACH);
  }
}

bool CanConnect(int port) {
  base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace bulkhead::test
