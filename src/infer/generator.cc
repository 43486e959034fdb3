#include "infer/generator.h"

#include <algorithm>

#include "base/counted.h"
#include "infer/generator_batch.h"

namespace prescript {
namespace {

/// Rows of `request` that none of `others` begins with.
int64_t new_rows(const GenerationRequest& request, std::span<const GenerationRequest> others) {
  int64_t shared = 0;
  for (const GenerationRequest& other : others) {
    const auto differ = std::mismatch(
        request.rows.begin(), request.rows.end(), other.rows.begin(), other.rows.end());
    shared = std::max<int64_t>(shared, differ.first - request.rows.begin());
  }
  return static_cast<int64_t>(request.rows.size()) - shared;
}

/// How many of the first requests make a batch.
size_t batch_size(std::span<const GenerationRequest> requests, const GenerationOptions& options) {
  int64_t rows = 0;
  size_t size = 0;
  for (; size < requests.size(); ++size) {
    rows += new_rows(requests[size], requests.first(size)) + options.max_new_tokens;
    if (size > 0 && rows > options.max_kept_rows) break;
  }
  return size;
}

}  // namespace

void check_request_fits(const GenerationRequest& request,
                        int64_t max_new_tokens,
                        int64_t num_positions) {
  const auto prompt_rows = static_cast<int64_t>(request.rows.size());
  if (prompt_rows <= num_positions - max_new_tokens) return;
  throw InputError(ExitCode::kData,
                   request.id + ": its prompt of " + counted(prompt_rows, "token") +
                       " and --max-new-tokens " + std::to_string(max_new_tokens) +
                       " exceed the model's context of " + std::to_string(num_positions) +
                       "; shorten the question or ask for fewer tokens");
}

std::vector<Generation> generate(Decoder& decoder,
                                 const AdapterSet& adapters,
                                 std::span<const GenerationRequest> requests,
                                 const GenerationOptions& options,
                                 const std::function<void(size_t, const Generation&)>& on_done,
                                 int64_t* rows_computed) {
  PRESCRIPT_CHECK(options.max_new_tokens >= 1, "max_new_tokens");
  check_sampling_options(options.sampling);
  for (const GenerationRequest& request : requests) {
    check_request_fits(request, options.max_new_tokens, decoder.num_positions());
  }
  std::vector<Generation> generations;
  while (generations.size() < requests.size()) {
    const auto remaining = requests.subspan(generations.size());
    const auto batch = remaining.first(batch_size(remaining, options));
    GenerationBatch computation(decoder, adapters, batch, options);
    const auto before = static_cast<int64_t>(generations.size()) * options.max_new_tokens;
    std::vector<Generation> done = computation.run([&](int64_t tokens_each) {
      if (options.on_tokens) options.on_tokens(before + std::ssize(batch) * tokens_each);
    });
    if (rows_computed != nullptr) *rows_computed += computation.rows_computed();
    for (Generation& generation : done) {
      generations.push_back(std::move(generation));
      if (on_done) on_done(generations.size() - 1, generations.back());
    }
  }
  return generations;
}

}  // namespace prescript
