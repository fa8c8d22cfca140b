#include "worker/unit/manager.h"

#include <cstdlib>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/deadline.h"
#include "base/status.h"

namespace bulkhead::unit {
namespace {

constexpr char kService[] = "org.freedesktop.systemd1";
constexpr char kPath[] = "/org/freedesktop/systemd1";
constexpr char kManager[] = "org.freedesktop.systemd1.Manager";
constexpr char kUnit[] = "org.freedesktop.systemd1.Unit";
constexpr absl::Duration kCallPatience = absl::Seconds(10);
constexpr absl::Duration kJobPatience = absl::Seconds(25);

struct Unref {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, Unref>;

// An answer of the bus that is an error, with systemd's own text.
struct BusError {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  ~BusError() { sd_bus_error_free(&error); }

  absl::Status ToStatus(absl::string_view what, int code) const {
    const std::string text = error.message != nullptr ? error.message : strerrordesc_np(-code);
    const std::string message = absl::StrCat(what, ": ", text);
    if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit") != 0) {
      return absl::NotFoundError(message);
    }
    if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists") != 0) {
      return absl::AlreadyExistsError(message);
    }
    if (sd_bus_error_has_name(&error, SD_BUS_ERROR_INVALID_ARGS) != 0) {
      return absl::InvalidArgumentError(message);
    }
    return absl::InternalError(message);
  }
};

absl::Status Failed(absl::string_view what, int code) { return BusError().ToStatus(what, code); }

absl::StatusOr<std::string> PathOf(const std::string& unit) {
  char* path = nullptr;
  const int code = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &path);
  if (code < 0) return Failed("name of a unit", code);
  const absl::Cleanup release = [path] { free(path); };
  return std::string(path);
}

// Appends (sv).
int Append(sd_bus_message* message, const Property& property) {
  if (property.bytes.empty())
    return sd_bus_message_append(message, "(sv)", property.name, "t", property.number);
  int code = sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, "sv");
  if (code >= 0) code = sd_bus_message_append(message, "s", property.name);
  if (code >= 0) code = sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, "ay");
  if (code >= 0) {
    code = sd_bus_message_append_array(message, 'y', property.bytes.data(), property.bytes.size());
  }
  if (code >= 0) code = sd_bus_message_close_container(message);
  return code < 0 ? code : sd_bus_message_close_container(message);
}

int AppendAll(sd_bus_message* message, const std::vector<Property>& properties) {
  for (const Property& property : properties) {
    if (const int code = Append(message, property); code < 0) return code;
  }
  return 0;
}

absl::StatusOr<Message> NewCall(sd_bus* bus, const char* method) {
  sd_bus_message* raw = nullptr;
  const int code = sd_bus_message_new_method_call(bus, &raw, kService, kPath, kManager, method);
  if (code < 0) return Failed(method, code);
  return Message(raw);
}

absl::StatusOr<Message> Call(sd_bus* bus, const Message& message, absl::string_view what) {
  BusError error;
  sd_bus_message* raw = nullptr;
  const int code = sd_bus_call(bus, message.get(),
                               static_cast<uint64_t>(absl::ToInt64Microseconds(kCallPatience)),
                               &error.error, &raw);
  if (code < 0) return error.ToStatus(what, code);
  return Message(raw);
}

absl::StatusOr<std::string> JobOf(const Message& reply) {
  const char* job = nullptr;
  const int code = sd_bus_message_read(reply.get(), "o", &job);
  if (code < 0) return Failed("read a job's name", code);
  return std::string(job);
}

}  // namespace

absl::StatusOr<Manager> Manager::Connect() {
  sd_bus* bus = nullptr;
  int code = sd_bus_open_system(&bus);
  if (code < 0) return absl::UnavailableError(absl::StrCat("system bus: ", strerrordesc_np(-code)));
  Manager manager(bus);
  sd_bus_set_method_call_timeout(bus,
                                 static_cast<uint64_t>(absl::ToInt64Microseconds(kCallPatience)));
  // The ends of jobs are told to those who ask.
  code =
      sd_bus_match_signal(bus, nullptr, kService, kPath, kManager, "JobRemoved", nullptr, nullptr);
  if (code < 0) return Failed("listen to systemd", code);
  BULKHEAD_ASSIGN_OR_RETURN(const Message subscribe, NewCall(bus, "Subscribe"));
  BULKHEAD_RETURN_IF_ERROR(Call(bus, subscribe, "subscribe to systemd").status());
  return manager;
}

