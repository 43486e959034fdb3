#pragma once
// Steps as training feeds them: shared instruction, shared questions, unequal answers, several soft
// prompts.

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "forest/sequence.h"
#include "support/matrix.h"

namespace prescript {

struct Batch {
  std::vector<Sequence> sequences;
  std::vector<Matrix> prompts;
};

enum class Position { kStart, kAfterBos, kBeforeQuestion };

inline std::ostream& operator<<(std::ostream& out, Position position) {
  const char* const names[] = {"Start", "AfterBos", "BeforeQuestion"};
  return out << names[static_cast<int>(position)];
}

struct BatchOptions {
  Position position = Position::kStart;
  std::vector<int64_t> prompt_sizes = {3, 5};
  int64_t hidden_size = 32;
  int32_t vocabulary_size = 61;
  uint64_t seed = 1;
};

inline std::vector<Row> random_tokens(RandomStream& stream, int64_t count, int32_t vocabulary) {
  std::vector<Row> rows;
  for (int64_t i = 0; i < count; ++i) {
    rows.push_back(Row::token(static_cast<int32_t>(stream.below(vocabulary))));
  }
  return rows;
}

/// Gives every sequence the weight that makes the loss the sum of the soft prompts' mean losses.
/// Sequences without a soft prompt count as one more.
inline void weigh_by_prompt(std::vector<Sequence>& sequences) {
  const auto prompt_of = [](const Sequence& sequence) {
    for (const Row& row : sequence.rows) {
      if (row.is_virtual()) return row.soft_prompt;
    }
    return Row::kToken;
  };
  for (Sequence& sequence : sequences) {
    size_t count = 0;
    for (const Sequence& other : sequences) {
      if (prompt_of(other) == prompt_of(sequence)) count += other.target_positions.size();
    }
    sequence.target_weight = 1.0F / static_cast<float>(count);
  }
}

/// Per soft prompt: an instruction of 12 tokens, 2 questions, 3 answers of 1 to 20 tokens each.
inline Batch three_level_batch(const BatchOptions& options = {}) {
  RandomStream stream(options.seed, "three levels");
  const auto tokens = [&](int64_t count) {
    return random_tokens(stream, count, options.vocabulary_size);
  };
  Batch batch;
  const std::vector<Row> bos = {Row::token(1)};
  const std::vector<Row> instruction = tokens(12);
  for (size_t p = 0; p < options.prompt_sizes.size(); ++p) {
    const int64_t P = options.prompt_sizes[p];
    batch.prompts.push_back(random_matrix(
        P, options.hidden_size, "soft prompt " + std::to_string(p), 0.4, 0, options.seed));
    std::vector<Row> soft_prompt;
    for (int32_t i = 0; i < P; ++i) {
      soft_prompt.push_back(Row::virtual_token(static_cast<int32_t>(p), i));
    }
    for (const int64_t question_size : {9, 14}) {
      const std::vector<Row> question = tokens(question_size);
      for (const int64_t answer_size : {1 + stream.below(4), 5 + stream.below(8), uint64_t{20}}) {
        std::vector<std::vector<Row>> pieces;
        switch (options.position) {
          case Position::kStart:
            pieces = {soft_prompt, instruction, question};
            break;
          case Position::kAfterBos:
            pieces = {bos, soft_prompt, instruction, question};
            break;
          case Position::kBeforeQuestion:
            pieces = {instruction, soft_prompt, question};
            break;
        }
        Sequence sequence;
        for (const auto& piece : pieces) {
          sequence.rows.insert(sequence.rows.end(), piece.begin(), piece.end());
        }
        for (const Row& row : tokens(answer_size)) {
          sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()));
          sequence.rows.push_back(row);
        }
        batch.sequences.push_back(sequence);
      }
    }
  }
  weigh_by_prompt(batch.sequences);
  return batch;
}

}  // namespace prescript
