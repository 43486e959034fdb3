#include "evaluate/evaluation_directory.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/file_error.h"
#include "evaluate/description_json.h"
#include "io/json.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxBytes = uint64_t{4} << 30;

std::string in(const std::string& dir, const char* name) {
  return dir + "/" + name;
}

void make_directory(const std::string& path) {
  std::error_code error;
  const bool is_made = fs::create_directories(path, error);
  if (error) throw_open_error(path, "cannot make this directory", error.value(), ExitCode::kUsage);
  if (is_made) fs::permissions(path, fs::perms::owner_all, error);
}

/// Those that an evaluation wrote: TASK.STRATEGY.jsonl. Others stay, and the folder with them.
void remove_answers(const std::string& folder) {
  constexpr std::array kLongForm = {Strategy::kZeroShot, Strategy::kFewShot};
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_ours = std::ranges::any_of(kLongForm, [&](Strategy strategy) {
      return name.ends_with(std::string(".") + name_of(strategy) + ".jsonl");
    });
    if (is_ours) fs::remove(entry.path(), error);
    if (error) throw_file_error(entry.path().string(), "cannot remove", error.value());
  }
  fs::remove(folder, error);  // where it is empty now
}

std::string questions_text(std::span<const Task> tasks) {
  std::string text;
  for (const Task& task : tasks) {
    for (const Exemplar& question : task.questions) {
      nlohmann::ordered_json members = {{"task", task.name}};
      const auto must_have = task.must_have.find(question.id);
      if (must_have != task.must_have.end()) members["must_have"] = must_have->second;
      text += members.dump();
      text.back() = ',';  // the members of the exemplar follow
      text += exemplar_json(question).substr(1) + "\n";
    }
  }
  return text;
}

std::vector<AskedQuestion> parse_questions(std::string_view bytes, const std::string& path) {
  std::vector<AskedQuestion> questions;
  for (size_t number = 1; !bytes.empty(); ++number) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(line.size() + 1, bytes.size()));
    const std::string place = path + ":" + std::to_string(number);
    const nlohmann::json parsed = parse_json_line(line, place, ExitCode::kData);
    questions.push_back({JsonCursor(parsed, place, ExitCode::kData).at("task").string(),
                         parse_exemplar(line, place, /*need_answer=*/false),
                         must_have_of(line, place)});
  }
  return questions;
}

}  // namespace

EvaluationFiles read_evaluation(const std::string& dir) {
  if (!is_there(in(dir, kEvaluationJson), ExitCode::kUsage)) {
    throw InputError(ExitCode::kUsage,
                     dir + ": it holds no evaluation (" + kEvaluationJson +
                         " is absent); give the output directory of prescript evaluate");
  }
  const auto read = [&](const char* name) {
    return read_file(in(dir, name), kMaxBytes, ExitCode::kData);
  };
  EvaluationFiles files;
  files.description = parse_description(read(kEvaluationJson), in(dir, kEvaluationJson));
  files.questions = parse_questions(read(kQuestions), in(dir, kQuestions));
  files.records = parse_records(read(kRecords), in(dir, kRecords));
  return files;
}

EvaluationDirectory::EvaluationDirectory(std::string path,
                                         Mode mode,
                                         EvaluationDescription description,
                                         std::span<const Task> tasks)
    : path_(std::move(path)) {
  make_directory(path_);
  lock_.emplace(path_);
  remove_unpublished(path_);
  const bool has_records = is_there(in(path_, kRecords), ExitCode::kUsage) &&
                           !read_file(in(path_, kRecords), kMaxBytes, ExitCode::kUsage).empty();
  const bool holds_one = has_records || is_there(in(path_, kReportJson), ExitCode::kUsage);
  if (holds_one && mode == Mode::kNew) {
    throw InputError(ExitCode::kUsage,
                     "output: " + path_ +
                         " holds an evaluation already; --resume goes on with it, --overwrite "
                         "drops it, output=DIR takes another directory");
  }
  const std::string questions = questions_text(tasks);
  if (mode == Mode::kResume && has_records) {
    const EvaluationFiles old = read_evaluation(path_);
    std::string difference = first_difference(old.description, description);
    if (difference.empty() && read_file(in(path_, kQuestions), kMaxBytes) != questions) {
      difference = "tasks";
    }
    if (!difference.empty()) {
      throw InputError(ExitCode::kUsage,
                       "output: the evaluation in " + path_ + " is another one: " + difference +
                           " differs; set it back to resume, or start again with --overwrite");
    }
    before_ = old.records;
    description.identity.date = old.description.identity.date;
  } else {
    std::error_code error;
    // The records go first: without them nothing goes on with the rest.
    for (const char* name : {kRecords, kReportJson, kReportHtml, kQuestions}) {
      fs::remove(in(path_, name), error);
      if (error) throw_file_error(in(path_, name), "cannot remove", error.value());
    }
    remove_answers(in(path_, kAnswers));
  }
  write(kEvaluationJson,
        description_text(description));  // it tells that what stands beside is ours
  if (before_.records.empty()) write(kQuestions, questions);
  write(kEvaluationRecipe, description.identity.recipe);
  records_.emplace(in(path_, kRecords), before_.whole_bytes);
}

void EvaluationDirectory::append(const std::string& lines) {
  records_->append(lines);
  records_->sync();
}

void EvaluationDirectory::write(const char* name, const std::string& text) const {
  write_file_durably(in(path_, name), text);
}

}  // namespace prescript
