#include "model/golden_model.h"

#include <cstring>
#include <numeric>

namespace prescript {
namespace {

template <typename Element>
std::vector<Element> read(const SafetensorsFile& file, const char* name) {
  const auto bytes = file.find(name)->bytes;
  std::vector<Element> values(bytes.size() / sizeof(Element));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

Matrix read_matrix(const SafetensorsFile& file, const char* name) {
  const auto& shape = file.find(name)->shape;
  Matrix x(shape.at(0), shape.size() > 1 ? shape[1] : 1);
  const auto values = read<float>(file, name);
  x.values.assign(values.begin(), values.end());
  return x;
}

GoldenModel read_golden_model(const std::string& dir, const std::string& expected) {
  GoldenModel result;
  result.config = decoder_config_from_hf(dir);
  const auto source = open_safetensors_directory(dir);
  for (const TensorInfo& info : source->list()) {
    Matrix x(info.rows(), info.cols());
    const std::vector<float> values = source->read_all(info.name);
    x.values.assign(values.begin(), values.end());
    result.weights.set(info.name, x);
  }
  const auto file = SafetensorsFile::open(dir + "/" + expected);
  for (const int64_t id : read<int64_t>(*file, "ids")) {
    result.rows.push_back(Row::token(static_cast<int32_t>(id)));
  }
  result.logits = read_matrix(*file, "logits");
  return result;
}

Matrix logits_of(Decoder& decoder, const std::vector<Row>& rows) {
  Sequence sequence;
  sequence.rows = rows;
  for (int32_t i = 1; i < static_cast<int32_t>(rows.size()); ++i) {
    sequence.target_positions.push_back(i);
  }
  sequence.wants_last_row = true;
  const Forest forest = build_forest(std::span(&sequence, 1), {}, {});
  const Pass pass = make_schedule(forest, std::ssize(rows)).passes.at(0);
  PassRun run(decoder.ops(), decoder.config(), decoder.dtype(), pass, {}, {});
  decoder.forward(run, {});
  std::vector<int32_t> output_rows(rows.size());
  std::iota(output_rows.begin(), output_rows.end(), 0);
  Workbench bench(decoder.ops(), decoder.dtype());
  const Tensor logits_NV =
      bench.take(std::ssize(rows), decoder.config().vocabulary_size, bench.sums());
  decoder.logits(run, output_rows, logits_NV);
  return bench.get(logits_NV);
}

}  // namespace prescript
