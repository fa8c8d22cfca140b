#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "tools/client/admin.h"
#include "tools/commands/commands.h"

namespace bulkhead::tools {
namespace {

constexpr int kBarColumns = 40;
constexpr int64_t kBrokerTrack = 1;

double Millis(int64_t micros) { return static_cast<double>(micros) / 1000; }

// A step that had not ended is drawn to the operation's end.
int64_t EndOf(const schema::Timeline::Reader& timeline,
              const schema::Timeline::Step::Reader& step) {
  return step.getEndUs() < 0 ? timeline.getTotalUs() : step.getEndUs();
}

std::string Bar(int64_t begin, int64_t end, int64_t total) {
  const double scale = kBarColumns / static_cast<double>(std::max<int64_t>(total, 1));
  const int from = static_cast<int>(std::clamp<double>(begin * scale, 0, kBarColumns - 1));
  const int to = static_cast<int>(std::clamp<double>(end * scale, from + 1, kBarColumns));
  return std::string(from, ' ') + std::string(to - from, '#');
}

void PrintText(schema::Timeline::Reader timeline) {
  const absl::Time began = absl::FromUnixNanos(timeline.getBeganAtNs());
  absl::string_view object = timeline.getObjectId().size() > 0 ? timeline.getObjectId().cStr()
                                                               : timeline.getPodId().cStr();
  absl::PrintF("%s %s %s %.2f ms at %s\n", timeline.getOperation().cStr(), object.substr(0, 13),
               timeline.getOutcome().cStr(), Millis(timeline.getTotalUs()),
               absl::FormatTime(began, absl::LocalTimeZone()));
  for (schema::Timeline::Step::Reader step : timeline.getSteps()) {
    const int64_t end = EndOf(timeline, step);
    absl::PrintF("  %8.2f %8.2f ms  %-24s %s\n", Millis(step.getBeginUs()),
                 Millis(end - step.getBeginUs()), step.getName().cStr(),
                 Bar(step.getBeginUs(), end, timeline.getTotalUs()));
  }
}

nlohmann::json Event(schema::Timeline::Reader timeline, const char* name, int64_t begin_us,
                     int64_t end_us, int64_t track) {
  return {{"name", name},
          {"ph", "X"},
          {"ts", timeline.getBeganAtNs() / 1000 + begin_us},
          {"dur", end_us - begin_us},
          {"pid", kBrokerTrack},
          {"tid", track},
          {"args",
           {{"pod", timeline.getPodId().cStr()}, {"container", timeline.getObjectId().cStr()}}}};
}

// The trace event format that chrome://tracing and Perfetto read: one track an operation.
void AddEvents(schema::Timeline::Reader timeline, nlohmann::json* events, int64_t* tracks) {
  const int64_t track = ++*tracks;
  events->push_back(
      Event(timeline, timeline.getOperation().cStr(), 0, timeline.getTotalUs(), track));
  for (schema::Timeline::Step::Reader step : timeline.getSteps()) {
    events->push_back(
        Event(timeline, step.getName().cStr(), step.getBeginUs(), EndOf(timeline, step), track));
  }
}

}  // namespace

int RunTrace(Words words) {
  std::string file;
  bool chrome = false;
  const Option options[] = {
      {"config", "FILE", kConfigHelp, &file, nullptr},
      {"chrome", nullptr, "print trace events in JSON, for Perfetto or chrome://tracing", nullptr,
       &chrome}};
  const Usage usage = {"trace [--config FILE] [--chrome] [POD|CONTAINER]",
                       "Prints where the time of the last operations went, step by step.", options};
  Parsed parsed;
  if (std::optional<int> code = ParseOrExit(usage, words, &parsed)) return *code;
  absl::StatusOr<Settings> settings = LoadSettings(file);
  if (!settings.ok()) return Fail(settings.status());

  nlohmann::json events = nlohmann::json::array();
  int64_t tracks = 0;
  absl::Status asked =
      AdminTimelines(AdminSocket(*settings), parsed.words.empty() ? "" : parsed.words[0],
                     [&](schema::Timeline::Reader timeline) {
                       chrome ? AddEvents(timeline, &events, &tracks) : PrintText(timeline);
                     });
  if (!asked.ok()) return Fail(asked);
  if (chrome) puts(events.dump(1, ' ', true, nlohmann::json::error_handler_t::replace).c_str());
  return 0;
}

}  // namespace bulkhead::tools
