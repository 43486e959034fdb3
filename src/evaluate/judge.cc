#include "evaluate/judge.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "evaluate/answer_parser.h"
#include "io/quote.h"
#include "statistics/plurality.h"
#include "text/utf8.h"

namespace prescript {
namespace {

int64_t num_characters(std::string_view text) {
  int64_t count = 0;
  for (size_t position = 0; position < text.size(); ++count) next_character(text, position);
  return count;
}

double score_of(const OptionScore& option, const Exemplar& question, const std::string& scoring) {
  const auto& score = scoring == "letter" ? option.by_letter : option.by_text;
  const auto known = std::ranges::find(question.options, option.letter, &AnswerOption::letter);
  if (!score || known == question.options.end()) {
    throw InputError(ExitCode::kData,
                     std::string(kRecords) + ": the options of question " + quote(question.id) +
                         " are not those of " + kQuestions +
                         "; the files belong to different "
                         "evaluations");
  }
  if (scoring != "text_normalized") return score->log_likelihood;
  return score->log_likelihood / static_cast<double>(num_characters(known->text));
}

/// One condition's way from a record to a judgement.
struct Way {
  Strategy strategy = Strategy::kZeroShot;
  std::string scoring;
  Strategy prompt = Strategy::kZeroShot;
  Computation computation = Computation::kAnswer;
  size_t num_texts = 1;
};

std::vector<Way> ways_of(const EvaluatedTask& task, const EvaluationSettings& settings) {
  const auto has = [](const std::vector<std::string>& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
  };
  std::vector<Way> ways;
  for (const std::string& name : task.strategies) {
    const Strategy strategy = strategy_of(name);
    if (strategy == Strategy::kZeroShot || strategy == Strategy::kFewShot) {
      if (task.kind == TaskKind::kLongForm) {
        ways.push_back({strategy, "generation", strategy, Computation::kAnswer});
        continue;
      }
      const auto add_options = [&](const char* scoring) {
        ways.push_back({strategy, scoring, strategy, Computation::kOptions});
      };
      if (has(task.scoring, "letter")) add_options("letter");
      if (has(task.scoring, "text")) add_options("text");
      if (has(task.scoring, "text")) add_options("text_normalized");
      if (has(task.scoring, "generation")) {
        ways.push_back({strategy, "generation", strategy, Computation::kAnswer});
      }
      continue;
    }
    const bool is_single = strategy == Strategy::kChainOfThought;
    const int64_t samples = strategy == Strategy::kSelfConsistency
                                ? settings.self_consistency_samples
                                : settings.selective_samples;
    ways.push_back({strategy,
                    "generation",
                    Strategy::kChainOfThought,
                    is_single ? Computation::kAnswer : Computation::kSamples,
                    is_single ? 1 : static_cast<size_t>(samples)});
  }
  return ways;
}

RecordKey key_of(const AskedQuestion& question, const Way& way, const EvaluatedSystem& system) {
  return {.task = question.task,
          .prompt = name_of(way.prompt),
          .computation = way.computation,
          .system = system.name,
          .id = question.exemplar.id};
}

Judgement judge_one(const AskedQuestion& asked, const Record& record, const Way& way) {
  const Exemplar& question = asked.exemplar;
  if (way.computation == Computation::kOptions) {
    return judge_options(question, record.options, way.scoring);
  }
  if (!question.options.empty()) return judge_texts(question, record.texts, way.num_texts);
  const GeneratedText& text = record.texts.front();
  return {.question = &question,
          .must_have = &asked.must_have,
          .num_tokens = static_cast<double>(text.num_tokens),
          .cut_off = text.cut_off ? 1 : 0,
          .text = text.text};
}

}  // namespace

Judgement judge_options(const Exemplar& question,
                        std::span<const OptionScore> options,
                        const std::string& scoring) {
  std::vector<double> scores;
  for (const OptionScore& option : options) scores.push_back(score_of(option, question, scoring));
  PRESCRIPT_CHECK(!scores.empty(), "a question without options");
  const auto best = std::ranges::max_element(scores);
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - *best);
  const std::string& letter = options[best - scores.begin()].letter;
  return {.question = &question,
          .said = letter,
          .correct = letter == question.answer,
          .tied = std::ranges::count(scores, *best) > 1,
          .confidence = 1 / sum};
}

Judgement judge_texts(const Exemplar& question,
                      std::span<const GeneratedText> texts,
                      size_t num_texts) {
  if (texts.size() < num_texts) {
    throw InputError(ExitCode::kData,
                     std::string(kRecords) + ": question " + quote(question.id) + " has " +
                         std::to_string(texts.size()) + " samples, but " +
                         std::to_string(num_texts) + " vote");
  }
  Judgement judgement = {.question = &question};
  std::vector<std::optional<size_t>> votes;
  for (const GeneratedText& text : texts.first(num_texts)) {
    const auto letter = parse_answer(text.text, question.options);
    votes.push_back(std::nullopt);
    if (letter) {
      votes.back() = std::ranges::find(question.options, *letter, &AnswerOption::letter) -
                     question.options.begin();
    }
    judgement.num_tokens += static_cast<double>(text.num_tokens) / static_cast<double>(num_texts);
    judgement.cut_off += text.cut_off ? 1 : 0;
  }
  const Vote vote = plurality_vote(votes);
  if (!vote.winner) return judgement;
  judgement.said = question.options[*vote.winner].letter;
  judgement.correct = judgement.said == question.answer;
  judgement.tied = vote.tied;
  judgement.confidence = vote.share;
  return judgement;
}

Answered answered(const EvaluationFiles& files) {
  std::set<RecordKey> records;
  for (const Record& record : files.records.records) records.insert(record.key);
  Answered answered = {.questions = files.questions.size()};
  for (const AskedQuestion& question : files.questions) {
    const auto task =
        std::ranges::find(files.description.tasks, question.task, &EvaluatedTask::name);
    if (task == files.description.tasks.end()) continue;
    std::set<RecordKey> needed;  // several ways may judge one answer
    for (const Way& way : ways_of(*task, files.description.settings)) {
      for (const EvaluatedSystem& system : files.description.systems) {
        needed.insert(key_of(question, way, system));
      }
    }
    const auto found =
        std::ranges::count_if(needed, [&](const RecordKey& key) { return records.contains(key); });
    answered.answers += found;
    answered.answers_needed += needed.size();
    answered.questions_finished += found == std::ssize(needed) ? 1 : 0;
  }
  answered.strange_answers = records.size() - answered.answers;
  return answered;
}

std::vector<JudgedCondition> judge(const EvaluationFiles& files) {
  std::map<RecordKey, const Record*> records;
  for (const Record& record : files.records.records) records.emplace(record.key, &record);
  std::vector<JudgedCondition> conditions;
  for (const EvaluatedTask& task : files.description.tasks) {
    for (const Way& way : ways_of(task, files.description.settings)) {
      for (const EvaluatedSystem& system : files.description.systems) {
        JudgedCondition condition = {
            task.name, system.name, name_of(way.strategy), way.scoring, {}};
        for (const AskedQuestion& question : files.questions) {
          if (question.task != task.name) continue;
          const auto found = records.find(key_of(question, way, system));
          if (found == records.end()) continue;
          condition.judgements.push_back(judge_one(question, *found->second, way));
        }
        if (!condition.judgements.empty()) conditions.push_back(std::move(condition));
      }
    }
  }
  return conditions;
}

}  // namespace prescript
