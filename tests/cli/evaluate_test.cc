#include <filesystem>

#include <gmock/gmock.h>

#include "adapter/deferral.h"
#include "cli/tiny_files.h"
#include "evaluate/record.h"
#include "support/run_process.h"

namespace prescript {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kQuiz =
    "{\"id\":\"q1\",\"question\":\"Pain?\",\"options\":{\"A\":\"yes\",\"B\":\"no\"},\"answer\":"
    "\"A\"}\n"
    "{\"id\":\"q2\",\"question\":\"Cough?\",\"options\":{\"A\":\"dry\",\"B\":\"wet\"},\"answer\":"
    "\"B\"}\n"
    "{\"id\":\"q3\",\"question\":\"Fever?\",\"options\":{\"A\":\"low\",\"B\":\"high\"},\"answer\":"
    "\"A\"}\n";

constexpr const char* kTalk =
    "{\"id\":\"t1\",\"question\":\"What helps?\",\"answer\":\"rest\",\"must_have\":[\"rest "
    "helps\"]}\n"
    "{\"id\":\"t2\",\"question\":\"What else?\"}\n";

class EvaluateCommand : public TinyFiles {
 protected:
  EvaluateCommand() {
    recipe_ = directory_.write(
        "e.yaml",
        "base_model: " + model() + "\ndtype: fp32\nadapters: {kind: " + directory_ / "kind" +
            "}\ntasks:\n  quiz:\n    questions: " + directory_.write("quiz.jsonl", kQuiz) +
            "\n    reasoning_instruction: Think.\n    strategies: [zero_shot, self_consistency, "
            "selective_prediction]\n  talk: {questions: " +
            directory_.write("talk.jsonl", kTalk) +
            "}\nself_consistency.num_samples: 2\nselective_prediction: {num_samples: 3, "
            "target_accuracy: 0}\nmax_new_tokens: {answer: 3, reasoning: 6, long_form: 5}\n"
            "bootstrap.replicas: 20\nexemplars: [" +
            directory_.write("x.jsonl",
                             "{\"question\":\"Cough\",\"options\":{\"A\":\"dry\",\"B\":"
                             "\"wet\"},\"answer\":\"A\"}\n") +
            "]\noutput: " + output() + "\n");
  }

  std::string output() const { return directory_ / "out"; }
  std::string file(const std::string& name) const { return bytes_of_file(output() + "/" + name); }

  ProcessResult evaluate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"evaluate", recipe_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  }

  std::string recipe_;
};

TEST_F(EvaluateCommand, ReportsEveryConditionOfEverySystem) {
  const auto result = evaluate();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(file("report.json"));
  // quiz: 3 by options, 1 generated, 2 that vote; talk: 1; each for two systems.
  ASSERT_EQ(report.at("conditions").size(), 14U);
  for (const json& condition : report["conditions"]) {
    EXPECT_EQ(condition.at("num_questions"), condition.at("task") == "quiz" ? 3 : 2);
  }
  EXPECT_EQ(report["tasks"][0]["chance"], 0.5);
  EXPECT_EQ(report["tasks"][0]["contamination"][0]["ids"], json({"q2"}));
  EXPECT_EQ(report["tasks"][0]["prompts"][0]["trained_otherwise"], json({"kind"}));
  EXPECT_THAT(result.err, HasSubstr("1 question of 3 also stand among the exemplars"));
  EXPECT_THAT(result.out, HasSubstr("selective_prediction"));
  for (const json& work : report["shared_work"]) {
    EXPECT_LT(work.at("rows_computed"), work.at("rows_unshared"));
    EXPECT_GT(work.at("rows_computed"), 0);
  }
  const auto answers = json_lines(file("answers/talk.zero_shot.jsonl"));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(answers[0].at("adapter").is_null());
  EXPECT_EQ(answers[1].at("adapter"), "kind");
  EXPECT_EQ(answers[1].at("question"), "What helps?");
}

TEST_F(EvaluateCommand, OptionsScoreAsInScore) {
  ASSERT_EQ(evaluate({"tasks.quiz.strategies=[zero_shot]"}).exit_code, 0);
  for (const bool with_adapter : {false, true}) {
    for (const std::string by : {"letter", "text"}) {
      std::vector<std::string> more = {
          "--json", "--by", by, "--dtype", "fp32", "--instruction", ""};
      if (with_adapter) more.insert(more.end(), {"--adapter", directory_ / "kind"});
      const auto expected = json_lines(run("score", kQuiz, more).out);
      ASSERT_EQ(expected.size(), 3U);
      size_t next = 0;
      for (const Record& record : parse_records(file("records.jsonl"), "r").records) {
        if (record.key.computation != Computation::kOptions ||
            record.key.system != (with_adapter ? "kind" : "base")) {
          continue;
        }
        const json& options = expected.at(next++).at("options");
        for (const OptionScore& option : record.options) {
          const auto& found = by == "letter" ? option.by_letter : option.by_text;
          EXPECT_NEAR(found->log_likelihood, options.at(option.letter).at("log_likelihood"), 1e-4);
          EXPECT_EQ(found->num_tokens, options.at(option.letter).at("num_tokens"));
        }
      }
      EXPECT_EQ(next, 3U);
    }
  }
}

