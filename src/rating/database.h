#pragma once
// SQLite, where ratings are kept: what is committed survives the death of the process and of the
// machine.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace prescript {

/// One SQL statement with its parameters bound; a row at a time.
class Statement {
 public:
  /// Parameters are bound in order, from 1.
  Statement& bind(int64_t value);
  Statement& bind(std::string_view value);
  Statement& bind_optional(const std::optional<std::string>& value);  // nothing: NULL

  /// Whether there is another row.
  bool step();
  /// Of the row: columns from 0.
  int64_t integer(int column) const;
  std::string text(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(const std::string& path, sqlite3* database, std::string_view sql);

  const std::string& path_;
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int num_bound_ = 0;
};

/// A database in one file (with SQLite's -wal and -shm beside it while it is open): write-ahead
/// log, every commit synced. Errors: DeviceError for a full or failing disk and for a file that
/// another program holds for more than ten seconds, InputError(kData) for a file that is damaged.
class Database {
 public:
  /// Creates the file (0600), which must not exist. `application` marks what it holds.
  static Database create(const std::string& path, int32_t application, std::string_view schema);
  /// Opens it. Throws InputError(kData) when it is absent, damaged, or of another application.
  static Database open(const std::string& path, int32_t application);

  Statement prepare(std::string_view sql) { return {path_, database_.get(), sql}; }
  /// Runs statements without parameters and rows.
  void execute(std::string_view sql);

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  Database(const std::string& path, bool create);

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

/// All that is written while it lives is committed by `commit`, or undone.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  /// When it returns, the disk holds it.
  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace prescript
