#pragma once
// Generation under adapters: requests are leaves of a forest, each growing row by row.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "infer/adapter_set.h"
#include "infer/sampler.h"

namespace prescript {

struct GenerationRequest {
  std::string id;         // for messages, and the key of its random streams
  std::vector<Row> rows;  // the prompt; soft prompt i is adapter i
};

enum class StopReason { kEndOfTurn, kLength };

struct Generation {
  std::vector<int32_t> ids;  // as drawn, the end token included
  StopReason stop = StopReason::kLength;
};

struct GenerationOptions {
  int64_t max_new_tokens = 256;
  SamplingOptions sampling = {};
  std::vector<int32_t> end_tokens = {};  // drawing any of them ends a generation
  int64_t max_pass_rows = 2048;          // rows that go through the decoder together
  int64_t max_kept_rows =
      1 << 14;  // rows whose K/V are kept: requests beyond go into the next batch
  /// Told after every pass that draws, with how many of the tokens that all requests may draw lie
  /// behind: what a request ends early with counts as drawn.
  std::function<void(int64_t)> on_tokens = {};
};

/// Throws InputError(kData) naming the request whose prompt and new tokens exceed the model's
/// context. `generate` checks all requests before it computes anything.
void check_request_fits(const GenerationRequest& request,
                        int64_t max_new_tokens,
                        int64_t num_positions);

/// The generations, in the order of the requests. Requests that begin alike share the rows they
/// begin with; what a request says does not depend on its company, up to rounding. `on_done` is
/// called for each finished request with its index, in order, before the next batch starts. To
/// `rows_computed`, where given, are added the rows that went through the decoder; those of the
/// adapters' roots were computed before.
std::vector<Generation> generate(Decoder& decoder,
                                 const AdapterSet& adapters,
                                 std::span<const GenerationRequest> requests,
                                 const GenerationOptions& options,
                                 const std::function<void(size_t, const Generation&)>& on_done = {},
                                 int64_t* rows_computed = nullptr);

}  // namespace prescript
