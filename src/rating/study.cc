#include "rating/study.h"

#include <algorithm>
#include <filesystem>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/random.h"
#include "io/quote.h"
#include "rating/rater.h"
#include "rating/store.h"

namespace prescript {
namespace {

/// Part of the on-disk format. A revision of a rating is never changed; the highest one counts.
constexpr const char* kSchema = R"sql(
CREATE TABLE study (name TEXT NOT NULL, access_key TEXT NOT NULL, kind TEXT NOT NULL,
                    seed INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, adapter_dir TEXT,
                     adapter_hash TEXT);
CREATE TABLE task (id INTEGER PRIMARY KEY, question_id TEXT NOT NULL, question TEXT NOT NULL);
CREATE TABLE answer (task INTEGER NOT NULL REFERENCES task, position INTEGER NOT NULL,
                     source INTEGER NOT NULL REFERENCES source, text TEXT NOT NULL,
                     PRIMARY KEY (task, position)) WITHOUT ROWID;
CREATE TABLE rating (rater TEXT NOT NULL, task INTEGER NOT NULL REFERENCES task,
                     revision INTEGER NOT NULL, axis TEXT NOT NULL, choice TEXT NOT NULL,
                     submitted_at TEXT NOT NULL,
                     PRIMARY KEY (rater, task, revision, axis)) WITHOUT ROWID;
)sql";

constexpr const char* kLatest =
    "SELECT rater, task, axis, choice, submitted_at FROM rating AS r WHERE revision = "
    "(SELECT max(revision) FROM rating WHERE rater = r.rater AND task = r.task) ";

StudyPlan read_plan(Database& database) {
  const auto damaged = [&]() -> InputError {
    return {ExitCode::kData, database.path() + ": damaged; restore a copy of its directory"};
  };
  StudyPlan plan;
  Statement study = database.prepare("SELECT kind, seed FROM study");
  if (!study.step()) throw damaged();
  const auto kind = study_kind(study.text(0));
  if (!kind) throw damaged();
  plan.kind = *kind;
  plan.seed = static_cast<uint64_t>(study.integer(1));
  Statement sources =
      database.prepare("SELECT name, adapter_dir, adapter_hash FROM source ORDER BY id");
  while (sources.step()) {
    plan.sources.push_back({sources.text(0), sources.optional_text(1), sources.optional_text(2)});
  }
  Statement tasks = database.prepare("SELECT id, question_id, question FROM task ORDER BY id");
  while (tasks.step()) {
    if (tasks.integer(0) != static_cast<int64_t>(plan.tasks.size()) + 1) throw damaged();
    plan.tasks.push_back({tasks.text(1), tasks.text(2), {}});
  }
  Statement answers =
      database.prepare("SELECT task, source, text FROM answer ORDER BY task, position");
  while (answers.step()) {
    const auto task = static_cast<size_t>(answers.integer(0) - 1);
    const auto source = static_cast<size_t>(answers.integer(1));
    if (task >= plan.tasks.size() || source >= plan.sources.size()) throw damaged();
    plan.tasks[task].answers.push_back({source, answers.text(2)});
  }
  const size_t num_answers = plan.kind == StudyKind::kRanking ? plan.sources.size() : 1;
  for (const StudyTask& task : plan.tasks) {
    if (task.answers.size() != num_answers) throw damaged();
  }
  return plan;
}

void write_plan(Database& database, const StudyPlan& plan) {
  database.prepare("INSERT INTO study VALUES (?, ?, ?, ?, ?)")
      .bind(random_hex(4))
      .bind(random_hex(16))
      .bind(name_of(plan.kind))
      .bind(static_cast<int64_t>(plan.seed))
      .bind(utc_now())
      .step();
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    database.prepare("INSERT INTO source VALUES (?, ?, ?, ?)")
        .bind(static_cast<int64_t>(i))
        .bind(plan.sources[i].name)
        .bind_optional(plan.sources[i].adapter_dir)
        .bind_optional(plan.sources[i].adapter_hash)
        .step();
  }
  for (size_t i = 0; i < plan.tasks.size(); ++i) {
    const StudyTask& task = plan.tasks[i];
    const auto id = static_cast<int64_t>(i) + 1;
    database.prepare("INSERT INTO task VALUES (?, ?, ?)")
        .bind(id)
        .bind(task.question_id)
        .bind(task.question)
        .step();
    for (size_t position = 0; position < task.answers.size(); ++position) {
      database.prepare("INSERT INTO answer VALUES (?, ?, ?, ?)")
          .bind(id)
          .bind(static_cast<int64_t>(position))
          .bind(static_cast<int64_t>(task.answers[position].source))
          .bind(task.answers[position].text)
          .step();
    }
  }
}

}  // namespace

