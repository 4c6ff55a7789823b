#!/bin/sh
# same_bits.sh OLD NEW: whether two `unroll` programs learn the same to the bit, on data that this script makes.
# OLD is one of an earlier commit, built with the same options on the same machine; prints a line a run, fails at
# the first that differs. Files are equal where all weights, settings and figures in them are.
set -eu
old=$(realpath "$1") new=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Pseudo-random words, sentences with tags, labelled text, and two series, from one linear congruence.
awk 'BEGIN { s = 7
  for (i = 0; i < 3000; i++) { line = ""
    n = 3 + int(r() * 9)
    for (j = 0; j < n; j++) line = line (j ? " " : "") "w" int(60 * r() * r())
    print line > "text.txt"
    print (line ~ /w0/ ? "yes" : "no") "\t" line > "labelled.tsv"
    m = split(line, word, " ")
    for (j = 1; j <= m; j++) print word[j] "\t" (length(word[j]) > 2 ? "LONG" : "SHORT") > "tagged.tsv"
    print "" > "tagged.tsv"
  }
  print "a,b" > "series.csv"
  for (i = 0; i < 600; i++) printf "%.4f,%.4f\n", sin(i / 9) + r() / 5, cos(i / 7) + r() / 5 > "series.csv"
}
function r() { s = (s * 16807) % 2147483647; return s / 2147483647 }'

common="--epochs 1 --hidden 24 --seed 3"
compare() {
  name=$1
  shift
  for program in old new; do
    eval "path=\$$program"
    "$path" "$@" --out "$program.safetensors" >"$program.txt" 2>&1 || { cat "$program.txt"; exit 1; }
  done
  cmp old.safetensors new.safetensors || { echo "$name: differs"; exit 1; }
  if [ "$1" = lm ]; then # a stream
    for program in old new; do
      eval "path=\$$program"
      "$path" lm sample --model new.safetensors --prompt w1 --length 300 --seed 5 >"$program.txt"
    done
    cmp old.txt new.txt || { echo "$name: samples differ"; exit 1; }
  fi
  if [ "$1" = forecast ]; then
    for program in old new; do
      eval "path=\$$program"
      "$path" forecast predict --model new.safetensors --data series.csv >"$program.txt"
    done
    cmp old.txt new.txt || { echo "$name: predictions differ"; exit 1; }
  fi
  echo "$name: $(cksum <new.safetensors)"
  rm -f ./*.safetensors
}
# shellcheck disable=SC2086 # options are words
{
  for threads in 1 2; do
    for cell in elman gru lstm; do
      compare "lm, $cell, threads $threads" lm train --data text.txt --level word --layers 2 --cell $cell \
        --threads $threads $common
    done
    compare "classify, both directions, threads $threads" classify train --data labelled.tsv --cell gru \
      --bidirectional --threads $threads --batch 1 $common
    compare "tag, threads $threads" tag train --data tagged.tsv --threads $threads $common
    compare "forecast, threads $threads" forecast train --data series.csv --targets a --window 24 --threads $threads $common
  done
}
