// MedQA (Jin et al. 2021) and MedMCQA (Pal et al. 2022): multiple-choice questions of examinations,
// a JSON object each.

#include <algorithm>

#include "exemplars/import_collector.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// The letter of `answer_idx`, or of the one option that `answer` names; both must agree.
std::string medqa_answer(const JsonCursor& record, const std::vector<std::string>& options) {
  const std::string text = text_of(record, "answer");
  std::string letter = text_of(record, "answer_idx");
  if (letter.empty()) {
    const auto found = std::find(options.begin(), options.end(), text);
    if (text.empty()) return "";
    if (found == options.end() || std::find(found + 1, options.end(), text) != options.end())
      record.at("answer").fail("not the text of one option, and answer_idx does not say which");
    return std::string(1, static_cast<char>('A' + (found - options.begin())));
  }
  const auto index = static_cast<size_t>(letter[0] - 'A');
  if (letter.size() != 1 || index >= options.size())
    record.at("answer_idx").fail("not the letter of an option");
  if (!text.empty() && text != options[index])
    record.at("answer").fail("not the text of option " + letter + ", which answer_idx names");
  return letter;
}

}  // namespace

void import_medqa(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    for_each_json_record(path, collector, [&](const JsonCursor& record, const std::string& number) {
      collector.note_unused(record, {"question", "answer", "options", "answer_idx", "meta_info"});
      ImportedExemplar exemplar{.place = path + ":" + number};
      exemplar.id = "medqa-" + stem_of(path) + "-" + number;
      exemplar.source = "MedQA";
      exemplar.topic = text_of(record, "meta_info");
      exemplar.question = required_text(record, "question");
      const JsonCursor options = record.at("options");
      for (const std::string& letter : options.keys()) {
        if (letter != std::string(1, static_cast<char>('A' + exemplar.options.size())))
          options.fail("the options are not named A, B, C, ... without a gap");
        exemplar.options.push_back(required_text(options, letter));
      }
      exemplar.answer = medqa_answer(record, exemplar.options);
      collector.add(std::move(exemplar));
    });
  }
}

void import_medmcqa(const std::vector<std::string>& paths, ImportCollector& collector) {
  // The authors' files count `cop` from 1, Hugging Face's copy from 0 with -1 for none: which one
  // this is shows in the numbers that occur.
  struct Question {
    ImportedExemplar exemplar;
    int64_t cop;
  };
  std::vector<Question> questions;
  bool has_zero = false;
  bool has_four = false;
  for (const std::string& path : paths) {
    for_each_json_record(path, collector, [&](const JsonCursor& record, const std::string& number) {
      collector.note_unused(record,
                            {"id",
                             "question",
                             "opa",
                             "opb",
                             "opc",
                             "opd",
                             "cop",
                             "exp",
                             "subject_name",
                             "topic_name"});
      ImportedExemplar exemplar{.place = path + ":" + number};
      const std::string id = text_of(record, "id");
      exemplar.id = "medmcqa-" + (id.empty() ? stem_of(path) + "-" + number : id);
      exemplar.source = "MedMCQA";
      exemplar.topic = text_of(record, "subject_name");
      if (const std::string topic = text_of(record, "topic_name"); !topic.empty())
        exemplar.topic += (exemplar.topic.empty() ? "" : " / ") + topic;
      exemplar.question = required_text(record, "question");
      for (const char* key : {"opa", "opb", "opc", "opd"})
        exemplar.options.push_back(required_text(record, key));
      exemplar.rationale = text_of(record, "exp");
      const auto cop = record.find("cop");
      const int64_t value = cop ? cop->integer(-1, 4) : -1;
      has_zero = has_zero || value == 0;
      has_four = has_four || value == 4;
      questions.push_back({std::move(exemplar), value});
    });
  }
  const auto stated = collector.options().first_option;
  int64_t first = has_zero ? 0 : 1;
  if (has_zero && has_four) {
    throw InputError(ExitCode::kData,
                     paths.front() +
                         ": cop: 0 and 4 both occur; import files that count from 0 "
                         "and from 1 apart");
  }
  if (stated && ((*stated == 1 && has_zero) || (*stated == 0 && has_four))) {
    throw InputError(ExitCode::kData,
                     paths.front() + ": cop: " + (has_zero ? "0" : "4") +
                         " occurs, which --first-option rules out");
  }
  const auto has_answer = [](const Question& question) { return question.cop >= 0; };
  if (!has_zero && !has_four && std::any_of(questions.begin(), questions.end(), has_answer)) {
    if (!stated) {
      throw InputError(ExitCode::kUsage,
                       paths.front() +
                           ": cop: neither 0 nor 4 occurs, so it may count from either; say "
                           "--first-option 0 (as on Hugging Face) or 1 (as the authors do)");
    }
    first = *stated;
  }
  for (Question& question : questions) {
    if (question.cop >= 0) {
      question.exemplar.answer = std::string(1, static_cast<char>('A' + question.cop - first));
    }
    collector.record([&] { collector.add(std::move(question.exemplar)); });
  }
}

}  // namespace prescript
