#include "rating/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

constexpr const char* kSchema = "CREATE TABLE t (x INTEGER)";

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST(Store, IsThereWholeAndForItsOwnerOnly) {
  const TemporaryDirectory directory;
  create_store(directory / "s", "a.sqlite", 7, kSchema, [](Database& database) {
    database.execute("INSERT INTO t VALUES (1)");
  });
  EXPECT_EQ(mode_of(directory / "s"), 0700u);
  EXPECT_EQ(mode_of(directory / "s/a.sqlite"), 0600u);
  Database database = Database::open(directory / "s/a.sqlite", 7);
  Statement rows = database.prepare("SELECT x FROM t");
  EXPECT_TRUE(rows.step());
  EXPECT_EQ(mode_of(directory / "s/a.sqlite-wal"), 0600u);
  Statement mode = database.prepare("PRAGMA journal_mode");
  ASSERT_TRUE(mode.step());
  EXPECT_EQ(mode.text(0), "wal");
  Statement synchronous = database.prepare("PRAGMA synchronous");
  ASSERT_TRUE(synchronous.step());
  EXPECT_EQ(synchronous.integer(0), 2);  // FULL
}

TEST(Store, NothingIsLeftOfOneThatFails) {
  const TemporaryDirectory directory;
  EXPECT_THROW(create_store(directory / "s",
                            "a.sqlite",
                            7,
                            kSchema,
                            [](Database&) { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Store, WhatIsThereStays) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "empty");
  directory.write("file", "x");
  for (const char* name : {"empty", "file"}) {
    expect_input_error(ExitCode::kUsage, "something is there already", [&] {
      create_store(directory / name, "a.sqlite", 7, kSchema, [](Database&) {});
    });
  }
  // Made by somebody else while ours was being filled.
  expect_input_error(ExitCode::kUsage, "something is there already", [&] {
    create_store(directory / "s", "a.sqlite", 7, kSchema, [&](Database&) {
      std::filesystem::create_directory(directory / "s");
    });
  });
}

TEST(Store, RandomHexIsNotTwiceTheSame) {
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace prescript
