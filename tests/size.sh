#!/bin/sh
# size.sh PROGRAM BYTES: fails unless the program, stripped, has at most so many bytes.
set -eu
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$1"
bytes=$(wc -c <"$stripped")
echo "$bytes bytes stripped; at most $2 wanted"
[ "$bytes" -le "$2" ]
