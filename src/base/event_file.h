#pragma once
// TensorBoard's event file, scalars only.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/append_file.h"

namespace prescript {

/// Writes scalars that TensorBoard reads. Times are seconds since 1970, given by the caller.
/// Format   TFRecord: u64 length, masked CRC32C of it, data, masked CRC32C of the data;
/// little-endian. The data
///          are `tensorflow.Event` messages, encoded by hand (tensorflow/core/util/event.proto,
///          summary.proto).
/// Throws   as AppendFile.
class EventFile {
 public:
  /// The name TensorBoard recognises; fixed, so that a resumed run finds its file.
  static constexpr std::string_view kFileName = "events.out.tfevents.prescript";

  /// A new file (`keep_bytes` 0) begins with the version record.
  EventFile(std::string path, uint64_t keep_bytes, double wall_time_s);

  void add_scalar(std::string_view tag, int64_t step, float value, double wall_time_s);
  void sync() { file_.sync(); }
  uint64_t bytes() const { return file_.bytes(); }

 private:
  AppendFile file_;
};

/// CRC-32C (Castagnoli, RFC 3720).
uint32_t crc32c(std::string_view bytes);

}  // namespace prescript
