#include "text/tokenizer.h"

#include <chrono>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "support/expect_error.h"
#include "text/tokenizer_description.h"
#include "text/tokenizer_golden.h"
#include "text/tokens.h"

namespace prescript {
namespace {

constexpr const char kSmolLm2[] = PRESCRIPT_SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";

Tokenizer tiny() {
  return Tokenizer::from_json_file(tokenizer_golden_path("tiny.json"));
}

/// The range of a token, widened to whole characters as `tokenizers` gives it.
std::vector<size_t> whole_characters(const Token& token, std::string_view text) {
  const auto inside = [&](size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  size_t begin = token.begin, end = token.end;
  while (inside(begin)) --begin;
  while (inside(end)) ++end;
  return {begin, end};
}

TEST(Tokenizer, GivesTheIdsAndRangesOfTokenizers) {
  const Tokenizer tokenizer = tiny();
  const auto lines = tokenizer_golden_lines("tiny.jsonl");
  EXPECT_EQ(lines.size(), 300u);
  for (const auto& line : lines) {
    const auto text = line["text"].get<std::string>();
    const auto tokens = tokenizer.encode(text, SpecialTokens::kText);
    ASSERT_EQ(ids_of(tokens), line["ids"].get<std::vector<int32_t>>()) << line["text"];
    expect_tiled(tokens, text);
    for (size_t i = 0; i < tokens.size(); ++i) {
      EXPECT_EQ(whole_characters(tokens[i], text), line["ranges"][i].get<std::vector<size_t>>())
          << line["text"] << " token " << i;
    }
  }
}

TEST(Tokenizer, ParsesSpecialTokensWhereAskedTo) {
  const Tokenizer tokenizer = tiny();
  size_t num_special = 0;
  for (const auto& line : tokenizer_golden_lines("tiny.jsonl")) {
    const auto text = line["text"].get<std::string>();
    const auto tokens = tokenizer.encode(text, SpecialTokens::kParse);
    num_special += line.contains("special_ids");
    const auto& expected = line.contains("special_ids") ? line["special_ids"] : line["ids"];
    EXPECT_EQ(ids_of(tokens), expected.get<std::vector<int32_t>>()) << line["text"];
    expect_tiled(tokens, text);
  }
  EXPECT_GE(num_special, 20u);
}

TEST(Tokenizer, DecodingGivesTheBytesBack) {
  const Tokenizer tokenizer = tiny();
  for (const auto& line : tokenizer_golden_lines("tiny.jsonl")) {
    const auto text = line["text"].get<std::string>();
    for (const SpecialTokens mode : {SpecialTokens::kParse, SpecialTokens::kText}) {
      EXPECT_EQ(tokenizer.decode(ids_of(tokenizer.encode(text, mode)), false), text);
    }
  }
}

TEST(Tokenizer, ATokensBytesAreThoseOfItsRange) {
  const Tokenizer tokenizer = tiny();
  for (const auto& line : tokenizer_golden_lines("tiny.jsonl")) {
    const auto text = line["text"].get<std::string>();
    for (const Token& token : tokenizer.encode(text, SpecialTokens::kText)) {
      ASSERT_EQ(tokenizer.token_bytes(token.id), text.substr(token.begin, token.end - token.begin));
    }
  }
}

TEST(Tokenizer, SpecialTokensCanBeLeftOutOfTheText) {
  const Tokenizer tokenizer = tiny();
  const auto ids = ids_of(tokenizer.encode("<|im_start|>the end<|im_end|>", SpecialTokens::kParse));
  EXPECT_EQ(tokenizer.decode(ids, true), "the end");
  EXPECT_EQ(tokenizer.decode(ids, false), "<|im_start|>the end<|im_end|>");
  EXPECT_TRUE(tokenizer.is_special(ids.front()));
  EXPECT_FALSE(tokenizer.is_special(ids[1]));
}

TEST(Tokenizer, PiecesHaveTheirIds) {
  const Tokenizer tokenizer = tiny();
  EXPECT_EQ(tokenizer.vocabulary_size(), 520u);
  for (int32_t id = 0; id < 520; ++id) EXPECT_EQ(tokenizer.id_of(tokenizer.piece(id)), id);
  EXPECT_EQ(tokenizer.id_of("no such piece"), std::nullopt);
  EXPECT_THROW(tokenizer.piece(520), ContractError);
  EXPECT_THROW(tokenizer.piece(-1), ContractError);
  const int32_t outside = 520;
  EXPECT_THROW(tokenizer.decode({&outside, 1}, true), ContractError);
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefusedWithItsPlace) {
  const Tokenizer tokenizer = tiny();
  expect_input_error(ExitCode::kData, "text: byte 3 is not valid UTF-8", [&] {
    tokenizer.encode("abc\xff", SpecialTokens::kText);
  });
}

TEST(Tokenizer, AMillionBytesWithoutABreakAreNotQuadratic) {
  const Tokenizer tokenizer = tiny();
  for (const std::string unit : {"a", " ", "1", "é", "<", "!", "\n", " a", "<|im_end|"}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    const auto begin = std::chrono::steady_clock::now();
    const auto tokens = tokenizer.encode(text, SpecialTokens::kParse);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(seconds.count(), 20.0) << unit;  // quadratic: hours. Sanitizers are slow.
    EXPECT_EQ(tokenizer.decode(ids_of(tokens), false), text) << unit;
  }
}

TEST(Tokenizer, ThreadsShareIt) {
  const Tokenizer tokenizer = tiny();
  const std::string text = "The patient's temperature is 38.5 °C.\n";
  const auto expected = tokenizer.encode(text, SpecialTokens::kText);
  std::vector<int> equal(4);
  std::vector<std::thread> threads;
  for (int& count : equal) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        count += tokenizer.encode(text, SpecialTokens::kText) == expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(equal, testing::Each(200));
}

/// Two letters and their pair.
TokenizerDescription small() {
  TokenizerDescription description;
  description.place = "file";
  description.pieces = {{"a", true}, {"b", true}, {"ab", true}, {"<s>", false}};
  description.merges = {{"a", "b"}};
  description.added_tokens = {{.id = 3, .special = true}};
  return description;
}

TEST(Tokenizer, AByteWithoutATokenBelongsToTheTokenBefore) {
  const Tokenizer tokenizer(small());
  EXPECT_THAT(tokenizer.encode("xaxbxa", SpecialTokens::kText),
              testing::ElementsAre(Token{2, 0, 5}, Token{0, 5, 6}));
  EXPECT_THAT(tokenizer.encode("xyz", SpecialTokens::kText), testing::IsEmpty());
  EXPECT_THAT(tokenizer.encode("ax<s>x", SpecialTokens::kParse),
              testing::ElementsAre(Token{0, 0, 2}, Token{3, 2, 6}));
}

TEST(Tokenizer, DamagedDescriptionsAreRefused) {
  const auto refused = [](const char* part, const auto& damage) {
    TokenizerDescription description = small();
    damage(description);
    expect_input_error(ExitCode::kModel, part, [&] { Tokenizer{description}; });
  };
  refused("a vocabulary of 0 tokens", [](auto& d) {
    d.pieces.clear();
    d.added_tokens.clear();
  });
  refused("tokens 0 and 1 are both \"a\"", [](auto& d) { d.pieces[1].text = "a"; });
  refused("token 1 is not valid UTF-8", [](auto& d) { d.pieces[1].text = "\xff"; });
  refused("merge 0 (\"a\" \"c\") needs \"c\"", [](auto& d) { d.merges[0] = {"a", "c"}; });
  refused("merge 1 (\"b\" \"a\") needs \"ba\"", [](auto& d) { d.merges.push_back({"b", "a"}); });
  refused("an added token has id 4", [](auto& d) { d.added_tokens[0].id = 4; });
  refused("the BOS token has id -1", [](auto& d) { d.bos_token = -1; });
  refused("the EOS token has id 4", [](auto& d) { d.eos_token = 4; });
  refused("the unknown token has id 4", [](auto& d) { d.unknown_token = 4; });
  refused("names none", [](auto& d) { d.adds_bos = true; });
  refused("the score of token 1 is not finite", [](auto& d) {
    d.model = TokenizerModel::kScoredBpe;
    d.pieces[1].score = std::numeric_limits<double>::quiet_NaN();
  });
  refused("has no \"<0x00>\"", [](auto& d) { d.byte_fallback = true; });
  refused("token 2 has 1025 bytes; at most 1024 are allowed where scores", [](auto& d) {
    d.model = TokenizerModel::kScoredBpe;
    d.pieces[2].text = std::string(1025, 'a');
  });
}

TEST(Tokenizer, TheIdentityHashChangesWithEverythingThatDeterminesIds) {
  const std::string hash = Tokenizer(small()).identity_hash();
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(Tokenizer(small()).identity_hash(), hash);
  const auto changed = [&](const char* what, const auto& change) {
    TokenizerDescription description = small();
    change(description);
    EXPECT_NE(Tokenizer(description).identity_hash(), hash) << what;
  };
  changed("piece", [](auto& d) { d.pieces[3].text = "<t>"; });
  changed("merge", [](auto& d) { d.merges.clear(); });
  changed("special", [](auto& d) { d.added_tokens[0].special = false; });
  changed("lstrip", [](auto& d) { d.added_tokens[0].lstrip = true; });
  changed("rstrip", [](auto& d) { d.added_tokens[0].rstrip = true; });
  changed("added", [](auto& d) { d.added_tokens.clear(); });
  changed("pre-tokeniser", [](auto& d) { d.pre_tokenizer.push_back({.pattern = "a"}); });
  changed("normaliser", [](auto& d) {
    d.normalizer.push_back({.kind = TextStep::Kind::kPrepend, .content = " "});
  });
  changed("model", [](auto& d) { d.model = TokenizerModel::kScoredBpe; });
  changed("unknown token", [](auto& d) { d.unknown_token = 3; });
  changed("ignore_merges", [](auto& d) { d.ignore_merges = true; });
  changed("adds BOS", [](auto& d) {
    d.bos_token = 3;
    d.adds_bos = true;
  });

  TokenizerDescription scored = small();
  scored.model = TokenizerModel::kScoredBpe;
  const std::string scored_hash = Tokenizer(scored).identity_hash();
  scored.pieces[2].score = -1;
  EXPECT_NE(Tokenizer(scored).identity_hash(), scored_hash);

  TokenizerDescription padded = small();
  padded.pieces.push_back({"[PAD4]", false});
  EXPECT_EQ(Tokenizer(padded).identity_hash(), hash) << "no text becomes a padding token";
  padded.eos_token = 3;
  EXPECT_EQ(Tokenizer(padded).identity_hash(), hash) << "EOS is never added";
}

TEST(Tokenizer, GivesTheIdsOfSmolLm2) {
  if (!std::filesystem::exists(kSmolLm2)) GTEST_SKIP() << kSmolLm2 << " is absent";
  const Tokenizer tokenizer = Tokenizer::from_gguf(*GgufFile::open(kSmolLm2));
  const auto lines = tokenizer_golden_lines("smollm2.jsonl");
  EXPECT_EQ(lines.size(), 1700u);
  size_t num_exact = 0;
  for (const auto& line : lines) {
    const auto text = line[0].get<std::string>();
    const auto tokens = tokenizer.encode(text, SpecialTokens::kText);
    EXPECT_EQ(ids_of(tokens), line[1].get<std::vector<int32_t>>()) << line[0];
    expect_tiled(tokens, text);
    const auto parsed = ids_of(tokenizer.encode(text, SpecialTokens::kParse));
    EXPECT_EQ(parsed, line.back().get<std::vector<int32_t>>()) << line[0];
    num_exact += tokenizer.decode(parsed, false) == text;
  }
  // 21 bytes have no token in SmolLM2's vocabulary, U+0004 among them.
  EXPECT_GE(num_exact, 1400u);
}

TEST(Tokenizer, OnlyBytesWithoutATokenAreLostInSmolLm2) {
  if (!std::filesystem::exists(kSmolLm2)) GTEST_SKIP() << kSmolLm2 << " is absent";
  const Tokenizer tokenizer = Tokenizer::from_gguf(*GgufFile::open(kSmolLm2));
  const std::string_view lost("\x04\x06\x13\x14\x16\x1d\xf1\xf2",
                              8);  // and no UTF-8: C0, C1, F5-FF
  for (const auto& line : tokenizer_golden_lines("smollm2.jsonl")) {
    auto text = line[0].get<std::string>();
    const auto ids = ids_of(tokenizer.encode(text, SpecialTokens::kText));
    std::erase_if(text, [&](char byte) { return lost.find(byte) != std::string_view::npos; });
    EXPECT_EQ(tokenizer.decode(ids, false), text);
  }
}

}  // namespace
}  // namespace prescript
