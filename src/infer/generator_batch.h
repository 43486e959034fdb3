#pragma once
// One batch of generations: the forest of its prompts with every K/V kept, and a growing run each.

#include <memory>
#include <optional>

#include "infer/generator.h"

namespace prescript {

/// Requests that are computed together, token by token.
class GenerationBatch {
 public:
  /// All arguments must outlive this.
  GenerationBatch(Decoder& decoder,
                  const AdapterSet& adapters,
                  std::span<const GenerationRequest> requests,
                  const GenerationOptions& options);

  /// Computes the prompts, then one token of every unfinished request at a time; after each,
  /// `on_token` gets how many a request may have by now.
  std::vector<Generation> run(const std::function<void(int64_t)>& on_token);

  /// Rows that went through the decoder.
  int64_t rows_computed() const { return rows_computed_; }

 private:
  void prefill();
  void decode_one_token();
  Pass next_pass() const;
  void draw(const PassRun& run,
            std::span<const int32_t> output_rows,
            std::span<const int32_t> request_of);
  void append(int32_t request, int32_t id);
  KeyValueRun* keep(int64_t num_rows);

  Decoder& decoder_;
  const AdapterSet& adapters_;
  std::span<const GenerationRequest> requests_;
  const GenerationOptions& options_;
  Forest forest_;
  std::vector<int32_t> subtree_end_;  // the subtree of node n is nodes [n, subtree_end_[n])
  std::vector<std::unique_ptr<KeyValueRun>> owned_;
  std::vector<KeyValueRun*> kept_;  // of each node, then of each request's answer
  std::vector<int32_t> active_;     // unfinished requests, by the node their prompt ends in
  std::vector<Generation> generations_;
  int64_t rows_computed_ = 0;
};

}  // namespace prescript
