// LiveQA (Ben Abacha et al. 2017, "Overview of the Medical Question Answering Task at TREC 2017
// LiveQA"): consumers' messages to the National Library of Medicine. In the test set a question has
// reference answers side by side, in the training sets parts, each with answers of its own. Some of
// the files write the names of their elements in capitals.

#include <algorithm>

#include "base/durable_file.h"
#include "exemplars/import_collector.h"
#include "io/xml.h"

namespace prescript {
namespace {

using Names = std::initializer_list<std::string_view>;

[[noreturn]] void fail(const XmlElement& at, const std::string& message) {
  throw InputError(ExitCode::kData, at.place + ": " + at.name + ": " + message);
}

std::string lower(std::string text) {
  for (char& byte : text) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
  }
  return text;
}

bool is_one_of(const XmlElement& element, Names names) {
  return std::ranges::find(names, lower(element.name)) != names.end();
}

/// The children of these names, which are given in small letters.
std::vector<const XmlElement*> children(const XmlElement& of, Names names) {
  std::vector<const XmlElement*> found;
  for (const XmlElement& child : of.children) {
    if (is_one_of(child, names)) found.push_back(&child);
  }
  return found;
}

/// Those of its children.
std::vector<const XmlElement*> grandchildren(const XmlElement& of, Names children_of, Names names) {
  std::vector<const XmlElement*> found;
  for (const XmlElement* child : children(of, children_of)) {
    const auto more = children(*child, names);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

/// Without the white space around it and that around its line breaks, which indents some files.
std::string text_of(const XmlElement& element) {
  std::string text;
  for (std::string_view rest = element.text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    text += trimmed(line) + "\n";
  }
  return trimmed(text);
}

/// The texts that are not empty, each once, joined.
std::string joined(const std::vector<std::string>& texts, const std::string& separator) {
  std::vector<std::string> used = {""};
  std::string all;
  for (const std::string& text : texts) {
    if (std::ranges::find(used, text) != used.end()) continue;
    all += (all.empty() ? "" : separator) + text;
    used.push_back(text);
  }
  return all;
}

std::string id_of(const XmlElement& question) {
  for (const char* name : {"qid", "questionid"}) {
    const auto id = question.attributes.find(name);
    if (id != question.attributes.end() && !trimmed(id->second).empty()) return trimmed(id->second);
  }
  fail(question, "without the attribute qid or questionid");
}

std::string question_of(const XmlElement& question) {
  const auto original = children(question, {"original-question"});
  std::vector<std::string> texts;
  for (const char* name : {"subject", "message"}) {
    for (const XmlElement* text : children(original.empty() ? question : *original[0], {name})) {
      texts.push_back(text_of(*text));
    }
  }
  std::string asked = joined(texts, "\n");
  if (asked.empty()) fail(question, "neither Subject nor Message has a text");
  return asked;
}

/// The types of a question, or of one of its parts.
void add_topics(const XmlElement& of, std::vector<std::string>& topics) {
  for (const XmlElement* type : grandchildren(of, {"annotations"}, {"q-type", "type"})) {
    topics.push_back(lower(text_of(*type)));
  }
}

/// The first of several answers that say the same in other words.
std::string first_of(const std::vector<const XmlElement*>& answers, ImportCollector& collector) {
  std::string first;
  for (const XmlElement* answer : answers) {
    const std::string text = text_of(*answer);
    if (!text.empty() && !first.empty()) collector.leave_out("of further answers to a question");
    if (first.empty()) first = text;
  }
  return first;
}

void note_unused(const XmlElement& of, Names known, ImportCollector& collector) {
  for (const XmlElement& child : of.children) {
    if (!is_one_of(child, known)) collector.note_unused(child.name);
  }
}

void import_question(const XmlElement& question, ImportCollector& collector) {
  if (!is_one_of(question, {"nlm-question"})) fail(question, "expected NLM-QUESTION");
  ImportedExemplar exemplar{.place = question.place};
  exemplar.id = "liveqa-" + id_of(question);
  exemplar.source = "LiveQA";
  exemplar.question = question_of(question);
  std::vector<std::string> topics;
  add_topics(question, topics);

  std::vector<const XmlElement*> references;
  for (const XmlElement* reference :
       grandchildren(question, {"referenceanswers"}, {"refanswer", "referenceanswer"})) {
    note_unused(*reference, {"answer"}, collector);
    const auto answers = children(*reference, {"answer"});
    references.insert(references.end(), answers.begin(), answers.end());
  }
  std::vector<std::string> answers = {first_of(references, collector)};
  for (const XmlElement* part : grandchildren(question, {"sub-questions"}, {"sub-question"})) {
    add_topics(*part, topics);
    answers.push_back(first_of(grandchildren(*part, {"answers"}, {"answer"}), collector));
  }
  exemplar.topic = joined(topics, ", ");
  exemplar.answer = joined(answers, "\n\n");
  note_unused(question,
              {"original-question",
               "subject",
               "message",
               "annotations",
               "referenceanswers",
               "sub-questions"},
              collector);
  collector.add(std::move(exemplar));
}

}  // namespace

void import_liveqa(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    collector.record([&] {
      const std::string text = read_file(path, XmlLimits().max_bytes, ExitCode::kData);
      for (const XmlElement& question : parse_xml(text, path, ExitCode::kData).children) {
        collector.record([&] { import_question(question, collector); });
      }
    });
  }
}

}  // namespace prescript
