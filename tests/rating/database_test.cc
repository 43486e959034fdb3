#include "rating/database.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

constexpr int32_t kApplication = 1234;

Database new_database(const std::string& path) {
  return Database::create(path, kApplication, "CREATE TABLE t (x INTEGER, s TEXT)");
}

int64_t count(Database& database) {
  Statement rows = database.prepare("SELECT count(*) FROM t");
  EXPECT_TRUE(rows.step());
  return rows.integer(0);
}

TEST(DatabaseFile, KeepsWhatIsBound) {
  const TemporaryDirectory directory;
  Database database = new_database(directory / "a");
  database.prepare("INSERT INTO t VALUES (?, ?)")
      .bind(int64_t{-5})
      .bind("it's; DROP TABLE t")
      .step();
  database.prepare("INSERT INTO t VALUES (?, ?)").bind(int64_t{6}).bind_optional({}).step();
  Statement rows = database.prepare("SELECT x, s FROM t ORDER BY x");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.integer(0), -5);
  EXPECT_EQ(rows.text(1), "it's; DROP TABLE t");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.optional_text(1), std::nullopt);
  EXPECT_FALSE(rows.step());
}

TEST(DatabaseFile, ATransactionIsAllOrNothing) {
  const TemporaryDirectory directory;
  Database database = new_database(directory / "a");
  {
    Transaction transaction(database);
    database.execute("INSERT INTO t VALUES (1, '')");
  }
  EXPECT_EQ(count(database), 0);
  Transaction transaction(database);
  database.execute("INSERT INTO t VALUES (1, '')");
  transaction.commit();
  EXPECT_EQ(count(database), 1);
}

TEST(DatabaseFile, AnyDamageIsAnErrorOrHarmless) {
  const TemporaryDirectory directory;
  {
    Database database = new_database(directory / "a");
    for (int i = 0; i < 200; ++i) {
      database.prepare("INSERT INTO t VALUES (?, ?)")
          .bind(int64_t{i})
          .bind(std::string(100, 'x'))
          .step();
    }
  }
  const std::string whole = bytes_of_file(directory / "a");
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    directory.write("b", damaged);
    try {
      Database database = Database::open(directory / "b", kApplication);
      count(database);
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      ++refused;
    } catch (const DeviceError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
  for (const size_t size : {size_t{0}, size_t{50}, whole.size() / 2}) {
    directory.write("b", whole.substr(0, size));
    EXPECT_THROW(Database::open(directory / "b", kApplication), InputError) << size;
  }
}

TEST(DatabaseFile, OtherFilesAreRefused) {
  const TemporaryDirectory directory;
  { new_database(directory / "a"); }
  directory.write("text", std::string(5000, 'x'));
  expect_input_error(
      ExitCode::kData, "cannot open", [&] { Database::open(directory / "none", kApplication); });
  expect_input_error(
      ExitCode::kData, "damaged", [&] { Database::open(directory / "text", kApplication); });
  expect_input_error(ExitCode::kData, "not one that this command can use", [&] {
    Database::open(directory / "a", kApplication + 1);
  });
}

TEST(DatabaseFile, AFullDiskIsADeviceErrorAndUndoes) {
  const TemporaryDirectory directory;
  Database database = new_database(directory / "a");
  database.execute("PRAGMA max_page_count = 4");
  try {
    Transaction transaction(database);
    for (int i = 0; i < 100; ++i) {
      database.prepare("INSERT INTO t VALUES (?, ?)")
          .bind(int64_t{i})
          .bind(std::string(1000, 'x'))
          .step();
    }
    transaction.commit();
    ADD_FAILURE() << "the database was not full";
  } catch (const DeviceError&) {
  }
  EXPECT_EQ(count(database), 0);
}

}  // namespace
}  // namespace prescript