TEST_F(EvaluateCommand, RescoringGivesTheIdenticalReportWithoutTheModel) {
  ASSERT_EQ(evaluate().exit_code, 0);
  const std::string report = file("report.json");
  std::filesystem::remove_all(model());
  std::filesystem::remove(output() + "/report.json");
  const auto result = run_prescript({"evaluate", "--rescore", output()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(file("report.json"), report);
}

TEST_F(EvaluateCommand, AnUnfinishedEvaluationIsNotRescoredAndSaysHowToGoOn) {
  ASSERT_EQ(evaluate().exit_code, 0);
  const std::string report = file("report.json");
  // quiz comes first, talk last: of 22 answers the last three are taken away, both of t2 and the
  // adapter's of t1.
  std::string records;
  for (const auto& line : json_lines(file("records.jsonl"))) {
    const bool is_of_talk = line.value("task", "") == "talk" && line.contains("id");
    if (is_of_talk && (line.at("id") == "t2" || line.at("system") == "kind")) continue;
    records += line.dump() + "\n";
  }
  directory_.write("out/records.jsonl", records);
  for (const char* name : {"report.json", "report.html"}) {
    std::filesystem::remove(output() + "/" + name);
  }
  const auto result = run_prescript({"evaluate", "--rescore", output()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("not finished: 3 of 5 questions (19 of 22 answers)"));
  EXPECT_THAT(result.err,
              HasSubstr("prescript evaluate " + output() + "/recipe.yaml --resume goes on"));
  for (const char* name : {"report.json", "report.html"}) {
    EXPECT_FALSE(std::filesystem::exists(output() + "/" + name)) << name;
  }
  const auto held = json::parse(run_prescript({"inspect", output(), "--json"}).out);
  EXPECT_EQ(held.at("num_answers"), 19);
  EXPECT_EQ(held.at("num_answers_needed"), 22);

  const auto resumed = run_prescript({"evaluate", output() + "/recipe.yaml", "--resume"});
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(json::parse(file("report.json")).at("conditions"),
            json::parse(report).at("conditions"));
  directory_.write("out/records.jsonl", "");
  EXPECT_THAT(run_prescript({"evaluate", "--rescore", output()}).err,
              HasSubstr("0 of 5 questions (0 of 22 answers)"));
}

TEST_F(EvaluateCommand, ATrainingRunAndAnEvaluationDoNotShareADirectory) {
  const std::string recipe =
      directory_.write("t.yaml",
                       "base_model: " + model() + "\ndtype: fp32\ntraining.steps: 1\ndata.train: " +
                           directory_.write("train.jsonl", R"({"question":"Q?","answer":"A."})") +
                           "\noutput: " + directory_ / "run" + "\n");
  ASSERT_EQ(evaluate().exit_code, 0);
  ASSERT_EQ(run_prescript({"train", recipe}).exit_code, 0);
  const std::string of_run = bytes_of_file(directory_ / "run/recipe.yaml");
  const std::string of_evaluation = file("recipe.yaml");
  for (const std::string flag : {"", "--resume", "--overwrite"}) {
    std::vector<std::string> train = {"train", recipe, "output=" + output()};
    std::vector<std::string> evaluate = {"evaluate", recipe_, "output=" + directory_ / "run"};
    if (!flag.empty()) train.push_back(flag);
    if (!flag.empty()) evaluate.push_back(flag);
    const auto trained = run_prescript(train);
    EXPECT_EQ(trained.exit_code, 2) << flag;
    EXPECT_THAT(trained.err, HasSubstr("holds an evaluation (evaluation.json)"));
    const auto evaluated = run_prescript(evaluate);
    EXPECT_EQ(evaluated.exit_code, 2) << flag;
    EXPECT_THAT(evaluated.err, HasSubstr("holds a training run (metrics.jsonl)"));
  }
  EXPECT_EQ(bytes_of_file(directory_ / "run/recipe.yaml"), of_run);
  EXPECT_EQ(file("recipe.yaml"), of_evaluation);
  // validate says the same beforehand.
  const auto train = run_prescript({"validate", recipe, "output=" + output()});
  EXPECT_EQ(train.exit_code, 2);
  EXPECT_THAT(train.err, HasSubstr("holds an evaluation (evaluation.json)"));
  const auto evaluation = run_prescript({"validate", recipe_, "output=" + directory_ / "run"});
  EXPECT_EQ(evaluation.exit_code, 2);
  EXPECT_THAT(evaluation.err, HasSubstr("holds a training run (metrics.jsonl)"));
  // A recipe that lies where its output goes is not written over.
  std::filesystem::create_directory(directory_ / "own");
  directory_.write("own/recipe.yaml", bytes_of_file(recipe_));
  const auto own = run_prescript(
      {"evaluate", directory_ / "own/recipe.yaml", "--overwrite", "output=" + directory_ / "own"});
  EXPECT_EQ(own.exit_code, 2);
  EXPECT_THAT(own.err, HasSubstr("holds what no evaluation wrote (recipe.yaml)"));
}

TEST_F(EvaluateCommand, FilesThatNoEvaluationWroteAreNotTouched) {
  std::filesystem::create_directory(output());
  const std::string own = directory_.write("out/questions.jsonl", kQuiz);
  for (const std::string flag : {"--resume", "--overwrite"}) {
    const auto result = evaluate({flag});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("holds what no evaluation wrote (questions.jsonl)"));
  }
  const auto input = evaluate({"tasks.quiz.questions=" + own});
  EXPECT_EQ(input.exit_code, 2);
  EXPECT_THAT(input.err,
              HasSubstr("tasks.quiz.questions: " + own + " lies in the output directory"));
  EXPECT_EQ(file("questions.jsonl"), kQuiz);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(output()), {}), 1);

  std::filesystem::remove(own);
  ASSERT_EQ(evaluate().exit_code, 0);
  directory_.write("out/answers/mine.jsonl", "mine");
  directory_.write("out/notes.txt", "notes");
  const auto result = evaluate({"--overwrite"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(file("answers/mine.jsonl"), "mine");
  EXPECT_EQ(file("notes.txt"), "notes");
  EXPECT_EQ(json_lines(file("answers/talk.zero_shot.jsonl")).size(), 4U);
}

TEST_F(EvaluateCommand, AnswersOfAnotherEvaluationAreNotRescored) {
  ASSERT_EQ(evaluate().exit_code, 0);
  const std::string records = file("records.jsonl");
  auto strange = json_lines(records).back();
  for (const auto& line : json_lines(records)) {
    if (line.contains("id")) strange = line;
  }
  directory_.write("out/records.jsonl", records + strange.dump() + "\n");
  const auto twice = run_prescript({"evaluate", "--rescore", output()});
  EXPECT_EQ(twice.exit_code, 3);
  EXPECT_THAT(twice.err, HasSubstr("has answered this question on a line above"));
  strange["id"] = "t9";
  directory_.write("out/records.jsonl", records + strange.dump() + "\n");
  const auto other = run_prescript({"evaluate", "--rescore", output()});
  EXPECT_EQ(other.exit_code, 3);
  EXPECT_THAT(other.err, HasSubstr("1 answer to questions or of systems"));
}

TEST_F(EvaluateCommand, QuestionsThatAreAskedTwiceAreWarnedOf) {
  std::string twice = kQuiz;
  twice +=
      "{\"id\":\"q4\",\"question\":\"Cough?\",\"options\":{\"A\":\"dry\",\"B\":"
      "\"wet\"},\"answer\":\"B\"}\n";
  const auto result =
      run_prescript({"validate",
                     recipe_,
                     "tasks.quiz.questions=" + directory_.write("twice.jsonl", twice),
                     "tasks.test.questions=" + directory_ / "quiz.jsonl",
                     "selective_prediction.threshold_from=quiz"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("tasks.quiz: 1 question of"));
  EXPECT_THAT(result.err, HasSubstr("under another id"));
  EXPECT_THAT(result.err, HasSubstr("tasks.test: 3 questions also asked by task quiz"));
}

TEST_F(EvaluateCommand, AStoppedRunGoesOnToTheSameReport) {
  ASSERT_EQ(evaluate().exit_code, 0);
  const std::string records = file("records.jsonl");
  const json report = json::parse(file("report.json"));
  EXPECT_EQ(evaluate().exit_code, 2);
  for (const size_t part : {records.size() / 3, records.size() * 3 / 4}) {
    std::filesystem::remove(output() + "/report.json");
    directory_.write("out/records.jsonl", records.substr(0, part));
    const auto result = evaluate({"--resume"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json again = json::parse(file("report.json"));
    ASSERT_EQ(again["conditions"].size(), report["conditions"].size());
    for (size_t i = 0; i < again["conditions"].size(); ++i) {
      for (const char* key : {"accuracy", "num_tokens"}) {
        EXPECT_EQ(again["conditions"][i].value(key, json()),
                  report["conditions"][i].value(key, json()));
      }
    }
  }
  const auto other = evaluate({"--resume", "seed=9"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("differs"));
}

TEST_F(EvaluateCommand, MessagesHoldNoTextOfQuestionsOrAnswers) {
  const auto result = evaluate();
  for (const char* text : {"Cough", "Fever", "What helps", "Think."}) {
    EXPECT_THAT(result.out + result.err, Not(HasSubstr(text)));
    EXPECT_THAT(file("report.json"), Not(HasSubstr(std::string("Question: ") + text)));
  }
}

TEST_F(EvaluateCommand, WhatDoesNotFitIsRefusedBeforeAnythingRuns) {
  const auto too_long = evaluate({"max_new_tokens.reasoning=1000"});
  EXPECT_EQ(too_long.exit_code, 3);
  EXPECT_THAT(too_long.err, HasSubstr("quiz.jsonl:1: question \"q1\""));
  EXPECT_FALSE(std::filesystem::exists(output()));
  const auto votes = evaluate({"tasks.talk.strategies=[self_consistency]"});
  EXPECT_EQ(votes.exit_code, 2);
  EXPECT_THAT(votes.err, HasSubstr("needs options to vote for"));
  EXPECT_EQ(run_prescript({"evaluate"}).exit_code, 2);
  EXPECT_EQ(run_prescript({"evaluate", "--rescore", directory_ / "nothing"}).exit_code, 2);
}

TEST_F(EvaluateCommand, ValidateAndInspectSayWhatARecipeAsksAndWhatAnEvaluationHolds) {
  // quiz: options, answers and samples of 3 questions; talk: answers to 2; each of two systems.
  const auto valid = run_prescript({"validate", recipe_});
  EXPECT_EQ(valid.exit_code, 0) << valid.err;
  EXPECT_EQ(valid.out, "ok: 5 questions in 2 tasks for 2 systems, 22 answers\n");
  const auto asked = json::parse(run_prescript({"inspect", recipe_, "base=false", "--json"}).out);
  EXPECT_EQ(asked.at("kind"), "evaluation recipe");
  EXPECT_EQ(asked.at("systems"), json({"kind"}));
  EXPECT_EQ(asked.at("num_answers"), 11);
  EXPECT_EQ(asked.at("tasks").at("quiz").at("most_new_tokens"), 3 * (3 + 3 * 6));
  EXPECT_EQ(asked.at("tasks").at("talk").at("form"), "long_form");
  EXPECT_FALSE(std::filesystem::exists(output()));

  ASSERT_EQ(evaluate().exit_code, 0);
  EXPECT_THAT(run_prescript({"validate", recipe_}).err,
              HasSubstr("holds an evaluation already; evaluate will need --resume"));
  const auto held = json::parse(run_prescript({"inspect", output(), "--json"}).out);
  EXPECT_EQ(held.at("kind"), "evaluation");
  EXPECT_EQ(held.at("num_answers"), 22);
  EXPECT_EQ(held.at("report"), output() + "/report.html");
  const auto damaged = run_prescript({"validate", recipe_, "tasks.quiz.limit=0"});
  EXPECT_EQ(damaged.exit_code, 2);
  EXPECT_THAT(damaged.err, HasSubstr("tasks.quiz.limit"));
}

TEST_F(EvaluateCommand, LongFormSetsAreImportedAndAnsweredWithReferencesOrWithout) {
  const auto import = [&](std::vector<std::string> arguments, const std::string& set) {
    arguments.insert(arguments.begin(), {"exemplars", "import"});
    arguments.insert(arguments.end(), {"--keep-unanswered", "--output", directory_ / set});
    const auto imported = run_prescript(arguments);
    EXPECT_EQ(imported.exit_code, 0) << imported.err;
  };
  import({"liveqa",
          directory_.write("live.xml",
                           "<NLM-QUESTIONS><NLM-QUESTION qid=\"1\"><MESSAGE>Why?</MESSAGE>"
                           "<ReferenceAnswers><RefAnswer><ANSWER>So.</ANSWER></RefAnswer>"
                           "</ReferenceAnswers></NLM-QUESTION></NLM-QUESTIONS>")},
         "live.jsonl");
  import({"csv",
          directory_.write("medication.csv",
                           "Question,Focus (Drug),Question Type,Answer,Section Title,URL\n"
                           "How much?,pills,Dose,Two.,,\nHow long?,pills,Usage,,,\n"),
          "--column",
          "question=Question",
          "--column",
          "answer=Answer"},
         "medication.jsonl");
  import({"csv",
          directory_.write("search.csv", "Question\nAre they serious?\n"),
          "--column",
          "question=Question"},
         "search.jsonl");
  std::string recipe = "base_model: " + model() +
                       "\nmax_new_tokens.long_form: 3\noutput: " + output() +
                       "\nbootstrap.replicas: 10\ntasks:\n";
  for (const std::string task : {"live", "medication", "search"}) {
    recipe += "  " + task + ": {questions: " + (directory_ / (task + ".jsonl")) + "}\n";
  }
  const auto result = run_prescript({"evaluate", directory_.write("long.yaml", recipe)});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(file("report.json"));
  const std::vector<std::pair<int, int>> expected = {{1, 1}, {2, 1}, {1, 0}};
  ASSERT_EQ(report.at("conditions").size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const json& condition = report["conditions"][i];
    EXPECT_EQ(condition.at("num_questions"), expected[i].first);
    EXPECT_EQ(condition.value("num_references", 0), expected[i].second);
  }
  const auto answers = json_lines(file("answers/search.zero_shot.jsonl"));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].at("question"), "Are they serious?");
}

TEST_F(EvaluateCommand, AThresholdIsStoredAndGenerateDefersByIt) {
  const auto before = read_adapter(directory_ / "kind");
  const std::vector<std::string> defer = {"--adapter", directory_ / "kind", "--defer", "--json"};
  EXPECT_EQ(run("generate", kQuiz, defer).exit_code, 2) << "no threshold yet";
  const auto unread = evaluate({"selective_prediction.threshold_from=quiz"});
  ASSERT_EQ(unread.exit_code, 0) << unread.err;
  EXPECT_THAT(unread.err, HasSubstr("no threshold is stored")) << "noise states no answer";
  EXPECT_FALSE(deferral_of(read_adapter(directory_ / "kind"), "kind"));

  std::string records;
  for (auto line : json_lines(file("records.jsonl"))) {
    if (line.value("computation", "") == "samples" && line.value("id", "") == "q2") {
      for (auto& sample : line["texts"]) sample["text"] = "Answer: (B)";
    }
    records += line.dump() + "\n";
  }
  directory_.write("out/records.jsonl", records);
  const auto result = evaluate({"--resume", "selective_prediction.threshold_from=quiz"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  Adapter after = read_adapter(directory_ / "kind");
  EXPECT_EQ(after.prompt.values_PD, before.prompt.values_PD);
  auto deferral = deferral_of(after, "kind");
  ASSERT_TRUE(deferral);
  EXPECT_EQ(deferral->num_samples, 3);
  EXPECT_EQ(deferral->num_questions, 3);
  EXPECT_EQ(deferral->vote_share, 1);
  EXPECT_EQ(deferral->accuracy, 1);
  EXPECT_DOUBLE_EQ(deferral->deferral_rate, 2.0 / 3) << "whom nobody voted for is deferred";
  EXPECT_EQ(deferral->hard_prompt.instruction, "Think.");
  // An adapter with its threshold is the same system: the evaluation goes on.
  EXPECT_EQ(evaluate({"--resume", "selective_prediction.threshold_from=quiz"}).exit_code, 0);

  for (const bool never : {false, true}) {
    deferral->vote_share = never ? 1 : 0;
    deferral->temperature = 50;  // no two samples agree
    set_deferral(after, *deferral);
    publish_adapter(after, directory_ / "kind");
    const auto generated = run("generate", kQuiz, defer);
    if (!never) {
      // Nothing is parsed from noise, and what no sample states is deferred whatever the threshold.
      EXPECT_EQ(generated.exit_code, 0) << generated.err;
      continue;
    }
    const auto lines = json_lines(generated.out);
    ASSERT_EQ(lines.size(), 3U);
    for (const auto& line : lines) {
      EXPECT_EQ(line.at("text"), "deferred to a clinician");
      EXPECT_EQ(line.at("stop"), "deferred");
      EXPECT_LT(line.at("vote_share"), 1);
    }
  }
  EXPECT_EQ(run("generate", kTalk, defer).exit_code, 3) << "no options";
  EXPECT_EQ(run("generate", kQuiz, {"--defer"}).exit_code, 2) << "the base";
}

}  // namespace
}  // namespace prescript
