#include "infer/generator_batch.h"

#include <algorithm>
#include <numeric>

#include "base/arena.h"
#include "io/quote.h"

namespace prescript {
namespace {

std::vector<Sequence> sequences_of(std::span<const GenerationRequest> requests) {
  std::vector<Sequence> sequences;
  for (const GenerationRequest& request : requests) {
    sequences.push_back({.rows = request.rows, .target_positions = {}, .wants_last_row = true});
  }
  return sequences;
}

std::vector<int32_t> subtree_ends(const Forest& forest) {
  std::vector<int32_t> ends(forest.nodes.size());
  for (size_t i = ends.size(); i-- > 0;) {
    ends[i] = std::max(ends[i], static_cast<int32_t>(i) + 1);
    const int32_t parent = forest.nodes[i].parent;
    if (parent != Node::kRoot) ends[parent] = std::max(ends[parent], ends[i]);
  }
  return ends;
}

}  // namespace

GenerationBatch::GenerationBatch(Decoder& decoder,
                                 const AdapterSet& adapters,
                                 std::span<const GenerationRequest> requests,
                                 const GenerationOptions& options)
    : decoder_(decoder),
      adapters_(adapters),
      requests_(requests),
      options_(options),
      forest_(build_forest(sequences_of(requests), adapters.roots(), {})),
      subtree_end_(subtree_ends(forest_)),
      active_(requests.size()),
      generations_(requests.size()) {
  std::iota(active_.begin(), active_.end(), 0);
  // Then the requests below any node are neighbours.
  std::stable_sort(active_.begin(), active_.end(), [&](int32_t a, int32_t b) {
    return forest_.last_node[a] < forest_.last_node[b];
  });
}

KeyValueRun* GenerationBatch::keep(int64_t num_rows) {
  owned_.push_back(std::make_unique<KeyValueRun>(
      decoder_.ops(), decoder_.config(), decoder_.dtype(), num_rows, /*with_gradient=*/false));
  return owned_.back().get();
}

std::vector<Generation> GenerationBatch::run(const std::function<void(int64_t)>& on_token) {
  prefill();
  for (int64_t token = 1; !active_.empty(); ++token) {
    on_token(token);
    decode_one_token();
  }
  return std::move(generations_);
}

void GenerationBatch::prefill() {
  const Schedule schedule = make_schedule(forest_, options_.max_pass_rows, /*keep_all=*/true);
  for (const KeptRun& run : schedule.kept_runs) {
    const bool given = run.given != Node::kComputed;
    kept_.push_back(given ? adapters_.root_key_values()[run.given] : keep(run.num_rows));
  }
  for (size_t r = 0; r < requests_.size(); ++r) {
    // The last token drawn is never fed.
    kept_.push_back(options_.max_new_tokens > 1 ? keep(options_.max_new_tokens - 1) : nullptr);
  }
  const auto of_nodes = std::span(kept_).first(forest_.nodes.size());
  for (const Pass& pass : schedule.passes) {
    rows_computed_ += std::ssize(pass.rows);
    PassRun run(decoder_.ops(), decoder_.config(), decoder_.dtype(), pass, of_nodes, {});
    decoder_.forward(run, adapters_.prompts_PD());
    std::vector<int32_t> output_rows;
    std::vector<int32_t> request_of;
    for (const WantedOutput& wanted : pass.wanted) {
      output_rows.push_back(wanted.output_row);
      request_of.push_back(wanted.sequence);
    }
    draw(run, output_rows, request_of);
  }
}

void GenerationBatch::decode_one_token() {
  const Pass pass = next_pass();
  rows_computed_ += std::ssize(pass.rows);
  PassRun run(decoder_.ops(), decoder_.config(), decoder_.dtype(), pass, kept_, {});
  decoder_.forward(run, adapters_.prompts_PD());
  const std::vector<int32_t> request_of = active_;
  draw(run, pass.output_rows, request_of);
}

/// One row for every active request: it sees the nodes on its prompt's way and its own run.
Pass GenerationBatch::next_pass() const {
  const auto num_nodes = static_cast<int32_t>(forest_.nodes.size());
  Pass pass;
  for (int32_t row = 0; row < static_cast<int32_t>(active_.size()); ++row) {
    const int32_t request = active_[row];
    const auto& ids = generations_[request].ids;
    const auto length = static_cast<int32_t>(ids.size()) - 1;  // rows in its run so far
    pass.rows.push_back(Row::token(ids.back()));
    pass.positions.push_back(static_cast<int32_t>(requests_[request].rows.size()) + length);
    pass.kept.push_back({row, 1, num_nodes + request, length});
    pass.output_rows.push_back(row);
  }
  for (int32_t node = 0; node < num_nodes; ++node) {
    const auto row_of = [&](int32_t end) {
      const auto found = std::partition_point(active_.begin(), active_.end(), [&](int32_t request) {
        return forest_.last_node[request] < end;
      });
      return static_cast<int32_t>(found - active_.begin());
    };
    const int32_t begin = row_of(node);
    const int32_t end = row_of(subtree_end_[node]);
    if (begin == end) continue;
    pass.parts.push_back({.query_begin = begin,
                          .num_queries = end - begin,
                          .source = 1 + node,
                          .key_begin = 0,
                          .num_keys = static_cast<int32_t>(forest_.nodes[node].rows.size()),
                          .causal_offset = Part::kNoMask,
                          .key_position = forest_.nodes[node].start});
  }
  for (const KeptRows& own : pass.kept) {
    pass.parts.push_back({.query_begin = own.row_begin,
                          .num_queries = 1,
                          .source = 1 + own.run,
                          .key_begin = 0,
                          .num_keys = own.kept_begin + 1,
                          .causal_offset = Part::kNoMask,
                          .key_position = pass.positions[own.row_begin] - own.kept_begin});
  }
  pass.output_parts = pass.parts;
  return pass;
}

/// Draws the next token of request_of[i] from output row output_rows[i], for all i.
void GenerationBatch::draw(const PassRun& run,
                           std::span<const int32_t> output_rows,
                           std::span<const int32_t> request_of) {
  constexpr size_t kChunkRows = 64;  // logits exist for these at a time
  const int64_t V = decoder_.config().vocabulary_size;
  const DType sums = decoder_.ops().accumulate_dtype();
  for (size_t begin = 0; begin < output_rows.size(); begin += kChunkRows) {
    const auto rows = output_rows.subspan(begin, std::min(kChunkRows, output_rows.size() - begin));
    const auto num_rows = static_cast<int64_t>(rows.size());
    Arena measuring;
    measuring.take(num_rows, V, sums);
    const Buffer block = decoder_.ops().allocate(measuring.used());
    Arena arena(block.get(), measuring.used());
    const Tensor logits_NV = arena.take(num_rows, V, sums);
    decoder_.logits(run, rows, logits_NV);
    std::vector<float> logits(logits_NV.num_elements());
    decoder_.ops().download(logits_NV, logits.data());
    for (int64_t i = 0; i < num_rows; ++i) {
      const int32_t request = request_of[begin + i];
      const std::string& id = requests_[request].id;
      const auto position = generations_[request].ids.size();
      try {
        append(request,
               sample(std::span(logits).subspan(i * V, V),
                      options_.sampling,
                      sampling_stream(options_.sampling.seed, id, position)));
      } catch (const InputError& error) {
        throw InputError(error.code(), quote(id) + ": " + error.what());
      }
    }
  }
}

void GenerationBatch::append(int32_t request, int32_t id) {
  Generation& generation = generations_[request];
  generation.ids.push_back(id);
  const auto& ends = options_.end_tokens;
  const bool ended = std::find(ends.begin(), ends.end(), id) != ends.end();
  if (ended) generation.stop = StopReason::kEndOfTurn;
  if (ended || static_cast<int64_t>(generation.ids.size()) >= options_.max_new_tokens) {
    std::erase(active_, request);
  }
}

}  // namespace prescript
