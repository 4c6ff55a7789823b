#!/bin/sh
# at_level.sh INSTALLED LEVEL UNROLL PROGRAM [argument ...]
# Runs PROGRAM, and all that it starts, with the library of one level of x86-64 of a portable build that is
# installed in a folder: hides from the loader what a processor of this level has not. The installed `unroll`, and
# UNROLL of the build, must name the level's instruction set. Exit status 77, which is "skipped", if the processor
# has not the level.
set -eu
folder=$(realpath "$1") level=$2 built=$3
shift 3

case $level in
x86-64) name=SSE2 hidden=-AVX512F,-AVX2 ;;
x86-64-v3) name=AVX2 hidden=-AVX512F ;;
x86-64-v4) name=AVX-512 hidden= ;;
esac
[ "$level" = x86-64 ] || /lib64/ld-linux-x86-64.so.2 --help | grep -q "$level (supported" || exit 77

expect() {
  said=$("$1" --version)
  [ "${said##* }" = "($name)" ] && return
  echo "at $level: '$said' came from $1; needed $name" >&2
  exit 1
}
export GLIBC_TUNABLES="glibc.cpu.hwcaps=$hidden"
unset LD_LIBRARY_PATH # of meson's
expect "$(find "$folder" -path '*/bin/unroll')"
# What was built and not installed finds in the build's folder the library of the lowest level alone.
library=$(find "$folder" -name libunroll.so -not -path '*glibc-hwcaps*')
export LD_LIBRARY_PATH="${library%/*}"
expect "$built"
exec "$@"
