// PubMedQA (Jin et al. 2019): one JSON object, by PubMed id, of research questions with the
// abstract less its conclusion, which is the rationale here, and the verdict.

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "exemplars/import_collector.h"
#include "io/quote.h"

namespace prescript {
namespace {

const std::vector<std::string> kDecisions = {"yes", "no", "maybe"};

/// The sections of the abstract, each behind its label.
std::string context_of(const JsonCursor& record) {
  const JsonCursor sections = record.at("CONTEXTS");
  const auto labels = record.find("LABELS");
  if (labels && labels->size() != sections.size()) {
    labels->fail(std::to_string(labels->size()) + " labels for " + std::to_string(sections.size()) +
                 " sections of CONTEXTS");
  }
  std::string context;
  for (size_t i = 0; i < sections.size(); ++i) {
    const std::string label = labels ? trimmed(labels->item(i).string()) : "";
    context += (context.empty() ? "" : "\n") + (label.empty() ? "" : label + ": ") +
               trimmed(sections.item(i).string());
  }
  return context;
}

void import_record(const JsonCursor& record,
                   const std::string& id,
                   const std::string& place,
                   ImportCollector& collector) {
  collector.note_unused(record,
                        {"QUESTION", "CONTEXTS", "LABELS", "LONG_ANSWER", "final_decision"});
  ImportedExemplar exemplar{.place = place};
  exemplar.id = "pubmedqa-" + id;
  exemplar.source = "PubMedQA";
  exemplar.question = required_text(record, "QUESTION");
  exemplar.context = context_of(record);
  exemplar.options = kDecisions;
  exemplar.rationale = text_of(record, "LONG_ANSWER");
  if (const std::string decision = text_of(record, "final_decision"); !decision.empty()) {
    const auto found = std::find(kDecisions.begin(), kDecisions.end(), decision);
    if (found == kDecisions.end()) record.at("final_decision").fail("not one of yes, no, maybe");
    exemplar.answer = std::string(1, static_cast<char>('A' + (found - kDecisions.begin())));
  }
  collector.add(std::move(exemplar));
}

}  // namespace

void import_pubmedqa(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    collector.record([&] {
      const auto json =
          parse_json_file(path, ExitCode::kData, {.max_bytes = kMaxImportBytes, .max_depth = 64});
      const JsonCursor root(json, path, ExitCode::kData);
      for (const std::string& id : root.keys()) {
        collector.record([&] { import_record(root.at(id), id, path + ": " + id, collector); });
      }
    });
  }
}

}  // namespace prescript
