#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/support/node.h"

namespace bulkhead::test {

// Everything that a runtime could leave behind: processes, mounts (with the pins of namespaces),
// interfaces, cgroups, descriptors of the long-lived processes, files below its directories, rows
// of its database.
using Snapshot = std::map<std::string, std::multiset<std::string>>;

Snapshot TakeSnapshot(Node& node);

// What was there and is not, and the other way round, one a line; empty: nothing.
std::string Difference(const Snapshot& before, const Snapshot& now);

// Takes snapshots until there is no difference or patience is over. Returns the last difference.
std::string AwaitSnapshot(Node& node, const Snapshot& before,
                          absl::Duration patience = absl::Seconds(30));

// Whether systemd makes the cgroups here.
bool SystemdDriver();
// The cgroup parent of this test's pods, as kubelet would name one ("/NAME", or "NAME.slice"), and
// its removal once it is empty.
std::string TestCgroup();
// Its path below each hierarchy.
std::string TestCgroupPath();
void RemoveTestCgroup();

}  // namespace bulkhead::test
