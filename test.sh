#!/usr/bin/env bash
# Installs what is needed, builds, and runs the whole suite. Options go to `meson test`.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/prepare.sh

install_packages
# The page's test in a browser is skipped without them.
packages=(chromium chromium-driver python3-selenium)
(install_packages) || say "going on without ${packages[*]}"
build build-test all -Db_ndebug=false # optimised, but with our assertions
exec meson test -C build-test --verbose "$@"
