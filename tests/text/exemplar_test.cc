#include "text/exemplar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Exemplar parse(const std::string& json) {
  return parse_exemplar(json, "a.jsonl:3", /*need_answer=*/false);
}

std::vector<Exemplar> read(const std::string& bytes, const ExemplarLimits& limits = {}) {
  const TemporaryDirectory folder;
  return read_exemplars(folder.write("a.jsonl", bytes), /*need_answer=*/true, limits);
}

TEST(Exemplar, HasEveryFieldOfItsLine) {
  const Exemplar exemplar = parse(
      R"({"id": "q-1", "context": "A study.", "question": "Which?", "options": {"B": "two", "A": "one"},)"
      R"( "answer": "B", "rationale": "Since two.", "source": "s", "topic": "t", "adapter": "x"})");
  EXPECT_EQ(exemplar.id, "q-1");
  EXPECT_EQ(exemplar.place, "a.jsonl:3");
  EXPECT_EQ(exemplar.context, "A study.");
  EXPECT_EQ(exemplar.question, "Which?");
  EXPECT_THAT(exemplar.options, ElementsAre(AnswerOption{"A", "one"}, AnswerOption{"B", "two"}));
  EXPECT_EQ(exemplar.answer, "B");
  EXPECT_EQ(exemplar.rationale, "Since two.");
  EXPECT_EQ(exemplar.adapter.value(), "x");
  EXPECT_TRUE(exemplar.unused_fields.empty());
}

TEST(Exemplar, NullIsAbsent) {
  const Exemplar exemplar =
      parse(R"({"id": null, "question": "Q?", "context": null, "options": null, "answer": null,)"
            R"( "rationale": null, "messages": null, "note": null})");
  EXPECT_EQ(exemplar.id, "a.jsonl:3");
  EXPECT_FALSE(exemplar.context || exemplar.answer || exemplar.rationale);
  EXPECT_TRUE(exemplar.options.empty());
  EXPECT_TRUE(exemplar.unused_fields.empty());
  const Exemplar choice =
      parse(R"({"question": "Q?", "options": {"A": "a", "B": null, "C": "c"}})");
  EXPECT_THAT(choice.options, ElementsAre(AnswerOption{"A", "a"}, AnswerOption{"C", "c"}));
}

TEST(Exemplar, NamesItsAdapterTheBaseOrNone) {
  EXPECT_FALSE(parse(R"({"question": "Q?"})").adapter);
  const Exemplar base = parse(R"({"question": "Q?", "adapter": null})");
  ASSERT_TRUE(base.adapter);
  EXPECT_EQ(*base.adapter, std::nullopt);
}

TEST(Exemplar, KeepsTextAsItIsWritten) {
  const Exemplar exemplar =
      parse(R"({"question": "  \u00e9\r\n\t", "answer": "\ud83d\ude00 a\u0000b "})");
  EXPECT_EQ(exemplar.question, "  é\r\n\t");
  EXPECT_EQ(exemplar.answer, std::string("😀 a\0b ", 9));
}

TEST(Exemplar, UnusedFieldsAreListed) {
  EXPECT_THAT(parse(R"({"z": 1, "question": "Q?", "split": "train", "a": {}})").unused_fields,
              ElementsAre("a", "split", "z"));
  EXPECT_THAT(parse(R"({"messages": [{"role": "user", "content": "Q?", "name": "n", "id": null},)"
                    R"({"role": "assistant", "content": "A.", "name": "m"}], "tools": []})")
                  .unused_fields,
              ElementsAre("messages.name", "tools"));
}

