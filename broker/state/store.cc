#include "broker/state/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace bulkhead::broker {
namespace {

constexpr int kSchemaVersion = 1;
constexpr off_t kReserveBytes = 5 << 20;  // over the 1,000 pages of 4 KiB

constexpr const char* kCreate = R"sql(
  CREATE TABLE IF NOT EXISTS pods(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS containers(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS images(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS layers(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS pulls(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS attachments(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS settings(
    id TEXT PRIMARY KEY, phase INTEGER NOT NULL, record BLOB NOT NULL, extra BLOB) WITHOUT ROWID;
)sql";

const char* Name(Table table) {
  switch (table) {
    case Table::kPods:
      return "pods";
    case Table::kContainers:
      return "containers";
    case Table::kImages:
      return "images";
    case Table::kLayers:
      return "layers";
    case Table::kPulls:
      return "pulls";
    case Table::kAttachments:
      return "attachments";
    case Table::kSettings:
      return "settings";
  }
  return "";
}

absl::StatusCode CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kInternal;
  }
}

void BindBlob(sqlite3_stmt* statement, int index, const std::string& bytes) {
  sqlite3_bind_blob(statement, index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
}

std::string ColumnBytes(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  if (bytes == nullptr) return "";
  return std::string(static_cast<const char*>(bytes), sqlite3_column_bytes(statement, column));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  sqlite3* db = nullptr;
  int result =
      sqlite3_open_v2(path.c_str(), &db,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, nullptr);
  auto store = std::unique_ptr<Store>(new Store(db));
  if (result != SQLITE_OK) return store->Error("open the database");
  BULKHEAD_RETURN_IF_ERROR(store->Prepare());
  if (absl::Status reserved = store->Reserve(path); !reserved.ok()) {
    base::Log(base::Severity::kWarning, "no space for removals on a full disk is reserved",
              {{"why", reserved.message()}});
  }
  return store;
}

Store::~Store() { sqlite3_close_v2(db_); }

absl::Status Store::Prepare() {
  // Temporary tables in memory: the broker has no temporary directory.
  BULKHEAD_RETURN_IF_ERROR(Execute("PRAGMA temp_store=MEMORY"));
  BULKHEAD_RETURN_IF_ERROR(Execute("PRAGMA journal_mode=WAL"));
  BULKHEAD_RETURN_IF_ERROR(Execute("PRAGMA synchronous=FULL"));
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, "PRAGMA user_version", -1, &statement, nullptr) != SQLITE_OK) {
    return Error("read the database's version");
  }
  int version = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;
  sqlite3_finalize(statement);
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the database is of version ", version, ", this program knows up to ", kSchemaVersion));
  }
  BULKHEAD_RETURN_IF_ERROR(Execute(kCreate));
  return Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str());
}

// Removals write too. A write-ahead log that is there, is long enough and stays is written over
// again and takes no space, as it is brought into the database (1,000 pages) before it gets longer;
// and the database has free pages from the same.
absl::Status Store::Reserve(const std::string& path) {
  int persist = 1;
  if (sqlite3_file_control(db_, "main", SQLITE_FCNTL_PERSIST_WAL, &persist) != SQLITE_OK) {
    return Error("keep the write-ahead log");
  }
  struct stat st;
  if (stat((path + "-wal").c_str(), &st) == 0 && st.st_size >= kReserveBytes) {
    return absl::OkStatus();
  }
  BULKHEAD_RETURN_IF_ERROR(Execute("DROP TABLE IF EXISTS reserve"));
  BULKHEAD_RETURN_IF_ERROR(
      Execute(absl::StrCat("CREATE TABLE reserve AS SELECT zeroblob(", kReserveBytes, ") AS bytes")
                  .c_str()));
  return Execute("DROP TABLE reserve");
}

absl::Status Store::SetDurability(Durability durability) {
  if (durability == durability_) return absl::OkStatus();
  BULKHEAD_RETURN_IF_ERROR(Execute(durability == Durability::kPower ? "PRAGMA synchronous=FULL"
                                                                    : "PRAGMA synchronous=NORMAL"));
  durability_ = durability;
  return absl::OkStatus();
}

absl::Status Store::Put(Table table, const Row& row, Durability durability) {
  BULKHEAD_RETURN_IF_ERROR(SetDurability(durability));
  std::string sql = absl::StrCat("INSERT OR REPLACE INTO ", Name(table),
                                 "(id, phase, record, extra) VALUES(?, ?, ?, ?)");
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return Error("prepare a write");
  }
  absl::Cleanup finalize = [statement] { sqlite3_finalize(statement); };
  sqlite3_bind_text(statement, 1, row.id.data(), static_cast<int>(row.id.size()), SQLITE_STATIC);
  sqlite3_bind_int(statement, 2, row.phase);
  BindBlob(statement, 3, row.record);
  BindBlob(statement, 4, row.extra);
  if (sqlite3_step(statement) != SQLITE_DONE) {
    return Error(absl::StrCat("write a row of ", Name(table)));
  }
  return absl::OkStatus();
}

absl::Status Store::Delete(Table table, absl::string_view id, Durability durability) {
  BULKHEAD_RETURN_IF_ERROR(SetDurability(durability));
  std::string sql = absl::StrCat("DELETE FROM ", Name(table), " WHERE id = ?");
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return Error("prepare a deletion");
  }
  absl::Cleanup finalize = [statement] { sqlite3_finalize(statement); };
  sqlite3_bind_text(statement, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  if (sqlite3_step(statement) != SQLITE_DONE) {
    return Error(absl::StrCat("delete a row of ", Name(table)));
  }
  return absl::OkStatus();
}

void ReportBadRow(absl::string_view table, const Row& row, const absl::Status& why) {
  base::Log(base::Severity::kError, "a stored record cannot be read",
            {{"table", table}, {"id", row.id}, {"why", why.message()}});
}

absl::StatusOr<std::vector<Row>> Store::Load(Table table) {
  std::string sql = absl::StrCat("SELECT id, phase, record, extra FROM ", Name(table));
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return Error("prepare a read");
  }
  absl::Cleanup finalize = [statement] { sqlite3_finalize(statement); };
  std::vector<Row> rows;
  int result;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    rows.push_back({.id = ColumnBytes(statement, 0),
                    .phase = sqlite3_column_int(statement, 1),
                    .record = ColumnBytes(statement, 2),
                    .extra = ColumnBytes(statement, 3)});
  }
  if (result != SQLITE_DONE) return Error(absl::StrCat("read ", Name(table)));
  return rows;
}

absl::Status Store::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return Error(sql);
  return absl::OkStatus();
}

absl::Status Store::Error(absl::string_view what) {
  return absl::Status(CodeOf(sqlite3_extended_errcode(db_)),
                      absl::StrCat(what, ": ", sqlite3_errmsg(db_)));
}

}  // namespace bulkhead::broker
