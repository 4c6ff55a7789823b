#!/bin/sh
# at_level.sh BUILD LEVEL NAME PROGRAM [argument ...]
# Installs a portable build into a folder of its own, and has the loader take the library of one level of x86-64
# there: that `unroll` names this instruction set, and then PROGRAM with this library. Exit status 77, which is
# "skipped", if the processor has not the level.
set -eu
build=$1 level=$2 name=$3
shift 3
loader=/lib64/ld-linux-x86-64.so.2

case $level in
x86-64) mask=none ;; # no folder's name: what is left is the library for all
*)
  mask=$level
  "$loader" --help | grep -q "$level (supported" || exit 77
  ;;
esac

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >/dev/null
program=$(find "$root" -path '*/bin/unroll')
folder=$(dirname "$(find "$root" -name libunroll.so -not -path '*glibc-hwcaps*')")

said=$("$loader" --glibc-hwcaps-mask "$mask" "$program" --version)
case $said in
*"($name)") ;;
*)
  echo "at $level: '$said' came; needed $name" >&2
  exit 1
  ;;
esac
"$loader" --glibc-hwcaps-mask "$mask" --library-path "$folder" "$@"
