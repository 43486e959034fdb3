// The engine without its text side, for comparisons with transformers: ids and a soft prompt in,
// loss, gradient or logits out.
//
//   prescript_probe MODEL.gguf fp32|bf16 SEQUENCES.txt PROMPT.safetensors OUT.safetensors
//   [ROWS_PER_PASS] [unshared]
//
// A line of SEQUENCES.txt is one sequence: "AT BEGIN END id id ...": the soft prompt stands before
// ids[AT], and ids[BEGIN, END) are targets. With BEGIN == END in the first line, OUT holds `logits`
// [1, V] behind its last row; else `loss` [1], the mean over all targets, its `gradient` [P, D],
// `rows` [1] and `seconds` [1].

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <numeric>
#include <sstream>

#include "io/safetensors.h"
#include "model/forest_run.h"

namespace prescript {
namespace {

Sequence parse_line(const std::string& line, int64_t num_virtual_tokens) {
  std::istringstream in(line);
  int32_t at = 0;
  int32_t begin = 0;
  int32_t end = 0;
  in >> at >> begin >> end;
  Sequence sequence;
  const auto P = static_cast<int32_t>(num_virtual_tokens);
  int32_t index = 0;
  for (int32_t id = 0; in >> id; ++index) {
    if (index == at) {
      for (int32_t p = 0; p < P; ++p) sequence.rows.push_back(Row::virtual_token(0, p));
    }
    if (index >= begin && index < end) {
      sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()));
    }
    sequence.rows.push_back(Row::token(id));
  }
  sequence.wants_last_row = begin == end;
  return sequence;
}

struct Output {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

void write(const std::string& path, const std::vector<Output>& outputs) {
  std::vector<SafetensorsTensor> tensors;
  tensors.reserve(outputs.size());
  for (const Output& output : outputs) {
    tensors.push_back({output.name, "F32", output.shape, std::as_bytes(std::span(output.values))});
  }
  std::ofstream(path, std::ios::binary) << safetensors_file_bytes(tensors);
}

std::vector<float> logits_behind(Decoder& decoder, const Sequence& sequence, Tensor prompt_PD) {
  const Forest forest = build_forest(std::span(&sequence, 1), {}, {});
  const Schedule schedule = make_schedule(forest, 1 << 20);
  PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), schedule.passes[0], {}, {});
  decoder.forward(run, std::span(&prompt_PD, 1));
  std::vector<float> logits(decoder.config().vocabulary_size);
  const auto V = static_cast<int64_t>(logits.size());
  const int32_t output_row[] = {0};
  decoder.logits(run, output_row, {logits.data(), DType::kFloat32, 1, V, V});
  return logits;
}

int run(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: %s MODEL DTYPE SEQUENCES PROMPT OUT [ROWS] [unshared]\n", argv[0]);
    return 2;
  }
  const auto file = GgufFile::open(argv[1]);
  const DType dtype = std::string(argv[2]) == "bf16" ? DType::kBFloat16 : DType::kFloat32;
  const auto ops = make_cpu_ops(default_num_threads());
  const DecoderConfig config = decoder_config_from_gguf(*file);
  const auto weights = load_weights(*ops, *open_gguf_tensors(file), config, dtype);
  Decoder decoder(*ops, config, *weights, 4096);

  const auto prompt_file = SafetensorsFile::open(argv[4]);
  const SafetensorsTensor& stored = prompt_file->tensors().at(0);
  const int64_t P = stored.shape.at(0);
  const int64_t D = stored.shape.at(1);
  std::vector<float> prompt(static_cast<size_t>(P * D));
  std::memcpy(prompt.data(), stored.bytes.data(), stored.bytes.size());
  const Tensor prompt_PD{prompt.data(), DType::kFloat32, P, D, D};

  std::vector<Sequence> sequences;
  std::ifstream in(argv[3]);
  for (std::string line; std::getline(in, line);) sequences.push_back(parse_line(line, P));
  if (sequences.at(0).wants_last_row) {
    const auto logits = logits_behind(decoder, sequences[0], prompt_PD);
    write(argv[5], {{"logits", {1, config.vocabulary_size}, logits}});
    return 0;
  }

  size_t num_targets = 0;
  for (const Sequence& sequence : sequences) num_targets += sequence.target_positions.size();
  for (Sequence& sequence : sequences)
    sequence.target_weight = 1.0F / static_cast<float>(num_targets);
  ForestOptions options;
  options.share = !(argc > 7 && std::string(argv[7]) == "unshared");
  const Forest forest = build_forest(sequences, {}, options);
  const RunPlan plan{.max_rows = argc > 6 ? std::atol(argv[6]) : 1 << 20};
  std::vector<float> gradient(prompt.size(), 0.0F);
  const Tensor gradient_PD{gradient.data(), DType::kFloat32, P, D, D};
  const auto start = std::chrono::steady_clock::now();
  const ForestResult result = differentiate_forest(
      decoder, forest, plan, std::span(&prompt_PD, 1), {}, std::span(&gradient_PD, 1));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double sum = std::accumulate(result.log_probs.begin(), result.log_probs.end(), 0.0);
  const double loss = -sum / static_cast<double>(num_targets);
  std::printf("loss %.9g rows %ld seconds %.3f gflops/s %.1f\n",
              loss,
              static_cast<long>(result.rows_computed),
              seconds.count(),
              result.flops / seconds.count() / 1e9);
  write(argv[5],
        {{"loss", {1}, {static_cast<float>(loss)}},
         {"gradient", {P, D}, gradient},
         {"rows", {1}, {static_cast<float>(result.rows_computed)}},
         {"seconds", {1}, {static_cast<float>(seconds.count())}}});
  return 0;
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  return prescript::run(argc, argv);
}
