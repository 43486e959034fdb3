// MedQuAD (Ben Abacha and Demner-Fushman 2019, "A Question-Entailment Approach to Question
// Answering"): a document about one subject a file, with pairs of question and answer.

#include <algorithm>
#include <filesystem>

#include "base/durable_file.h"
#include "exemplars/import_collector.h"
#include "io/xml.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

/// The files named, and those in directories named.
std::vector<std::string> xml_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> here;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && entry.path().extension() == ".xml")
        here.push_back(entry.path().string());
    }
    if (here.empty()) throw InputError(ExitCode::kData, path + ": no .xml files in it");
    std::sort(here.begin(), here.end());
    files.insert(files.end(), here.begin(), here.end());
  }
  return files;
}

[[noreturn]] void fail(const XmlElement& at, const std::string& message) {
  throw InputError(ExitCode::kData, at.place + ": " + at.name + ": " + message);
}

std::string attribute(const XmlElement& of, const std::string& name) {
  const auto found = of.attributes.find(name);
  if (found == of.attributes.end() || trimmed(found->second).empty())
    fail(of, "without the attribute " + name);
  return trimmed(found->second);
}

const XmlElement& child(const XmlElement& of, const char* name) {
  const XmlElement* const found = of.find(name);
  if (found == nullptr) fail(of, std::string("without ") + name);
  return *found;
}

void import_document(const XmlElement& document, ImportCollector& collector) {
  if (document.name != "Document") fail(document, "the root element of MedQuAD is Document");
  const std::string source = attribute(document, "source");
  for (const XmlElement& child_of : document.children) {
    if (child_of.name != "QAPairs") collector.note_unused(child_of.name);
  }
  for (const XmlElement& pair : child(document, "QAPairs").children) {
    collector.record([&] {
      if (pair.name != "QAPair") fail(pair, "expected QAPair");
      const XmlElement& question = child(pair, "Question");
      ImportedExemplar exemplar{.place = pair.place};
      exemplar.id = "medquad-" + source + "-" + attribute(question, "qid");
      exemplar.source = "MedQuAD/" + source;
      exemplar.topic = attribute(question, "qtype");
      exemplar.question = trimmed(question.text);
      exemplar.answer = trimmed(child(pair, "Answer").text);
      if (exemplar.question.empty()) fail(question, "empty");
      collector.add(std::move(exemplar));
    });
  }
}

}  // namespace

void import_medquad(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : xml_files(paths)) {
    collector.record([&] {
      const std::string text = read_file(path, XmlLimits().max_bytes, ExitCode::kData);
      import_document(parse_xml(text, path, ExitCode::kData), collector);
    });
  }
}

}  // namespace prescript
