#!/usr/bin/env bash
# From an empty Debian 12 to a net that trains on the noun definitions of WordNet, and a page that shows what
# happened in it. Options go to `unroll demo`.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/prepare.sh

install_packages
build build-quickstart unroll
exec build-quickstart/unroll demo --inspect report.html "$@"