TEST(Exemplar, AReviewSaysWhetherItMayBeTrainedOn) {
  const Exemplar plain = parse(R"({"question": "Q?"})");
  EXPECT_EQ(plain.review, std::nullopt);
  EXPECT_TRUE(is_accepted(plain));
  const Exemplar accepted =
      parse(R"({"question": "Q?", "review": {"status": "accepted", "version": 3, "author": "A1",)"
            R"( "reviewer": "B2", "reviewed_at": "2026-11-27T17:40:00Z"}})");
  EXPECT_EQ(accepted.review, (ExemplarReview{ReviewStatus::kAccepted, 3, "A1", "B2"}));
  EXPECT_TRUE(is_accepted(accepted));
  EXPECT_TRUE(accepted.unused_fields.empty());
  for (const char* status : {"written", "rejected"}) {
    const Exemplar other =
        parse(std::string(R"({"question": "Q?", "review": {"status": ")") + status + R"("}})");
    EXPECT_FALSE(is_accepted(other)) << status;
    EXPECT_EQ(name_of(other.review->status), status);
  }
  for (const char* bad : {R"({"status": "good"})",
                          R"({})",
                          R"("accepted")",
                          R"({"status": 1})",
                          R"({"status": "accepted", "version": 0})"}) {
    EXPECT_THROW(parse(std::string(R"({"question": "Q?", "review": )") + bad + "}"), InputError)
        << bad;
  }
}

TEST(Exemplar, MessagesAreAQuestionItsAnswerAndTheTurnsAround) {
  const Exemplar exemplar =
      parse(R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},)"
            R"({"role": "assistant", "content": "B1"}, {"role": "user", "content": "B2"},)"
            R"({"role": "assistant", "content": "A"}]})");
  EXPECT_THAT(exemplar.before, ElementsAre(ChatMessage{"system", "S"}));
  EXPECT_EQ(exemplar.question, "Q");
  EXPECT_THAT(exemplar.between,
              ElementsAre(ChatMessage{"assistant", "B1"}, ChatMessage{"user", "B2"}));
  EXPECT_EQ(exemplar.answer, "A");
}

TEST(Exemplar, MessagesWithoutALastAnswerHaveNone) {
  const std::string one = R"({"messages": [{"role": "user", "content": "Q"}]})";
  EXPECT_EQ(parse(one).answer, std::nullopt);
  EXPECT_EQ(parse(one).question, "Q");
  const Exemplar open = parse(
      R"({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B1"},)"
      R"({"role": "user", "content": "B2"}]})");
  EXPECT_EQ(open.answer, std::nullopt);
  EXPECT_THAT(open.between, ElementsAre(ChatMessage{"assistant", "B1"}, ChatMessage{"user", "B2"}));
  expect_input_error(ExitCode::kData, "a.jsonl:3: messages: the last one is not", [&] {
    parse_exemplar(one, "a.jsonl:3", /*need_answer=*/true);
  });
}

struct Wrong {
  std::string json;
  std::string message;
};

