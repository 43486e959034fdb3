#pragma once
// Exemplars as HTML: the list of all, and one with its forms.

#include <string>
#include <vector>

#include "rating/authoring_store.h"

namespace prescript {

/// What `rater` can do, first what nobody else needs to do before.
std::string exemplar_list_html(const std::string& rater,
                               const std::vector<AuthoredExemplar>& exemplars);

/// One exemplar: its latest answer, what was said of it, the form of a review unless `rater` wrote
/// it, and the form in which it is edited. `store_name` keeps drafts of several stores apart.
std::string exemplar_html(const std::string& rater,
                          const AuthoredExemplar& exemplar,
                          const std::string& store_name);

}  // namespace prescript
