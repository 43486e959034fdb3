#include "model/key_value_run.h"

#include "base/arena.h"

namespace prescript {
namespace {

std::vector<KeyValues> lay_out(Arena& arena,
                               const DecoderConfig& config,
                               DType dtype,
                               int64_t rows) {
  std::vector<KeyValues> layers(config.num_layers);
  for (KeyValues& layer : layers) {
    layer.k = arena.take(rows, config.kv_size(), dtype);
    layer.v = arena.take(rows, config.kv_size(), dtype);
  }
  return layers;
}

}  // namespace

KeyValueRun::KeyValueRun(
    Ops& ops, const DecoderConfig& config, DType dtype, int64_t capacity, bool with_gradient)
    : capacity_(capacity), gradients_(config.num_layers) {
  const size_t bytes =
      KeyValueRun::bytes(config, dtype, capacity) +
      (with_gradient ? KeyValueRun::bytes(config, ops.kv_gradient_dtype(), capacity) : 0);
  block_ = ops.allocate(bytes);
  Arena arena(block_.get(), bytes);
  layers_ = lay_out(arena, config, dtype, capacity);
  if (!with_gradient) return;
  gradients_ = lay_out(arena, config, ops.kv_gradient_dtype(), capacity);
  for (const KeyValues& gradient : gradients_) {
    ops.zero(gradient.k);
    ops.zero(gradient.v);
  }
}

size_t KeyValueRun::bytes(const DecoderConfig& config, DType dtype, int64_t capacity) {
  Arena measuring;
  lay_out(measuring, config, dtype, capacity);
  return measuring.used();
}

}  // namespace prescript
