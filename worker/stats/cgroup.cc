#include "worker/stats/cgroup.h"

#include <fcntl.h>
#include <time.h>

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/fs.h"
#include "worker/stats/numbers.h"

namespace bulkhead::stats {
namespace {

using base::UniqueFd;

constexpr int64_t kNsPerSecond = 1000000000;
constexpr int64_t kNsPerUs = 1000;
constexpr int64_t kNsPerTick = kNsPerSecond / 100;  // USER_HZ, which the kernel fixes at 100

int64_t Now(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * kNsPerSecond + now.tv_nsec;
}

void Stamp(schema::CgroupUsage::Builder usage) {
  usage.setTimestampNs(Now(CLOCK_REALTIME));
  usage.setClockNs(Now(CLOCK_MONOTONIC));
}

int64_t Times(int64_t value, int64_t unit) { return value < 0 ? -1 : value * unit; }

// Of limits that count memory and swap together, the part of the swap.
int64_t Beyond(int64_t both, int64_t memory) {
  return both < 0 || memory < 0 ? -1 : std::max<int64_t>(both - memory, 0);
}

UniqueFd OpenBelow(int root, absl::string_view hierarchy, const std::string& path) {
  std::string place(hierarchy);
  place += path;
  if (hierarchy.empty()) place.erase(0, 1);
  if (place.empty()) place.push_back('.');
  // In the root: cpuacct often is a link to where it is mounted together with cpu.
  absl::StatusOr<UniqueFd> fd =
      base::OpenAt(root, place, O_PATH | O_DIRECTORY, base::Resolve::kInRoot);
  return fd.ok() ? *std::move(fd) : UniqueFd();
}

// Lines "8:0 Read 4096", summed over the devices.
void ReadBlockIo(int dirfd, const char* name, int64_t* reads, int64_t* writes) {
  const std::string text = ReadText(dirfd, name);
  if (text.empty()) return;
  *reads = *writes = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    int64_t value = 0;
    if (words.size() != 3 || !absl::SimpleAtoi(words[2], &value)) continue;
    if (words[1] == "Read") *reads += value;
    if (words[1] == "Write") *writes += value;
  }
}

UniqueFd OpenProcs(const UniqueFd& dir) {
  if (!dir) return UniqueFd();
  return UniqueFd(openat(dir.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

// The same files in both versions.
void ReadTasks(int dir, schema::CgroupUsage::Builder usage) {
  usage.setTasks(ReadNumber(dir, "pids.current"));
  usage.setTasksLimit(ReadNumber(dir, "pids.max"));
  // A number each, 0 for those of other pid namespaces.
  const std::string procs = ReadText(dir, "cgroup.procs");
  usage.setProcesses(std::count(procs.begin(), procs.end(), '\n'));
}

class V1Reader final : public CgroupReader {
 public:
  explicit V1Reader(int root) : root_(root) {}

  void Read(const std::string& path, schema::CgroupUsage::Builder usage) override {
    Stamp(usage);
    if (const UniqueFd dir = OpenBelow(root_, "cpuacct", path)) ReadCpuTime(dir.get(), usage);
    if (const UniqueFd dir = OpenBelow(root_, "cpu", path)) ReadThrottling(dir.get(), usage);
    if (const UniqueFd dir = OpenBelow(root_, "memory", path)) ReadMemory(dir.get(), usage);
    if (const UniqueFd dir = OpenBelow(root_, "pids", path)) ReadTasks(dir.get(), usage);
    if (const UniqueFd dir = OpenBelow(root_, "blkio", path)) ReadIo(dir.get(), usage);
  }
  UniqueFd OpenProcesses(const std::string& path) override {
    return OpenProcs(OpenBelow(root_, "pids", path));
  }

 private:
  static void ReadCpuTime(int dir, schema::CgroupUsage::Builder usage) {
    usage.setCpuNs(ReadNumber(dir, "cpuacct.usage"));
    const auto stat = ReadTable(dir, "cpuacct.stat");
    usage.setCpuUserNs(Times(Get(stat, "user"), kNsPerTick));
    usage.setCpuSystemNs(Times(Get(stat, "system"), kNsPerTick));
  }

  static void ReadThrottling(int dir, schema::CgroupUsage::Builder usage) {
    const auto stat = ReadTable(dir, "cpu.stat");
    usage.setCpuPeriods(Get(stat, "nr_periods"));
    usage.setCpuThrottledPeriods(Get(stat, "nr_throttled"));
    usage.setCpuThrottledNs(Get(stat, "throttled_time"));
  }

  static void ReadMemory(int dir, schema::CgroupUsage::Builder usage) {
    const int64_t memory = ReadNumber(dir, "memory.usage_in_bytes");
    const int64_t limit = ReadNumber(dir, "memory.limit_in_bytes");
    usage.setMemoryBytes(memory);
    usage.setMemoryLimit(limit);
    usage.setMemoryPeakBytes(ReadNumber(dir, "memory.max_usage_in_bytes"));
    usage.setMemoryKernelBytes(ReadNumber(dir, "memory.kmem.usage_in_bytes"));
    const auto stat = ReadTable(dir, "memory.stat");
    usage.setInactiveFileBytes(Get(stat, "total_inactive_file"));
    usage.setRssBytes(Get(stat, "total_rss"));
    usage.setCacheBytes(Get(stat, "total_cache"));
    usage.setMappedFileBytes(Get(stat, "total_mapped_file"));
    usage.setPageFaults(Get(stat, "total_pgfault"));
    usage.setMajorPageFaults(Get(stat, "total_pgmajfault"));
    usage.setMemoryFailures(ReadNumber(dir, "memory.failcnt"));
    usage.setOomKills(Get(ReadTable(dir, "memory.oom_control"), "oom_kill"));
    // Absent where the kernel does not account for swap.
    usage.setSwapBytes(Beyond(ReadNumber(dir, "memory.memsw.usage_in_bytes"), memory));
    usage.setSwapLimit(Beyond(ReadNumber(dir, "memory.memsw.limit_in_bytes"), limit));
  }

  static void ReadIo(int dir, schema::CgroupUsage::Builder usage) {
    int64_t reads = -1, writes = -1;
    ReadBlockIo(dir, "blkio.throttle.io_service_bytes_recursive", &reads, &writes);
    usage.setIoReadBytes(reads);
    usage.setIoWriteBytes(writes);
    reads = writes = -1;
    ReadBlockIo(dir, "blkio.throttle.io_serviced_recursive", &reads, &writes);
    usage.setIoReads(reads);
    usage.setIoWrites(writes);
  }

  const int root_;
};

class V2Reader final : public CgroupReader {
 public:
  explicit V2Reader(int root) : root_(root) {}

  void Read(const std::string& path, schema::CgroupUsage::Builder usage) override {
    Stamp(usage);
    const UniqueFd dir = OpenBelow(root_, "", path);
    if (!dir) return;
    ReadCpu(dir.get(), usage);
    ReadMemory(dir.get(), usage);
    ReadTasks(dir.get(), usage);
    ReadIo(dir.get(), usage);
    ReadPressure(dir.get(), "cpu.pressure", usage.initCpuPressure());
    ReadPressure(dir.get(), "memory.pressure", usage.initMemoryPressure());
    ReadPressure(dir.get(), "io.pressure", usage.initIoPressure());
  }
  UniqueFd OpenProcesses(const std::string& path) override {
    return OpenProcs(OpenBelow(root_, "", path));
  }

 private:
  static void ReadCpu(int dir, schema::CgroupUsage::Builder usage) {
    const auto stat = ReadTable(dir, "cpu.stat");
    usage.setCpuNs(Times(Get(stat, "usage_usec"), kNsPerUs));
    usage.setCpuUserNs(Times(Get(stat, "user_usec"), kNsPerUs));
    usage.setCpuSystemNs(Times(Get(stat, "system_usec"), kNsPerUs));
    usage.setCpuPeriods(Get(stat, "nr_periods"));
    usage.setCpuThrottledPeriods(Get(stat, "nr_throttled"));
    usage.setCpuThrottledNs(Times(Get(stat, "throttled_usec"), kNsPerUs));
  }

  static void ReadMemory(int dir, schema::CgroupUsage::Builder usage) {
    usage.setMemoryBytes(ReadNumber(dir, "memory.current"));
    usage.setMemoryLimit(ReadNumber(dir, "memory.max"));
    const auto stat = ReadTable(dir, "memory.stat");
    usage.setInactiveFileBytes(Get(stat, "inactive_file"));
    usage.setRssBytes(Get(stat, "anon"));
    usage.setCacheBytes(Get(stat, "file"));
    usage.setMappedFileBytes(Get(stat, "file_mapped"));
    usage.setPageFaults(Get(stat, "pgfault"));
    usage.setMajorPageFaults(Get(stat, "pgmajfault"));
    usage.setMemoryPeakBytes(ReadNumber(dir, "memory.peak"));
    usage.setMemoryKernelBytes(Get(stat, "kernel"));
    const auto events = ReadTable(dir, "memory.events");
    usage.setMemoryFailures(Get(events, "max"));
    usage.setOomKills(Get(events, "oom_kill"));
    usage.setSwapBytes(ReadNumber(dir, "memory.swap.current"));
    usage.setSwapLimit(ReadNumber(dir, "memory.swap.max"));
  }

  // Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ...", summed over the devices.
  static void ReadIo(int dir, schema::CgroupUsage::Builder usage) {
    std::map<std::string, int64_t, std::less<>> sums;
    const std::string text = ReadText(dir, "io.stat");
    for (absl::string_view word : absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      const std::pair<absl::string_view, absl::string_view> pair =
          absl::StrSplit(word, absl::MaxSplits('=', 1));
      int64_t value = 0;
      if (absl::SimpleAtoi(pair.second, &value)) sums[std::string(pair.first)] += value;
    }
    usage.setIoReadBytes(std::max<int64_t>(Get(sums, "rbytes"), 0));
    usage.setIoWriteBytes(std::max<int64_t>(Get(sums, "wbytes"), 0));
    usage.setIoReads(std::max<int64_t>(Get(sums, "rios"), 0));
    usage.setIoWrites(std::max<int64_t>(Get(sums, "wios"), 0));
  }

  const int root_;
};

}  // namespace

std::unique_ptr<CgroupReader> MakeV1Reader(int root) { return std::make_unique<V1Reader>(root); }
std::unique_ptr<CgroupReader> MakeV2Reader(int root) { return std::make_unique<V2Reader>(root); }

}  // namespace bulkhead::stats
