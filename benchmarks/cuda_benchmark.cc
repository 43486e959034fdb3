// The cuda backend measured on a card: what docs/GPU.md and the reports of scripts/gpu_check hold.
//
//   prescript_cuda_benchmark [--json FILE] [--small]
//   [ceilings|rows|attention|loading|step|step70|streamed]...
//
//   --json   adds a line of JSON for each measurement to FILE
//   --small  small extents: shows that every case runs
//
// Without names all are measured, in this order.

#include <exception>
#include <string>
#include <vector>

#include "card_bench.h"

namespace prescript::bench {
namespace {

struct Group {
  const char* name;
  void (*measure)(CardBench&);
};

constexpr Group kGroups[] = {{"ceilings", measure_ceilings},
                             {"rows", measure_rows},
                             {"attention", measure_attention},
                             {"loading", measure_loading},
                             {"step", measure_step},
                             {"step70", measure_quantized_step},
                             {"streamed", measure_streamed_steps}};

int usage() {
  std::fputs(
      "usage: prescript_cuda_benchmark [--json FILE] [--small] "
      "[ceilings|rows|attention|loading|step|step70|streamed]...\n",
      stderr);
  return 2;
}

int run(const std::vector<std::string>& arguments) {
  std::string json;
  Extents extents;
  std::vector<const Group*> groups;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--json" && i + 1 < arguments.size()) {
      json = arguments[++i];
    } else if (arguments[i] == "--small") {
      extents = Extents::small();
    } else {
      const Group* found = nullptr;
      for (const Group& group : kGroups) {
        if (arguments[i] == group.name) found = &group;
      }
      if (found == nullptr) return usage();
      groups.push_back(found);
    }
  }
  if (groups.empty()) {
    for (const Group& group : kGroups) groups.push_back(&group);
  }
  CardBench bench(extents, json);
  std::printf("%s\n", describe_card().c_str());
  int failures = 0;
  for (const Group* group : groups) {
    try {
      group->measure(bench);
    } catch (const std::exception& error) {
      bench.report_failure("failed", group->name, error.what());
      bench.forget();
      ++failures;
    }
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace prescript::bench

int main(int argc, char** argv) {
  try {
    return prescript::bench::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
