#pragma once
// The output directory of an evaluation: who may write into it, and what lies where.

#include <optional>
#include <string>
#include <vector>

#include "base/append_file.h"
#include "base/durable_file.h"
#include "evaluate/record.h"
#include "evaluate/result.h"
#include "evaluate/task.h"

namespace prescript {

/// Names of its files; part of the format.
inline constexpr const char* kEvaluationJson = "evaluation.json";
inline constexpr const char* kEvaluationRecipe = "recipe.yaml";
inline constexpr const char* kQuestions = "questions.jsonl";
inline constexpr const char* kRecords = "records.jsonl";
inline constexpr const char* kReportJson = "report.json";
inline constexpr const char* kReportHtml = "report.html";
inline constexpr const char* kAnswers = "answers";  // a folder

/// A question as it was asked, with the task it belongs to.
struct AskedQuestion {
  std::string task;
  Exemplar exemplar;
  std::vector<std::string> must_have = {};
};

/// What a finished evaluation is judged from.
struct EvaluationFiles {
  EvaluationDescription description;
  std::vector<AskedQuestion> questions;
  Records records;
};

/// Reads what an evaluation left, finished or not. Throws InputError(kUsage) where none is,
/// InputError(kData) for damaged files.
EvaluationFiles read_evaluation(const std::string& dir);

/// Held by one process for as long as it lives.
class EvaluationDirectory {
 public:
  enum class Mode {
    kNew,        // refused when it holds an evaluation
    kResume,     // goes on with what it holds, if anything
    kOverwrite,  // what it holds is dropped
  };

  /// Makes the directory (0700) where it is absent, locks it and begins or goes on: afterwards it
  /// holds the description and the questions; one that
  /// goes on keeps the date of its beginning. Throws InputError(kUsage) when it holds an evaluation
  /// and `mode` is kNew, or with kResume another evaluation; when another process holds it, or it
  /// cannot be written.
  EvaluationDirectory(std::string path,
                      Mode mode,
                      EvaluationDescription description,
                      std::span<const Task> tasks);

  const std::string& path() const { return path_; }
  /// Those that were there before.
  const Records& before() const { return before_; }

  /// Appends lines, whole or not at all, and returns when they are on the disk.
  void append(const std::string& lines);

  /// Writes a file of results (0600).
  void write(const char* name, const std::string& text) const;

 private:
  std::string path_;
  std::optional<DirectoryLock> lock_;
  Records before_;
  std::optional<AppendFile> records_;
};

}  // namespace prescript
