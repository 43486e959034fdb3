#include "evaluate/task.h"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/random.h"
#include "exemplars/overlap.h"
#include "io/json.h"

namespace prescript {
namespace {

constexpr std::array<std::pair<Strategy, const char*>, 5> kStrategies = {
    {{Strategy::kZeroShot, "zero_shot"},
     {Strategy::kFewShot, "few_shot"},
     {Strategy::kChainOfThought, "chain_of_thought"},
     {Strategy::kSelfConsistency, "self_consistency"},
     {Strategy::kSelectivePrediction, "selective_prediction"}}};

/// The line of the file that a question stands on.
class Lines {
 public:
  explicit Lines(std::string_view bytes) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
    while (!bytes.empty()) {
      lines_.push_back(bytes.substr(0, bytes.find('\n')));
      bytes.remove_prefix(std::min(lines_.back().size() + 1, bytes.size()));
    }
  }
  std::string_view of(const Exemplar& question) const {
    return lines_.at(std::stoul(question.place.substr(question.place.rfind(':') + 1)) - 1);
  }

 private:
  std::vector<std::string_view> lines_;
};

/// `count` of the exemplars by seed, in their order.
std::vector<Exemplar> draw(const std::vector<Exemplar>& exemplars,
                           size_t count,
                           const RandomStream& stream) {
  std::vector<size_t> drawn = shuffled_indices(exemplars.size(), stream);
  drawn.resize(count);
  std::ranges::sort(drawn);
  std::vector<Exemplar> result;
  for (const size_t i : drawn) result.push_back(exemplars[i]);
  return result;
}

TaskKind kind_of(const std::vector<Exemplar>& questions) {
  const bool has_options = !questions.front().options.empty();
  for (const Exemplar& question : questions) {
    if (question.options.empty() == has_options) {
      throw InputError(ExitCode::kData,
                       question.place + ": it has " + (has_options ? "no options" : "options") +
                           ", but " + questions.front().place + " has " +
                           (has_options ? "some" : "none") +
                           "; a task is multiple choice or long form: divide the file");
    }
    if (has_options && !question.answer) {
      throw InputError(
          ExitCode::kData,
          question.place + ": answer: missing; a question with options is marked by it");
    }
  }
  return has_options ? TaskKind::kMultipleChoice : TaskKind::kLongForm;
}

std::vector<Exemplar> draw_few_shot(const TaskOptions& options, const Task& task) {
  std::vector<Exemplar> exemplars = read_exemplars(*options.few_shot_from, /*need_answer=*/true);
  const std::vector<std::string> asked = ids_that_occur(exemplars, task.questions);
  const std::set<std::string> left_out(asked.begin(), asked.end());
  std::erase_if(exemplars, [&](const Exemplar& exemplar) {
    const bool has_options = !exemplar.options.empty();
    return left_out.contains(exemplar.id) ||
           has_options != (task.kind == TaskKind::kMultipleChoice);
  });
  const auto count = static_cast<size_t>(options.few_shot_count);
  if (exemplars.size() < count) {
    throw InputError(ExitCode::kData,
                     *options.few_shot_from + ": " + counted(exemplars.size(), "exemplar") +
                         " of the task's kind beside the questions that are asked, but " +
                         std::to_string(count) + " are to be shown");
  }
  return draw(exemplars, count, RandomStream(options.seed, "few-shot of " + options.name));
}

}  // namespace

const char* name_of(Strategy strategy) {
  return std::ranges::find(kStrategies, strategy, [](const auto& pair) { return pair.first; })
      ->second;
}

Strategy strategy_of(std::string_view name) {
  for (const auto& [strategy, known] : kStrategies) {
    if (name == known) return strategy;
  }
  throw ContractError("unknown strategy " + std::string(name));
}

bool Task::has(Strategy strategy) const {
  return std::ranges::find(strategies, strategy) != strategies.end();
}

Task read_task(const TaskOptions& options) {
  const std::string bytes =
      read_file(options.questions, ExemplarLimits().max_file_bytes, ExitCode::kData);
  std::vector<Exemplar> all = parse_exemplars(bytes, options.questions, /*need_answer=*/false);
  Task task;
  task.name = options.name;
  task.path = options.questions;
  task.sha256 = sha256_hex(std::string_view(bytes));
  task.num_in_file = std::ssize(all);
  task.kind = kind_of(all);
  if (options.limit && *options.limit < std::ssize(all)) {
    all = draw(all,
               static_cast<size_t>(*options.limit),
               RandomStream(options.seed, "questions of " + options.name));
  }
  task.questions = std::move(all);
  const Lines lines(bytes);
  for (const Exemplar& question : task.questions) {
    auto statements = must_have_of(lines.of(question), question.place);
    if (!statements.empty()) task.must_have[question.id] = std::move(statements);
  }
  if (options.few_shot_from) task.few_shot = draw_few_shot(options, task);
  return task;
}

HardPrompt prompt_of(const Task& task, Strategy strategy) {
  HardPrompt prompt = task.prompt;
  if (strategy == Strategy::kZeroShot) return prompt;
  if (!task.few_shot.empty()) prompt.few_shot = task.few_shot;
  if (strategy == Strategy::kFewShot) return prompt;
  prompt.rationale = true;
  prompt.instruction = task.reasoning_instruction.value_or(kReasoningInstruction);
  return prompt;
}

std::vector<std::string> must_have_of(std::string_view line, const std::string& place) {
  const nlohmann::json parsed = parse_json_line(line, place, ExitCode::kData);
  const auto list = JsonCursor(parsed, place, ExitCode::kData).find("must_have");
  std::vector<std::string> statements;
  for (size_t i = 0; list && i < list->size(); ++i) statements.push_back(list->item(i).string());
  return statements;
}

std::vector<std::string> ids_that_occur(std::span<const Exemplar> questions,
                                        std::span<const Exemplar> exemplars) {
  std::vector<std::string> ids;
  for (const LikePair& pair : find_overlap(questions, exemplars)) {
    ids.push_back(questions[pair.item].id);
  }
  return ids;
}

}  // namespace prescript
