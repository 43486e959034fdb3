#pragma once
// What an output directory holds already: a training run and an evaluation each take one of their
// own.

#include <string>

namespace prescript {

enum class OutputKind { kTrainingRun, kEvaluation };

/// Throws InputError(kUsage), whatever --resume or --overwrite say, where `output` holds what the
/// other kind of command left, or a file that none did where this one would write.
void check_output_kind(const std::string& output, OutputKind kind);

/// Whether a command of this kind will be refused there without --resume or --overwrite.
bool is_occupied(const std::string& output, OutputKind kind);

}  // namespace prescript
