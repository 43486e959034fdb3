#pragma once
// The pages on which exemplars are written and reviewed.

#include "rating/authoring_store.h"
#include "rating/site.h"

namespace prescript {

/// /rater/CODE lists the exemplars by what is to be done with them, /rater/CODE/7 is the seventh
/// one: its answer to be written or edited, its latest version to be reviewed by anybody but its
/// author.
class AuthoringDesk : public Desk {
 public:
  /// `store` outlives it.
  explicit AuthoringDesk(AuthoringStore& store) : store_(store) {}

  std::string title() const override { return "Writing and reviewing exemplars"; }
  std::string invitation() const override {
    return "Clinicians write answers here, and others accept or reject them.";
  }
  HttpResponse respond(const std::string& rater,
                       std::span<const std::string> path,
                       const std::string& method,
                       const std::map<std::string, std::string>& form) override;

 private:
  HttpResponse list(const std::string& rater);
  HttpResponse write(const std::string& rater,
                     const AuthoredExemplar& exemplar,
                     const std::map<std::string, std::string>& form);
  HttpResponse review(const std::string& rater,
                      const AuthoredExemplar& exemplar,
                      const std::map<std::string, std::string>& form);

  AuthoringStore& store_;
};

}  // namespace prescript
