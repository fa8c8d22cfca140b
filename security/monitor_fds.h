#pragma once

// Where launch leaves what the monitor needs when it becomes one; the same numbers stand in
// profiles/monitor.cc.
namespace bulkhead::security {

inline constexpr int kMonitorControlFd = 3;
inline constexpr int kMonitorListenFd = 4;
inline constexpr int kMonitorJobFd = 5;
inline constexpr int kMonitorPidfdFd = 6;
inline constexpr int kMonitorStdoutFd = 7;
inline constexpr int kMonitorStderrFd = 8;
inline constexpr int kMonitorLogFd = 9;
inline constexpr int kMonitorStdinFd = 10;
inline constexpr int kMonitorMemoryEventsFd = 11;

}  // namespace bulkhead::security
