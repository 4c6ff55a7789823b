#!/bin/sh
# levels_agree.sh AT_LEVEL INSTALLED UNROLL PROGRAM [argument ...]
# PROGRAM prints the same at all levels of x86-64 that the processor has (at_level.sh).
set -eu
at_level=$1 folder=$2
shift 2

for level in x86-64 x86-64-v3 x86-64-v4; do
  status=0
  said=$("$at_level" "$folder" "$level" "$@") || status=$?
  [ "$status" = 77 ] && continue
  echo "$level: $said"
  [ "$status" = 0 ] || exit "$status"
  : "${expected:=$said}"
  [ "$said" = "$expected" ] || exit 1
done
