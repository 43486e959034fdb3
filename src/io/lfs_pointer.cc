#include "io/lfs_pointer.h"

namespace prescript {

void refuse_lfs_pointer(std::string_view bytes, const std::string& path, ExitCode code) {
  if (!bytes.starts_with("version https://git-lfs.github.com/spec/")) return;
  throw InputError(code,
                   path +
                       ": a Git LFS pointer in place of the file itself; fetch it with git lfs "
                       "pull, or download it again");
}

}  // namespace prescript
