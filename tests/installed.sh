#!/bin/sh
# installed.sh INSTALLED SOURCE COMPILER [argument ...]
# A program of a user's, built with what pkg-config says of a library that is installed in a folder, as it is and
# for this processor.
set -eu
folder=$(realpath "$1") source=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pc=$(find "$folder" -name unroll.pc)
sed "s|^prefix=|prefix=$folder|" "$pc" >"$work/unroll.pc"
export PKG_CONFIG_PATH="$work" LD_LIBRARY_PATH="${pc%/pkgconfig/*}"
# Headers of its own with the names of ours, in front of them, and one that brings all of ours.
mkdir "$work/ops" "$work/nn"
echo '#error "the one of the user"' | tee "$work/ops/layout.h" "$work/nn/state.h" >"$work/nn/recurrence.h"
printf '#include <unroll/unroll.h>\nint main() { return unroll::Layout::uniform(1, 1).batch() - 1; }\n' >"$work/all.cpp"
# shellcheck disable=SC2046 # one word an option
"$@" -std=c++20 -O1 -I"$work" "$work/all.cpp" $(pkg-config --cflags --libs unroll) -o "$work/all"
"$work/all"
for march in '' -march=native; do
  # shellcheck disable=SC2046,SC2086 # one word an option
  "$@" -std=c++20 -O1 $march "$source" $(pkg-config --cflags --libs unroll) -o "$work/program"
  "$work/program"
done
