#include "rating/database.h"

#include <cerrno>

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_error.h"

namespace prescript {
namespace {

constexpr int kBusyTimeoutMilliseconds = 10'000;

[[noreturn]] void throw_database_error(const std::string& path, sqlite3* database, int code) {
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:  // a table or column that is not there
      throw InputError(ExitCode::kData,
                       path + ": damaged, or written by something else (" + sqlite3_errstr(code) +
                           "); restore a copy of its directory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw DeviceError(path + ": another program holds it; end that one and try again");
    default:
      break;
  }
  // Where the file of a transaction cannot grow, SQLite tells an I/O error.
  const bool is_full = (code & 0xFF) == SQLITE_FULL ||
                       (database != nullptr && sqlite3_system_errno(database) == ENOSPC);
  if (is_full) throw DeviceError(path + ": the disk is full; make room and try again");
  throw DeviceError(path + ": " +
                    (database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code)));
}

void check(const std::string& path, sqlite3* database, int code) {
  if (code != SQLITE_OK) throw_database_error(path, database, code);
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(const std::string& path, sqlite3* database, std::string_view sql)
    : path_(path), database_(database) {
  sqlite3_stmt* statement = nullptr;
  check(
      path_,
      database_,
      sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
  statement_.reset(statement);
}

Statement& Statement::bind(int64_t value) {
  check(path_, database_, sqlite3_bind_int64(statement_.get(), ++num_bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view value) {
  check(path_,
        database_,
        sqlite3_bind_text64(statement_.get(),
                            ++num_bound_,
                            value.data(),
                            value.size(),
                            SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_optional(const std::optional<std::string>& value) {
  if (value) return bind(std::string_view(*value));
  check(path_, database_, sqlite3_bind_null(statement_.get(), ++num_bound_));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw_database_error(path_, database_, code);
}

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* const bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return "";
  return {reinterpret_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return text(column);
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Database::Database(const std::string& path, bool create) : path_(path) {
  if (create) {
    // SQLite would make it readable by others where the umask allows that.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) throw_open_error(path, "cannot create", errno, ExitCode::kUsage);
    ::close(file);
  } else if (::access(path.c_str(), R_OK | W_OK) != 0) {
    throw_open_error(path, "cannot open", errno, ExitCode::kData);
  }
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(),
                      &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                      nullptr);
  database_.reset(database);
  check(path_, database, code);
  sqlite3_busy_timeout(database, kBusyTimeoutMilliseconds);
  // A file from a stranger must not run code of its own through triggers, views or checks.
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
}

Database Database::create(const std::string& path, int32_t application, std::string_view schema) {
  Database database(path, /*create=*/true);
  database.execute("PRAGMA journal_mode = WAL");
  database.execute("PRAGMA synchronous = FULL");
  database.execute("PRAGMA foreign_keys = ON");
  database.execute("PRAGMA application_id = " + std::to_string(application));
  database.execute(schema);
  return database;
}

Database Database::open(const std::string& path, int32_t application) {
  Database database(path, /*create=*/false);
  Statement id = database.prepare("PRAGMA application_id");
  if (!id.step() || id.integer(0) != application) {
    throw InputError(ExitCode::kData,
                     path +
                         ": a database, but not one that this command can use; name a directory "
                         "that `prescript rate` made for it");
  }
  Statement integrity = database.prepare("PRAGMA quick_check(1)");
  if (!integrity.step() || integrity.text(0) != "ok") {
    throw_database_error(path, nullptr, SQLITE_CORRUPT);
  }
  database.execute("PRAGMA synchronous = FULL");
  database.execute("PRAGMA foreign_keys = ON");
  return database;
}

void Database::execute(std::string_view sql) {
  check(path_,
        database_.get(),
        sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr));
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!is_open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const std::exception&) {
    // SQLite has undone it by itself, as it does when the disk is full.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  is_open_ = false;
}

}  // namespace prescript