const Wrong kWrong[] = {
    {R"([])", "a.jsonl:3: expected an object, found an array"},
    {R"("SECRET")", "a.jsonl:3: expected an object, found a string"},
    {R"({"question": "SECRET)", "a.jsonl:3:20: "},
    {R"({"question": "SECRET", "question": "SECRET"})", "comes twice"},
    {R"({"question": "SECRET", "answer": "SECRET"} x)", "a.jsonl:3:44: "},
    {"{\"question\": \"SECRET \xff\", \"answer\": \"SECRET\"}", "a.jsonl:3:22: "},
    {R"({"answer": "SECRET"})", "a.jsonl:3: question: missing"},
    {R"({"question": null, "answer": "SECRET"})", "a.jsonl:3: question: missing"},
    {R"({"question": ["SECRET"], "answer": "SECRET"})",
     "question: expected a string, found an array"},
    {R"({"question": " \n\u00a0", "answer": "SECRET"})", "a.jsonl:3: question: empty"},
    {R"({"question": "SECRET"})", "a.jsonl:3: answer: missing"},
    {R"({"question": "SECRET", "answer": null})", "a.jsonl:3: answer: missing"},
    {R"({"question": "SECRET", "answer": ""})", "a.jsonl:3: answer: empty"},
    {R"({"question": "SECRET", "answer": 5})",
     "a.jsonl:3: answer: expected a string, found a number"},
    {R"({"question": "SECRET", "answer": "SECRET", "context": ""})", "a.jsonl:3: context: empty"},
    {R"({"question": "SECRET", "answer": "SECRET", "rationale": 1})",
     "a.jsonl:3: rationale: expected"},
    {R"({"question": "SECRET", "answer": "SECRET", "id": 5})", "a.jsonl:3: id: expected a string"},
    {R"({"question": "SECRET", "answer": "SECRET", "id": ""})", "a.jsonl:3: id: empty"},
    {R"({"question": "SECRET", "answer": "SECRET", "adapter": 0})", "a.jsonl:3: adapter: expected"},
    {R"({"question": "SECRET", "answer": "SECRET", "options": ["SECRET"]})",
     "a.jsonl:3: options: expected an object"},
    {R"({"question": "SECRET", "answer": "A", "options": {}})", "a.jsonl:3: options: 0 options"},
    {R"({"question": "SECRET", "answer": "A", "options": {"A": "SECRET"}})", "options: 1 option;"},
    {R"({"question": "SECRET", "answer": "A", "options": {"A": "SECRET", "SECRET": "b"}})",
     "a.jsonl:3: options: the name of an option"},
    {R"({"question": "SECRET", "answer": "A", "options": {"A": "SECRET", "b": "b"}})",
     "capital letter"},
    {R"({"question": "SECRET", "answer": "A", "options": {"A": "SECRET", "B": ""}})",
     "a.jsonl:3: options.B: empty"},
    {R"({"question": "SECRET", "answer": "SECRET", "options": {"A": "x", "C": "y"}})",
     "a.jsonl:3: answer: not the letter of an option; the options are A, C"},
    {R"({"messages": {"SECRET": 1}})", "a.jsonl:3: messages: expected an array"},
    {R"({"messages": []})", "a.jsonl:3: messages: no user message"},
    {R"({"messages": ["SECRET"]})", "a.jsonl:3: messages[0]: expected an object"},
    {R"({"messages": [{"role": "user"}]})", "a.jsonl:3: messages[0].content: missing"},
    {R"({"messages": [{"content": "SECRET"}]})", "a.jsonl:3: messages[0].role: missing"},
    {R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "SECRET"}]}]})",
     "a.jsonl:3: messages[0].content: expected a string, found an array"},
    {R"({"messages": [{"role": "user", "content": "SECRET"}, {"role": "tool", "content": "SECRET"}]})",
     "a.jsonl:3: messages[1].role: not one of system, user, assistant"},
    {R"({"messages": [{"role": "system", "content": "SECRET"}]})", "messages: no user message"},
    {R"({"messages": [{"role": "assistant", "content": "SECRET"}, {"role": "user", "content": "Q"}]})",
     "a.jsonl:3: messages[0]: the assistant speaks first"},
    {R"({"question": "SECRET", "messages": [{"role": "user", "content": "SECRET"}]})",
     "a.jsonl:3: question: stands beside messages"},
    {R"({"rationale": "SECRET", "messages": [{"role": "user", "content": "SECRET"}]})",
     "a.jsonl:3: rationale: stands beside messages"},
};

TEST(Exemplar, WhatIsNoneIsRefusedWithItsPlaceAndWithoutItsText) {
  for (const Wrong& wrong : kWrong) {
    SCOPED_TRACE(wrong.json);
    try {
      parse_exemplar(wrong.json, "a.jsonl:3", /*need_answer=*/true);
      ADD_FAILURE() << "no error";
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      EXPECT_THAT(error.what(), HasSubstr(wrong.message));
      EXPECT_THAT(error.what(), HasSubstr("a.jsonl:3"));
      EXPECT_THAT(error.what(), Not(HasSubstr("SECRET")));
    }
  }
}

TEST(Exemplar, FilesMayHaveAMarkCarriageReturnsAndBlankLines) {
  const auto exemplars = read(
      "\xef\xbb\xbf{\"question\": \"Q1\", \"answer\": \"A1\"}\r\n\r\n \t\n"
      "{\"question\": \"Q2\", \"answer\": \"A2\"}");
  ASSERT_EQ(exemplars.size(), 2u);
  EXPECT_EQ(exemplars[0].question, "Q1");
  EXPECT_THAT(exemplars[0].id, HasSubstr("a.jsonl:1"));
  EXPECT_THAT(exemplars[1].id, HasSubstr("a.jsonl:4"));
  EXPECT_EQ(exemplars[1].id, exemplars[1].place);
}

