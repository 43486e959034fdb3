#include "evaluate/record.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

Record options_record() {
  Record record = {.key = {"t", "zero_shot", Computation::kOptions, "base", "q \"1\""}};
  record.options = {{"A", LogLikelihood{-1.0 / 3, 3}, LogLikelihood{-1e-300, 7}},
                    {"B", LogLikelihood{-2.5, 3}, std::nullopt}};
  return record;
}

Record texts_record() {
  Record record = {.key = {"t", "chain_of_thought", Computation::kSamples, "demo", "q2"}};
  record.texts = {{"Because.\nAnswer: (B)", 9, false}, {"\xc3\xa4 B", 256, true}};
  record.answers = {"B", std::nullopt};
  return record;
}

TEST(Record, ReadsBackWhatWasWritten) {
  const WorkRecord work = {"t", "zero_shot", Computation::kOptions, 12, 345};
  const std::string bytes = line_of(options_record()) + line_of(work) + line_of(texts_record());
  const Records read = parse_records(bytes, "records.jsonl");
  EXPECT_EQ(read.whole_bytes, bytes.size());
  ASSERT_EQ(read.records.size(), 2U);
  EXPECT_EQ(read.records[0].key, options_record().key);
  ASSERT_EQ(read.records[0].options.size(), 2U);
  EXPECT_EQ(read.records[0].options[0].by_letter->log_likelihood, -1.0 / 3);
  EXPECT_EQ(read.records[0].options[0].by_text->log_likelihood, -1e-300);
  EXPECT_EQ(read.records[0].options[0].by_text->num_tokens, 7);
  EXPECT_FALSE(read.records[0].options[1].by_text);
  EXPECT_EQ(read.records[1].key, texts_record().key);
  EXPECT_EQ(read.records[1].texts[0].text, "Because.\nAnswer: (B)");
  EXPECT_TRUE(read.records[1].texts[1].cut_off);
  EXPECT_EQ(read.records[1].answers, texts_record().answers);
  ASSERT_EQ(read.work.size(), 1U);
  EXPECT_EQ(read.work[0].rows_unshared, 345);
}

TEST(Record, ALineThatACrashCutOffIsNotRead) {
  const std::string whole = line_of(options_record());
  const std::string torn = line_of(texts_record());
  for (size_t length = 0; length < torn.size(); ++length) {
    const Records read = parse_records(whole + torn.substr(0, length), "records.jsonl");
    EXPECT_EQ(read.records.size(), 1U);
    EXPECT_EQ(read.whole_bytes, whole.size());
  }
}

TEST(Record, DamagedLinesAreRefusedWithTheirPlace) {
  const std::string good = line_of(options_record());
  for (const char* bad :
       {"{}",
        "[]",
        "{\"task\":1}",
        "nonsense",
        R"({"task":"t","id":"q","system":"s","prompt":"p","computation":"other"})",
        R"({"task":"t","id":"q","system":"s","prompt":"p","computation":"answer","texts":[]})"}) {
    expect_input_error(
        ExitCode::kData, "r.jsonl:2", [&] { parse_records(good + bad + "\n", "r.jsonl"); });
  }
}

}  // namespace
}  // namespace prescript