absl::StatusOr<Manager::State> Manager::Look(const std::string& unit) {
  BULKHEAD_ASSIGN_OR_RETURN(const std::string path, PathOf(unit));
  State state;
  for (const auto& [name, target] : {std::pair{"ActiveState", 0}, std::pair{"Description", 1}}) {
    BusError error;
    char* value = nullptr;
    const int code = sd_bus_get_property_string(bus_.get(), kService, path.c_str(), kUnit, name,
                                                &error.error, &value);
    if (code < 0) return error.ToStatus(absl::StrCat("look at ", unit), code);
    const absl::Cleanup release = [value] { free(value); };
    if (target == 0) state.active = absl::string_view(value) == "active";
    if (target == 1) state.description = value;
  }
  return state;
}

absl::Status Manager::StartSlice(const std::string& unit, const std::string& description,
                                 const std::vector<Property>& properties) {
  BULKHEAD_ASSIGN_OR_RETURN(const Message call, NewCall(bus_.get(), "StartTransientUnit"));
  sd_bus_message* m = call.get();
  int code = sd_bus_message_append(m, "ss", unit.c_str(), "fail");
  if (code >= 0) code = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "(sv)");
  if (code >= 0) code = sd_bus_message_append(m, "(sv)", "Description", "s", description.c_str());
  for (const char* name :
       {"CPUAccounting", "MemoryAccounting", "TasksAccounting", "IOAccounting"}) {
    if (code >= 0) code = sd_bus_message_append(m, "(sv)", name, "b", 1);
  }
  if (code >= 0) code = AppendAll(m, properties);
  if (code >= 0) code = sd_bus_message_close_container(m);
  if (code >= 0) code = sd_bus_message_append(m, "a(sa(sv))", 0);
  if (code < 0) return Failed("write a slice's properties", code);
  BULKHEAD_ASSIGN_OR_RETURN(const Message reply,
                            Call(bus_.get(), call, absl::StrCat("make ", unit)));
  BULKHEAD_ASSIGN_OR_RETURN(const std::string job, JobOf(reply));
  return AwaitJob(job);
}

absl::Status Manager::SetProperties(const std::string& unit,
                                    const std::vector<Property>& properties) {
  if (properties.empty()) return absl::OkStatus();
  BULKHEAD_ASSIGN_OR_RETURN(const Message call, NewCall(bus_.get(), "SetUnitProperties"));
  sd_bus_message* m = call.get();
  int code = sd_bus_message_append(m, "sb", unit.c_str(), 1);
  if (code >= 0) code = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "(sv)");
  if (code >= 0) code = AppendAll(m, properties);
  if (code >= 0) code = sd_bus_message_close_container(m);
  if (code < 0) return Failed("write a unit's properties", code);
  return Call(bus_.get(), call, absl::StrCat("limit ", unit)).status();
}

absl::Status Manager::Stop(const std::string& unit) {
  BULKHEAD_ASSIGN_OR_RETURN(const Message call, NewCall(bus_.get(), "StopUnit"));
  const int code = sd_bus_message_append(call.get(), "ss", unit.c_str(), "replace");
  if (code < 0) return Failed("name the unit to stop", code);
  absl::StatusOr<Message> reply = Call(bus_.get(), call, absl::StrCat("stop ", unit));
  if (absl::IsNotFound(reply.status())) return absl::OkStatus();
  if (!reply.ok()) return reply.status();
  BULKHEAD_ASSIGN_OR_RETURN(const std::string job, JobOf(*reply));
  return AwaitJob(job);
}

absl::Status Manager::AwaitJob(const std::string& job) {
  const base::Deadline deadline = base::Deadline::After(kJobPatience);
  while (!deadline.Passed()) {
    sd_bus_message* raw = nullptr;
    const int code = sd_bus_process(bus_.get(), &raw);
    const Message message(raw);
    if (code < 0) return Failed("listen to systemd", code);
    if (raw != nullptr && sd_bus_message_is_signal(raw, kManager, "JobRemoved") > 0) {
      uint32_t id = 0;
      const char *path = nullptr, *unit = nullptr, *result = nullptr;
      if (sd_bus_message_read(raw, "uoss", &id, &path, &unit, &result) < 0 || path != job) continue;
      if (absl::string_view(result) == "done") return absl::OkStatus();
      return absl::InternalError(absl::StrCat("systemd's job for ", unit, ": ", result));
    }
    if (code == 0) {
      const int milliseconds = deadline.PollTimeout();
      sd_bus_wait(bus_.get(), static_cast<uint64_t>(milliseconds) * 1000);
    }
  }
  return absl::DeadlineExceededError("systemd's job did not end in time");
}

}  // namespace bulkhead::unit
