// Greedy generation under one adapter, once for each line on stdin: the engine as `prescript
// generate` runs it, without text and files.
//
//   prescript_generation_worker MODEL.gguf fp32|bf16 ADAPTER_IDS.txt PROMPTS.txt
//
// The adapter's virtual tokens are the embedding rows of ADAPTER_IDS.txt, so that a peer without
// soft prompts computes the same from ordinary tokens. A line of PROMPTS.txt holds the ids of one
// prompt. A line on stdin is the number of new tokens of every prompt, drawn past the end of a
// turn; it is answered by one line: seconds from adding the adapter to the last token, peak
// resident memory in KiB since the second line, threads, then the new ids, prompt by prompt.
// "ready" comes first.

#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "infer/base_model.h"
#include "infer/generator.h"
#include "process_memory.h"

namespace prescript {
namespace {

std::vector<std::vector<int32_t>> read_ids(const char* path) {
  std::vector<std::vector<int32_t>> lists;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    auto& ids = lists.emplace_back();
    for (int32_t id = 0; words >> id;) ids.push_back(id);
  }
  return lists;
}

int run(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s MODEL DTYPE ADAPTER_IDS PROMPTS\n", argv[0]);
    return 2;
  }
  const DType dtype = std::string(argv[2]) == "bf16" ? DType::kBFloat16 : DType::kFloat32;
  BaseModel base(open_base_model(argv[1]), {.dtype = dtype});
  const std::vector<int32_t> adapter_ids = read_ids(argv[3]).at(0);
  const auto P = static_cast<int32_t>(adapter_ids.size());
  Adapter adapter;
  adapter.prompt = {.num_virtual_tokens = P,
                    .hidden_size = base.config().hidden_size,
                    .values_PD = base.embedding_rows(adapter_ids)};
  std::vector<GenerationRequest> requests;
  for (const auto& ids : read_ids(argv[4])) {
    auto& request = requests.emplace_back();
    for (int32_t p = 0; p < P; ++p) request.rows.push_back(Row::virtual_token(0, p));
    for (const int32_t id : ids) request.rows.push_back(Row::token(id));
  }

  std::puts("ready");
  std::fflush(stdout);
  bool is_first = true;
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    AdapterSet adapters(base.decoder());
    adapters.add("adapter", adapter);
    const auto generations =
        generate(base.decoder(), adapters, requests, {.max_new_tokens = std::stol(line)});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%.6f %ld %d", seconds.count(), peak_kib(), default_num_threads());
    for (const Generation& generation : generations) {
      for (const int32_t id : generation.ids) std::printf(" %d", id);
    }
    std::puts("");
    std::fflush(stdout);
    if (is_first) forget_peak();
    is_first = false;
  }
  return 0;
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  return prescript::run(argc, argv);
}
