#pragma once
// The rotary positions of a config.json, in either spelling of transformers: rope_theta beside
// rope_scaling, or rope_parameters.

#include <initializer_list>
#include <optional>
#include <string>

#include "io/json.h"
#include "model/rope.h"

namespace prescript {

/// Where a family keeps them.
struct RopePlace {
  const char* theta = "rope_theta";
  const char* rotary_share = "partial_rotary_factor";
  /// A member of rope_parameters where kinds of layers turn differently.
  const char* layer_type = "full_attention";
  bool reads_scaling = true;
};

/// `config` must outlive this. All functions throw InputError(kModel).
class RopeReader {
 public:
  RopeReader(const JsonCursor& config, const std::string& place, const RopePlace& keys);

  double theta() const { return theta_; }

  /// Elements of a head of `head_size` that turn.
  int64_t rotary_size(int64_t head_size) const;

  /// Positions, of `all`, whose frequencies do not depend on the length of the sequence.
  int64_t max_positions(int64_t all) const;

  /// Of heads of which `size` elements turn.
  Rope read(int64_t size) const;

 private:
  void read_type();
  void read_theta();
  bool is_longrope() const { return type_ == "longrope" || type_ == "su"; }
  std::optional<JsonCursor> find(const char* key) const;
  JsonCursor at(const char* key) const { return parameters_->at(key); }
  void expect_keys(std::initializer_list<const char*> keys) const;
  double original_positions() const;
  Rope read_llama3(int64_t size) const;
  Rope read_yarn(int64_t size) const;
  Rope read_longrope(int64_t size) const;

  const JsonCursor& config_;
  std::string place_;
  RopePlace keys_;
  std::string name_;  // of the object that holds the parameters
  std::optional<JsonCursor> parameters_;
  std::string type_ = "default";
  double theta_ = 0;
};

}  // namespace prescript
