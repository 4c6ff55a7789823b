#!/bin/sh
# lambdas.sh CASES SOURCE_ROOT COMPILER [argument ...]
# Compiles each case of a file (tests/ops/lambdas.txt): it goes through, or has one error, a line that says what
# it was to say.
set -u
cases=$1 root=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
{
  echo '#include <array>'
  echo '#include <string>'
  echo '#include "ops/elementwise.h"'
  echo '#include "ops/pointwise.h"'
  echo 'using namespace unroll;'
} >"$folder/all.h"
set -- "$@" -std=c++20 -O1 -fdiagnostics-color=never "-I$root"
"$@" -x c++-header "$folder/all.h" -o "$folder/all.h.gch" || exit # compiled once

failed=0
while read -r line; do
  case $line in '#'* | '') continue ;; esac
  wanted=${line%% | [airs]*}
  code=${line#"$wanted | "}
  echo "Var f([[maybe_unused]] Var x, [[maybe_unused]] Var y, [[maybe_unused]] double k) { $code }" >"$folder/case.cpp"
  "$@" -fsyntax-only -include "$folder/all.h" "$folder/case.cpp" >"$folder/said" 2>&1
  errors=$(grep -c 'error:' "$folder/said")
  if [ "$wanted" = ok ]; then
    [ "$errors" = 0 ] && continue
  else
    [ "$errors" = 1 ] && grep 'error:' "$folder/said" | grep -qF -- "$wanted" && continue
  fi
  failed=1
  echo "$errors errors came; needed: $wanted"
  echo "  $code"
  grep 'error:' "$folder/said" | head -5
done <"$cases"
exit "$failed"
