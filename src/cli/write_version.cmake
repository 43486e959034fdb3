# Writes OUTPUT, a source file that holds the version and the commit; touches it only when they
# changed. Run at build time, since a configured tree outlives commits. The commit is all that
# enters: no date, no path, so that the same commit gives the same program.
execute_process(
  COMMAND git describe --always --abbrev=12 --dirty=-modified --exclude=*
  WORKING_DIRECTORY ${SOURCE_DIR}
  OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE
  ERROR_QUIET
  RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "cli/version.h"

namespace prescript {

const char* const kVersion = "@VERSION@";
const char* const kCommit = "@commit@";

}  // namespace prescript
]])
