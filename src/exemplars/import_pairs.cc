// Question and answer in JSON: K-QA (Manes et al. 2024), the instruction files that PEFT's and
// Alpaca's scripts read, and conversations.

#include "exemplars/import_collector.h"

namespace prescript {

void import_kqa(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    for_each_json_record(path, collector, [&](const JsonCursor& record, const std::string& number) {
      collector.note_unused(record, {"Question", "Free_form_answer", "Must_have"});
      ImportedExemplar exemplar{.place = path + ":" + number};
      exemplar.id = "kqa-" + stem_of(path) + "-" + number;
      exemplar.source = "K-QA";
      exemplar.question = required_text(record, "Question");
      exemplar.answer = text_of(record, "Free_form_answer");
      if (const auto must_have = record.find("Must_have")) {
        for (size_t i = 0; i < must_have->size(); ++i) {
          exemplar.must_have.push_back(trimmed(must_have->item(i).string()));
          if (exemplar.must_have.back().empty()) must_have->item(i).fail("empty");
        }
      }
      collector.add(std::move(exemplar));
    });
  }
}

void import_alpaca(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    for_each_json_record(path, collector, [&](const JsonCursor& record, const std::string& number) {
      collector.note_unused(record, {"instruction", "input", "output"});
      ImportedExemplar exemplar{.place = path + ":" + number};
      exemplar.id = stem_of(path) + "-" + number;
      exemplar.question = required_text(record, "instruction");
      if (const std::string input = text_of(record, "input"); !input.empty())
        exemplar.question += "\n\n" + input;
      exemplar.answer = text_of(record, "output");
      collector.add(std::move(exemplar));
    });
  }
}

void import_messages(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    for_each_json_record(path, collector, [&](const JsonCursor& record, const std::string& number) {
      collector.note_unused(record, {"id", "source", "topic", "messages"});
      ImportedExemplar exemplar{.place = path + ":" + number};
      const std::string id = text_of(record, "id");
      exemplar.id = id.empty() ? stem_of(path) + "-" + number : id;
      exemplar.source = text_of(record, "source");
      exemplar.topic = text_of(record, "topic");
      const JsonCursor messages = record.at("messages");
      for (size_t i = 0; i < messages.size(); ++i) {
        const JsonCursor message = messages.item(i);
        for (const std::string& key : message.keys()) {
          if (key != "role" && key != "content") collector.note_unused("messages." + key);
        }
        exemplar.messages.emplace_back(required_text(message, "role"),
                                       required_text(message, "content"));
      }
      collector.add(std::move(exemplar));
    });
  }
}

}  // namespace prescript
