#pragma once
// Exemplars being written and reviewed, on disk: every version of an answer stays, with who wrote
// it and who said what of it.

#include <optional>
#include <string>
#include <vector>

#include "rating/database.h"

namespace prescript {

enum class AuthoringStatus { kOpen, kWritten, kAccepted, kRejected };

/// "open" (no answer yet), "written" (to be reviewed), "accepted", "rejected".
std::string name_of(AuthoringStatus status);

/// One version of an answer, and its review where it has one.
struct AnswerVersion {
  int64_t number;  // from 1
  std::string answer;
  std::optional<std::string> rationale;
  std::string author;  // a code; "" for an answer that came with the file
  std::string written_at;
  std::string reviewer = {};  // a code; "": not reviewed
  bool is_accepted = false;
  std::string reason = {};  // of a rejection, or a remark
  std::string reviewed_at = {};

  bool operator==(const AnswerVersion&) const = default;
};

/// One exemplar. `json` is its line of the file that it came from.
struct AuthoredExemplar {
  int64_t number;  // from 1, in the order of the file
  std::string id;
  std::string question;  // with its context and options
  std::string letters;   // of its options: "ABCD"; "" for an answer in free text
  std::string json;
  std::vector<AnswerVersion> versions;  // oldest first

  AuthoringStatus status() const;
};

/// What became of what somebody sent.
enum class AuthoringOutcome {
  kKept,
  kChangedMeanwhile,  // it was about a version that is not the latest any more
  kOwnAnswer,         // nobody reviews what they wrote
};

/// Makes the directory `dir` from a file of exemplars (JSONL), whole or not at all. Their answers
/// become first versions, with author and review where the field `review` says them. Throws
/// InputError(kUsage) when something is at `dir`, InputError(kData) as read_exemplars does and for
/// an exemplar given as messages.
void create_authoring_store(const std::string& dir, const std::string& exemplars_path);

/// A store that was made. Several processes may have it open.
class AuthoringStore {
 public:
  explicit AuthoringStore(const std::string& dir);

  const std::string& access_key() const { return access_key_; }
  const std::string& name() const { return name_; }

  std::vector<AuthoredExemplar> exemplars();
  std::optional<AuthoredExemplar> exemplar(int64_t number);

  /// Keeps an answer as the version behind `base_version` (0: the first). The same text by the same
  /// author is not kept again.
  AuthoringOutcome write(int64_t exemplar,
                         int64_t base_version,
                         const std::string& author,
                         const std::string& answer,
                         const std::optional<std::string>& rationale);

  /// Keeps a review of the latest version; a second one of the same reviewer takes the place of the
  /// first.
  AuthoringOutcome review(int64_t exemplar,
                          int64_t version,
                          const std::string& reviewer,
                          bool accepts,
                          const std::string& reason);

 private:
  std::vector<AuthoredExemplar> read(const std::string& condition, int64_t number);

  Database database_;
  std::string access_key_;
  std::string name_;
};

/// The exemplars that have an answer, as JSONL: the fields of their lines, the latest answer, and
/// `review` (exemplars/README.md).
std::string exported_exemplars(const std::vector<AuthoredExemplar>& exemplars);

}  // namespace prescript
