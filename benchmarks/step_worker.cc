// Training steps and evaluations of sequences of token ids, one for each line on stdin: the engine
// as `prescript train` runs it, without text and files.
//
//   prescript_step_worker MODEL.gguf fp32|bf16 NUM_VIRTUAL_TOKENS SEQUENCES.txt [unshared]
//                         [as_stored]
//
// A line of SEQUENCES.txt is one sequence: "BEGIN id id ..."; the soft prompt stands before the
// first id, ids[BEGIN..] are targets. The line "step" asks for forward, input gradient and AdamW,
// "evaluate" for the loss alone. It is answered by one line: seconds, peak resident memory in KiB
// since the second line, rows computed, FLOPs needed, loss, KiB of the weights: what they take and
// the pages of their file that are in the process. "ready" comes first.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string_view>

#include "io/gguf.h"
#include "model/decoder_config.h"
#include "model/forest_run.h"
#include "process_memory.h"
#include "train/adamw.h"

namespace prescript {
namespace {

constexpr double kLearningRate = 0.003;
constexpr int32_t kFirstToken = 1000;

Sequence parse_line(const std::string& line, int64_t num_virtual_tokens) {
  std::istringstream in(line);
  int64_t begin = 0;
  in >> begin;
  Sequence sequence;
  for (int32_t p = 0; p < num_virtual_tokens; ++p) {
    sequence.rows.push_back(Row::virtual_token(0, p));
  }
  int64_t index = 0;
  for (int32_t id = 0; in >> id; ++index) {
    if (index >= begin) {
      sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()));
    }
    sequence.rows.push_back(Row::token(id));
  }
  return sequence;
}

int run(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr,
                 "usage: %s MODEL DTYPE NUM_VIRTUAL_TOKENS SEQUENCES [unshared] [as_stored]\n",
                 argv[0]);
    return 2;
  }
  const auto is_given = [&](const char* word) {
    return std::any_of(
        argv + 5, argv + argc, [&](const char* other) { return std::string_view(other) == word; });
  };
  const auto file = GgufFile::open(argv[1]);
  const DType dtype = std::string(argv[2]) == "bf16" ? DType::kBFloat16 : DType::kFloat32;
  const auto ops = make_cpu_ops(default_num_threads());
  const DecoderConfig config = decoder_config_from_gguf(*file);
  const auto tensors = open_gguf_tensors(file);
  const auto format = is_given("as_stored") ? WeightFormat::kAsStored : WeightFormat::kConverted;
  const auto weights = load_weights(*ops, *tensors, config, dtype, format);
  Decoder decoder(*ops, config, *weights, 4096);

  const int64_t P = std::stol(argv[3]);
  std::vector<Sequence> sequences;
  std::ifstream in(argv[4]);
  for (std::string line; std::getline(in, line);) sequences.push_back(parse_line(line, P));
  size_t num_targets = 0;
  for (const Sequence& sequence : sequences) num_targets += sequence.target_positions.size();
  for (Sequence& sequence : sequences) {
    sequence.target_weight = 1.0F / static_cast<float>(num_targets);
  }

  // The soft prompt begins as rows of the vocabulary: the peers begin with the same.
  std::vector<float> prompt(static_cast<size_t>(P * config.hidden_size));
  std::vector<Row> first_rows;
  for (int32_t p = 0; p < P; ++p) first_rows.push_back(Row::token(kFirstToken + p));
  const Buffer block = ops->allocate(prompt.size() * size_of(dtype));
  const Tensor rows_PD{block.get(), dtype, P, config.hidden_size, config.hidden_size};
  weights->embed({}, first_rows, rows_PD);
  ops->download(rows_PD, prompt.data());

  OptimizerState state;
  const Tensor prompt_PD{prompt.data(), DType::kFloat32, P, config.hidden_size, config.hidden_size};
  const auto prompts_PD = std::span(&prompt_PD, 1);
  const ForestOptions options{.share = !is_given("unshared")};
  std::puts("ready");
  std::fflush(stdout);
  bool is_first = true;
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const Forest forest = build_forest(sequences, {}, options);
    ForestResult result;
    if (line == "evaluate") {
      result = score_forest(decoder, forest, {}, prompts_PD, {});
    } else {
      std::vector<float> gradient(prompt.size(), 0.0F);
      const Tensor gradient_PD{
          gradient.data(), DType::kFloat32, P, config.hidden_size, config.hidden_size};
      result =
          differentiate_forest(decoder, forest, {}, prompts_PD, {}, std::span(&gradient_PD, 1));
      adamw_step({}, kLearningRate, gradient, prompt, state);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double sum = std::accumulate(result.log_probs.begin(), result.log_probs.end(), 0.0);
    std::printf("%.6f %ld %ld %.6g %.6g %ld\n",
                seconds.count(),
                peak_kib(),
                static_cast<long>(result.rows_computed),
                result.flops,
                -sum / static_cast<double>(num_targets),
                static_cast<long>(weights->bytes() >> 10) + mapped_kib(argv[1]));
    std::fflush(stdout);
    if (is_first) forget_peak();  // what loading and the first step took
    is_first = false;
  }
  return 0;
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  return prescript::run(argc, argv);
}