void create_study(const std::string& dir, const StudyPlan& plan) {
  create_store(dir, kStudyFile, kStudyApplication, kSchema, [&](Database& database) {
    write_plan(database, plan);
  });
}

Study::Study(const std::string& dir)
    : database_(Database::open(dir + "/" + kStudyFile, kStudyApplication)),
      plan_(read_plan(database_)),
      axes_(axes_of(plan_)) {
  Statement study = database_.prepare("SELECT name, access_key FROM study");
  study.step();
  name_ = study.text(0);
  access_key_ = study.text(1);
}

std::vector<size_t> Study::order(const std::string& rater) const {
  return shuffled_indices(plan_.tasks.size(), RandomStream(plan_.seed, "order of rater " + rater));
}

std::string Study::problem_with(const Choices& choices) const {
  for (const Axis& axis : axes_) {
    const auto choice = choices.find(axis.key);
    if (choice == choices.end()) return axis.key + ": missing";
    const bool is_known =
        std::any_of(axis.options.begin(), axis.options.end(), [&](const AxisOption& option) {
          return option.key == choice->second;
        });
    if (!is_known) return axis.key + ": " + quote(choice->second) + " is not one of its options";
  }
  return choices.size() > axes_.size() ? "an axis that this study does not have" : "";
}

void Study::submit(const Rating& rating) {
  submit(std::vector<Rating>{rating});
}

void Study::submit(const std::vector<Rating>& ratings) {
  Transaction transaction(database_);
  for (const Rating& rating : ratings) keep(rating);
  transaction.commit();
}

void Study::keep(const Rating& rating) {
  const std::string problem = problem_with(rating.choices);
  PRESCRIPT_CHECK(problem.empty(), problem);
  PRESCRIPT_CHECK(rating.task < plan_.tasks.size(), "no such task");
  const auto task = static_cast<int64_t>(rating.task) + 1;
  const auto earlier =
      read(std::move(database_.prepare(std::string(kLatest) + "AND rater = ? AND task = ?")
                         .bind(rating.rater)
                         .bind(task)));
  if (!earlier.empty() && earlier.front().choices == rating.choices) return;
  Statement revision = database_.prepare(
      "SELECT coalesce(max(revision), 0) FROM rating WHERE rater = ? AND task = ?");
  revision.bind(rating.rater).bind(task).step();
  for (const auto& [axis, choice] : rating.choices) {
    database_.prepare("INSERT INTO rating VALUES (?, ?, ?, ?, ?, ?)")
        .bind(rating.rater)
        .bind(task)
        .bind(revision.integer(0) + 1)
        .bind(axis)
        .bind(choice)
        .bind(rating.submitted_at)
        .step();
  }
}

std::vector<Rating> Study::read(Statement rows) const {
  std::vector<Rating> ratings;
  while (rows.step()) {
    const std::string rater = rows.text(0);
    const auto task = static_cast<size_t>(rows.integer(1) - 1);
    if (ratings.empty() || ratings.back().rater != rater || ratings.back().task != task) {
      ratings.push_back({rater, task, {}, rows.text(4)});
    }
    ratings.back().choices[rows.text(2)] = rows.text(3);
  }
  for (const Rating& rating : ratings) {
    if (rating.task < plan_.tasks.size() && problem_with(rating.choices).empty()) continue;
    throw InputError(ExitCode::kData,
                     database_.path() + ": the rating of task " + std::to_string(rating.task + 1) +
                         " by " + quote(rating.rater) +
                         " is damaged; restore a copy of its directory");
  }
  return ratings;
}

std::map<size_t, Rating> Study::ratings_of(const std::string& rater) {
  std::map<size_t, Rating> by_task;
  Statement rows = database_.prepare(std::string(kLatest) + "AND rater = ? ORDER BY task");
  rows.bind(rater);
  for (Rating& rating : read(std::move(rows))) by_task.emplace(rating.task, rating);
  return by_task;
}

std::vector<Rating> Study::ratings() {
  return read(database_.prepare(std::string(kLatest) + "ORDER BY rater, task"));
}

}  // namespace prescript
