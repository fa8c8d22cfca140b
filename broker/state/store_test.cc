#include "broker/state/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bulkhead::broker {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/bulkhead-store-XXXXXX";
    dir_ = mkdtemp(name);
    path_ = dir_ + "/state.db";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string dir_, path_;
};

TEST_F(StoreTest, RowsSurviveReopening) {
  {
    auto store = Store::Open(path_);
    ASSERT_TRUE(store.ok()) << store.status();
    Row row{.id = "a", .phase = 2, .record = std::string("x\0y", 3), .extra = "spec"};
    ASSERT_TRUE((*store)->Put(Table::kContainers, row, Durability::kProcess).ok());
    row.phase = 3;
    ASSERT_TRUE((*store)->Put(Table::kContainers, row, Durability::kPower).ok());
    ASSERT_TRUE((*store)->Put(Table::kPods, {.id = "b", .record = "p"}, Durability::kProcess).ok());
    ASSERT_TRUE((*store)->Delete(Table::kPods, "b", Durability::kProcess).ok());
    ASSERT_TRUE((*store)->Delete(Table::kPods, "never", Durability::kProcess).ok());
  }
  auto store = Store::Open(path_);
  ASSERT_TRUE(store.ok()) << store.status();
  auto rows = (*store)->Load(Table::kContainers);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ((*rows)[0].id, "a");
  EXPECT_EQ((*rows)[0].phase, 3);
  EXPECT_EQ((*rows)[0].record, std::string("x\0y", 3));
  EXPECT_EQ((*rows)[0].extra, "spec");
  EXPECT_TRUE((*store)->Load(Table::kPods)->empty());
}

TEST_F(StoreTest, ANewerDatabaseIsRefused) {
  ASSERT_TRUE(Store::Open(path_).ok());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version=99", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(Store::Open(path_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StoreTest, GarbageIsDataLoss) {
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_EQ(Store::Open(path_).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bulkhead::broker
