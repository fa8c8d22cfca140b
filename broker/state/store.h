#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bulkhead::broker {

enum class Table { kPods, kContainers, kImages, kLayers, kPulls, kAttachments, kSettings };

// What a row must outlive. Pods and containers end with a power loss anyway; an image must be there
// after it, once it was said to be.
enum class Durability { kProcess, kPower };

// One thing. phase says how far an operation on it has come, so that a restart can finish or undo
// it.
struct Row {
  std::string id;
  int phase = 0;
  std::string record;  // a Cap'n Proto struct (schema/)
  std::string extra;   // containers: the ContainerSpec that was launched
};

// Logs a row whose record cannot be read: it costs itself and nothing else.
void ReportBadRow(absl::string_view table, const Row& row, const absl::Status& why);

// The broker's database: one file, opened by one process.
class Store {
 public:
  // Creates the file where it is missing. FAILED_PRECONDITION: written by a newer version.
  // DATA_LOSS: damaged.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path);
  ~Store();
  Store(const Store&) = delete;

  absl::Status Put(Table table, const Row& row, Durability durability);
  absl::Status Delete(Table table, absl::string_view id, Durability durability);
  absl::StatusOr<std::vector<Row>> Load(Table table);

 private:
  explicit Store(sqlite3* db) : db_(db) {}
  absl::Status Prepare();
  absl::Status Reserve(const std::string& path);
  absl::Status Execute(const char* sql);
  absl::Status SetDurability(Durability durability);
  absl::Status Error(absl::string_view what);

  sqlite3* db_;
  Durability durability_ = Durability::kPower;
};

}  // namespace bulkhead::broker
