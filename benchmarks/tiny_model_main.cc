// Writes the tiny model that scripts/gpu_check trains on every backend: heads as large as those of
// an 8B model, seeded weights, tokens that are bytes.
//
//   prescript_tiny_model FOLDER

#include <cstdio>

#include "support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: prescript_tiny_model FOLDER\n", stderr);
    return 2;
  }
  prescript::write_tiny_model(argv[1],
                              {.hidden_size = 256,
                               .feed_forward_size = 512,
                               .num_layers = 3,
                               .num_heads = 4,
                               .num_kv_heads = 2,
                               .head_size = 128,
                               .max_positions = 4096});
}
