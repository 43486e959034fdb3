#pragma once
// What an audit compares: an adapter, exemplars it was trained on, others, and planted canaries.

#include <optional>
#include <string>
#include <vector>

#include "cli/inference.h"
#include "text/canary.h"

namespace prescript {

/// The command line, as given.
struct AuditArguments {
  std::string adapter;  // its directory
  InferenceArguments common;
  std::optional<std::string> members;
  std::optional<std::string> non_members;
  std::optional<std::string> canaries;
};

struct AuditFiles {
  std::string members;
  std::string non_members;
  std::optional<bool> members_are_of_training;  // by the hash that the adapter holds, if it does
  bool non_members_chose_step = false;          // by the hash of the validation set
  std::optional<std::string> canaries;
};

/// The files that were given, else those of the run in whose directory the adapter lies: its
/// training set (which must still be the one that was trained on), its validation set, its
/// canaries. Throws InputError(kUsage) where none is to be found, InputError(kData) where a file is
/// not what it is named as, by its hash.
AuditFiles find_audit_files(const AuditArguments& arguments, const Adapter& adapter);

/// Exemplars apart: those that the adapter holds as few-shot exemplars are neither, and those that
/// their review has not accepted no members.
struct AuditExemplars {
  std::vector<Exemplar> members;
  std::vector<Exemplar> non_members;
  std::vector<Canary> canaries;
};

/// Throws InputError(kData), also for an exemplar that is in both files (by question and answer),
/// and where nothing is left.
AuditExemplars read_audit_exemplars(const AuditFiles& files, const Adapter& adapter);

}  // namespace prescript