TEST(Exemplar, AFileWithoutExemplarsIsRefused) {
  for (const char* bytes : {"", "\n\n", "\xef\xbb\xbf", " \r\n"}) {
    expect_input_error(ExitCode::kData, "a.jsonl: no exemplars", [&] { read(bytes); });
  }
  expect_input_error(
      ExitCode::kData, "absent.jsonl", [] { read_exemplars("/nonexistent/absent.jsonl", false); });
}

TEST(Exemplar, IdsAreUnique) {
  const std::string line = "{\"id\": \"x\", \"question\": \"Q\", \"answer\": \"A\"}\n";
  expect_input_error(
      ExitCode::kData, "a.jsonl:3: id: \"x\" is the id of ", [&] { read(line + "\n" + line); });
}

TEST(Exemplar, Utf16IsNamed) {
  for (const std::string mark : {"\xff\xfe", "\xfe\xff"}) {
    expect_input_error(ExitCode::kData, "a.jsonl: the text is UTF-16; save it as UTF-8", [&] {
      read(mark + std::string("{\0", 2));
    });
  }
}

TEST(Exemplar, LongLinesAndFilesAreRefused) {
  const std::string line = R"({"question": "Q", "answer": "A"})";
  EXPECT_EQ(read(line, {.max_line_bytes = line.size()}).size(), 1u);
  expect_input_error(ExitCode::kData, "a.jsonl:1: a line of", [&] {
    read(line, {.max_line_bytes = line.size() - 1});
  });
  expect_input_error(
      ExitCode::kData, "a.jsonl", [&] { read(line, {.max_file_bytes = line.size() - 1}); });
}

const char* const kRight[] = {
    R"({"id":"1","question":"Q \"é\" \u0000😀","answer":"A\n"})",
    R"({"id":"2","question":"Q","context":"C","options":{"A":"a","B":"b"},"answer":"B","rationale":"R"})",
    R"({"id":"3","question":"Q","adapter":null})",
    R"({"id":"4","question":"Q","adapter":"cardiology"})",
    R"({"id":"5","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}]})",
    R"({"id":"6","messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]})",
    R"({"id":"7","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"B"},
       {"role":"user","content":"C"},{"role":"assistant","content":"A"}]})",
};

TEST(Exemplar, IsReadBackAsItWas) {
  for (const std::string json : kRight) {
    const Exemplar exemplar = parse(json);
    const Exemplar again = parse(exemplar_json(exemplar));
    EXPECT_EQ(again.id, exemplar.id) << json;
    EXPECT_EQ(again.question, exemplar.question) << json;
    EXPECT_EQ(again.context, exemplar.context) << json;
    EXPECT_EQ(again.options, exemplar.options) << json;
    EXPECT_EQ(again.answer, exemplar.answer) << json;
    EXPECT_EQ(again.rationale, exemplar.rationale) << json;
    EXPECT_EQ(again.before, exemplar.before) << json;
    EXPECT_EQ(again.between, exemplar.between) << json;
    EXPECT_EQ(again.adapter, exemplar.adapter) << json;
    EXPECT_EQ(exemplar_json(again), exemplar_json(exemplar)) << json;
  }
}

TEST(Exemplar, AnyBytesAreReadOrRefused) {
  std::string file;
  for (const char* json : kRight) file += exemplar_json(parse(json)) + "\n";
  const TemporaryDirectory folder;
  int num_read = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::string path = folder.write("a.jsonl", damaged(file, i, file.size()));
    try {
      for (const Exemplar& exemplar : read_exemplars(path, false)) {
        ASSERT_FALSE(exemplar.question.empty() || exemplar.id.empty());
        parse(exemplar_json(exemplar));
        ++num_read;
      }
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kData) << error.what();
    }
  }
  EXPECT_GT(num_read, 100);  // damage to a text leaves an exemplar
}

}  // namespace
}  // namespace prescript
