# Sourced by the other scripts: where the project is, how a step is announced, how a script fails,
# and who owns what it makes.
# shellcheck shell=bash
set -euo pipefail
unset CDPATH
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
self=scripts/${0##*/}
unset PYTHONPATH PYTHONHOME

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

# Says which step begins. Progress goes to stderr, results to stdout.
step() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }

# fail "what went wrong" "the remedy"
fail() {
  printf '\n%s: %s\n  remedy: %s\n' "${0##*/}" "$1" "$2" >&2
  exit 1
}

# Waits until no other script holds this path; the lock ends with the script.
lock() {
  exec 9<"$1"
  flock -n 9 || { step "Waiting for another script that uses $1" && flock 9; }
}

# The lists of packages that install_packages installs; the interop tier adds its own.
package_lists=(scripts/packages.txt)

# Their packages that are not installed, one a line.
missing_packages() {
  local wanted installed
  wanted=$(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "${package_lists[@]}" | sort)
  # shellcheck disable=SC2086  # a list of names
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed //p' | sort -u) || true
  comm -23 <(echo "$wanted") <(echo "$installed")
}

# Installs what is missing, as root or through sudo; nothing is fetched when nothing is missing.
install_packages() {
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system" \
      "install what ${package_lists[*]} names under this system's names; then run scripts/build"
  local missing as_root=()
  missing=$(missing_packages | xargs)
  [ -n "$missing" ] || return 0
  step "Distribution packages: $missing"
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo -n)
    "${as_root[@]}" true ||
      fail "installing packages needs root" "as root: apt-get update && apt-get install $missing"
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  "${as_root[@]}" dpkg --configure -a </dev/null >&2 || true # heals an installation that was cut off
  "${as_root[@]}" apt-get update -q </dev/null >&2 || true # the installation decides
  # shellcheck disable=SC2086  # a list of names
  "${as_root[@]}" apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing \
    </dev/null >&2 ||
    fail "apt-get could not install: $missing" \
      "check the network and the mirrors in /etc/apt; or install these packages yourself and run this again"
}

# Through sudo, a project that belongs to the calling user is built as that user, so that nothing in
# it belongs to root afterwards. Call with the script's own arguments.
leave_sudo() {
  [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] && [ "$(stat -c %u .)" = "$SUDO_UID" ] || return 0
  lock scripts
  install_packages
  exec runuser -u "$SUDO_USER" -- env "HOME=$(getent passwd "$SUDO_UID" | cut -d: -f6)" "$self" "$@" 9<&-
}

# What an earlier run as root left behind would stop this one halfway.
check_owner() {
  local path
  for path in . .venv .venv-interop .venv-bench build models checkpoints; do
    [ ! -e "$path" ] || [ -w "$path" ] ||
      fail "$root/$path belongs to $(stat -c %U "$path"), not to $(id -un)" \
        "sudo chown -R $(id -un) '$root'"
  done
}
