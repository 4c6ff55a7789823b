# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh, from the top of the repository.

# libopenblas-pthread-dev rather than libopenblas-dev: the OpenMP variant would start threads of its own.
packages=(g++ meson ninja-build pkg-config libopenblas-pthread-dev libfmt-dev libxsimd-dev libcli11-dev
  nlohmann-json3-dev doctest-dev wordnet-base)

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
give_up() {
  say "$@"
  exit 1
}

# Their names in one line.
missing_packages() {
  local package missing=()
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  echo "${missing[*]}"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs what is missing; says what that is when it cannot.
install_packages() {
  type apt-get dpkg-query >/dev/null 2>&1 ||
    give_up "this system has no apt-get: needed Debian 12, or what its packages bring: ${packages[*]}"
  local missing
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    give_up "these packages are missing: $missing; needed root or sudo to install them"
  say "installing $missing"
  as_root apt-get update -q || give_up "apt-get update failed; these packages are missing: $missing"
  # shellcheck disable=SC2086 # one word a package
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing ||
    give_up "apt-get install failed; these packages are missing: $(missing_packages)"
}

# build FOLDER TARGET [option of meson setup ...]: optimised, from scratch or from where it was.
build() {
  local folder=$1 target=$2
  shift 2
  [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@" ||
    give_up "meson cannot configure $folder; its log is $folder/meson-logs/meson-log.txt"
  ninja -C "$folder" "$target" || give_up "the build in $folder failed"
}
