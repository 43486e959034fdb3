#include "rating/authoring_store.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "io/json.h"
#include "io/quote.h"
#include "rating/rater.h"
#include "rating/store.h"
#include "text/exemplar.h"
#include "text/hard_prompt.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// Part of the on-disk format. Versions are never changed; a review is of one version.
constexpr const char* kSchema = R"sql(
CREATE TABLE store (name TEXT NOT NULL, access_key TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE exemplar (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
                       question TEXT NOT NULL, letters TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE version (exemplar INTEGER NOT NULL REFERENCES exemplar, number INTEGER NOT NULL,
                      answer TEXT NOT NULL, rationale TEXT, author TEXT NOT NULL,
                      written_at TEXT NOT NULL, reviewer TEXT NOT NULL DEFAULT '',
                      is_accepted INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
                      reviewed_at TEXT NOT NULL DEFAULT '',
                      PRIMARY KEY (exemplar, number)) WITHOUT ROWID;
)sql";

void insert_version(Database& database, int64_t exemplar, const AnswerVersion& version) {
  database.prepare("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(exemplar)
      .bind(version.number)
      .bind(version.answer)
      .bind_optional(version.rationale)
      .bind(version.author)
      .bind(version.written_at)
      .bind(version.reviewer)
      .bind(int64_t{version.is_accepted})
      .bind(version.reason)
      .bind(version.reviewed_at)
      .step();
}

std::string text_in(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The answer that an exemplar came with.
AnswerVersion first_version(const Exemplar& exemplar, const ordered_json& json) {
  AnswerVersion version{.number = 1,
                        .answer = *exemplar.answer,
                        .rationale = exemplar.rationale,
                        .author = "",
                        .written_at = utc_now()};
  if (!exemplar.review) return version;
  const ordered_json& review = json.at("review");
  version.number = exemplar.review->version;
  version.author = exemplar.review->author;
  if (const std::string at = text_in(review, "written_at"); !at.empty()) version.written_at = at;
  if (exemplar.review->status == ReviewStatus::kWritten) return version;
  version.reviewer = exemplar.review->reviewer;
  version.is_accepted = exemplar.review->status == ReviewStatus::kAccepted;
  version.reason = text_in(review, "reason");
  version.reviewed_at = text_in(review, "reviewed_at");
  if (version.reviewer.empty()) {
    throw InputError(ExitCode::kData,
                     exemplar.place +
                         ": review: a status without a reviewer; name the reviewer's "
                         "code, or set the status to written");
  }
  return version;
}

void insert_exemplar(Database& database,
                     const Exemplar& exemplar,
                     int64_t number,
                     const ordered_json& json) {
  if (!exemplar.before.empty() || !exemplar.between.empty() || json.contains("messages")) {
    throw InputError(ExitCode::kData,
                     exemplar.place +
                         ": messages; only exemplars with question and answer can be "
                         "written here");
  }
  std::string letters;
  for (const AnswerOption& option : exemplar.options) letters += option.letter;
  database.prepare("INSERT INTO exemplar VALUES (?, ?, ?, ?, ?)")
      .bind(number)
      .bind(exemplar.id)
      .bind(question_text(exemplar))
      .bind(letters)
      .bind(json.dump())
      .step();
  if (exemplar.answer) insert_version(database, number, first_version(exemplar, json));
}

}  // namespace

std::string name_of(AuthoringStatus status) {
  switch (status) {
    case AuthoringStatus::kOpen:
      return "open";
    case AuthoringStatus::kWritten:
      return name_of(ReviewStatus::kWritten);
    case AuthoringStatus::kAccepted:
      return name_of(ReviewStatus::kAccepted);
    case AuthoringStatus::kRejected:
      return name_of(ReviewStatus::kRejected);
  }
  throw ContractError("no such status");
}

AuthoringStatus AuthoredExemplar::status() const {
  if (versions.empty()) return AuthoringStatus::kOpen;
  const AnswerVersion& latest = versions.back();
  if (latest.reviewer.empty()) return AuthoringStatus::kWritten;
  return latest.is_accepted ? AuthoringStatus::kAccepted : AuthoringStatus::kRejected;
}

void create_authoring_store(const std::string& dir, const std::string& exemplars_path) {
  check_unoccupied(dir);
  const std::string bytes = read_file(exemplars_path, ExemplarLimits().max_file_bytes);
  const auto exemplars = parse_exemplars(bytes, exemplars_path, /*need_answer=*/false);
  create_store(dir, kAuthoringFile, kAuthoringApplication, kSchema, [&](Database& database) {
    database.prepare("INSERT INTO store VALUES (?, ?, ?)")
        .bind(random_hex(4))
        .bind(random_hex(16))
        .bind(utc_now())
        .step();
    std::string_view rest = bytes;
    int64_t line_number = 0;
    int64_t number = 0;
    for (const Exemplar& exemplar : exemplars) {
      // The line that the exemplar stands on, for the fields that are kept as they are.
      std::string_view line;
      do {
        line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        ++line_number;
      } while (exemplar.place != exemplars_path + ":" + std::to_string(line_number));
      if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
      const ordered_json json = parse_json_line(line, exemplar.place, ExitCode::kData);
      insert_exemplar(database, exemplar, ++number, json);
    }
  });
}

AuthoringStore::AuthoringStore(const std::string& dir)
    : database_(Database::open(dir + "/" + kAuthoringFile, kAuthoringApplication)) {
  Statement store = database_.prepare("SELECT name, access_key FROM store");
  if (!store.step()) {
    throw InputError(ExitCode::kData,
                     database_.path() + ": damaged; restore a copy of its directory");
  }
  name_ = store.text(0);
  access_key_ = store.text(1);
}

std::vector<AuthoredExemplar> AuthoringStore::read(const std::string& condition, int64_t number) {
  std::vector<AuthoredExemplar> exemplars;
  Statement rows = database_.prepare(
      "SELECT e.number, id, question, letters, json, v.number, answer, rationale, author, "
      "written_at, reviewer, is_accepted, reason, reviewed_at FROM exemplar AS e "
      "LEFT JOIN version AS v ON v.exemplar = e.number WHERE " +
      condition + " ORDER BY e.number, v.number");
  rows.bind(number);
  while (rows.step()) {
    if (exemplars.empty() || exemplars.back().number != rows.integer(0)) {
      exemplars.push_back(
          {rows.integer(0), rows.text(1), rows.text(2), rows.text(3), rows.text(4), {}});
    }
    if (!rows.optional_text(6)) continue;
    exemplars.back().versions.push_back({.number = rows.integer(5),
                                         .answer = rows.text(6),
                                         .rationale = rows.optional_text(7),
                                         .author = rows.text(8),
                                         .written_at = rows.text(9),
                                         .reviewer = rows.text(10),
                                         .is_accepted = rows.integer(11) != 0,
                                         .reason = rows.text(12),
                                         .reviewed_at = rows.text(13)});
  }
  return exemplars;
}

std::vector<AuthoredExemplar> AuthoringStore::exemplars() {
  return read("e.number > ?", 0);
}

std::optional<AuthoredExemplar> AuthoringStore::exemplar(int64_t number) {
  auto found = read("e.number = ?", number);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

AuthoringOutcome AuthoringStore::write(int64_t exemplar,
                                       int64_t base_version,
                                       const std::string& author,
                                       const std::string& answer,
                                       const std::optional<std::string>& rationale) {
  Transaction transaction(database_);
  const auto current = this->exemplar(exemplar);
  PRESCRIPT_CHECK(current.has_value(), "no such exemplar");
  const AnswerVersion* latest = current->versions.empty() ? nullptr : &current->versions.back();
  if (latest != nullptr && latest->author == author && latest->answer == answer &&
      latest->rationale == rationale) {
    return AuthoringOutcome::kKept;
  }
  const int64_t latest_number = latest != nullptr ? latest->number : 0;
  if (latest_number != base_version) return AuthoringOutcome::kChangedMeanwhile;
  insert_version(database_,
                 exemplar,
                 {.number = latest_number + 1,
                  .answer = answer,
                  .rationale = rationale,
                  .author = author,
                  .written_at = utc_now()});
  transaction.commit();
  return AuthoringOutcome::kKept;
}

AuthoringOutcome AuthoringStore::review(int64_t exemplar,
                                        int64_t version,
                                        const std::string& reviewer,
                                        bool accepts,
                                        const std::string& reason) {
  Transaction transaction(database_);
  const auto current = this->exemplar(exemplar);
  PRESCRIPT_CHECK(current.has_value(), "no such exemplar");
  if (current->versions.empty() || current->versions.back().number != version) {
    return AuthoringOutcome::kChangedMeanwhile;
  }
  const AnswerVersion& latest = current->versions.back();
  if (latest.author == reviewer) return AuthoringOutcome::kOwnAnswer;
  // Somebody else's review stands until there is a new version.
  if (!latest.reviewer.empty() && latest.reviewer != reviewer) {
    return AuthoringOutcome::kChangedMeanwhile;
  }
  database_
      .prepare(
          "UPDATE version SET reviewer = ?, is_accepted = ?, reason = ?, reviewed_at = ? "
          "WHERE exemplar = ? AND number = ?")
      .bind(reviewer)
      .bind(int64_t{accepts})
      .bind(reason)
      .bind(utc_now())
      .bind(exemplar)
      .bind(version)
      .step();
  transaction.commit();
  return AuthoringOutcome::kKept;
}

std::string exported_exemplars(const std::vector<AuthoredExemplar>& exemplars) {
  std::string lines;
  for (const AuthoredExemplar& exemplar : exemplars) {
    if (exemplar.versions.empty()) continue;
    const AnswerVersion& latest = exemplar.versions.back();
    const nlohmann::json parsed = parse_json_line(exemplar.json, exemplar.id, ExitCode::kData);
    ordered_json line = {{"id", exemplar.id}};
    for (const char* key : {"context", "question", "options"}) {
      if (parsed.contains(key)) line[key] = parsed.at(key);
    }
    line["answer"] = latest.answer;
    if (latest.rationale) line["rationale"] = *latest.rationale;
    for (const auto& [key, value] : parsed.items()) {
      if (!line.contains(key) && key != "rationale" && key != "review") line[key] = value;
    }
    ordered_json review = {{"status", name_of(exemplar.status())}, {"version", latest.number}};
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) review[key] = value;
    };
    add("author", latest.author);
    add("written_at", latest.written_at);
    add("reviewer", latest.reviewer);
    add("reviewed_at", latest.reviewed_at);
    add("reason", latest.reason);
    line["review"] = std::move(review);
    lines += line.dump() + "\n";
  }
  return lines;
}

}  // namespace prescript
