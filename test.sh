#!/usr/bin/env bash
# Installs what is needed, builds, and runs the whole suite. Options go to `meson test`.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/prepare.sh

install_packages
build build-test all -Db_ndebug=false # optimised, but with our assertions
exec meson test -C build-test --verbose "$@"
