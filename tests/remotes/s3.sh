#!/usr/bin/env bash
# s3.sh FARCAST [CASE...] - shared stores in a bucket of a real S3 server (s3s-fs) on loopback: see s3.py.
# FARCAST has been built with the feature `remote`. The server is installed beside what was compiled, where it
# is missing (about three minutes on two cores).
set -euo pipefail
tools="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/farcast}/s3s-fs-0.14.1"
if [ ! -x "$tools/bin/s3s-fs" ]; then
    CARGO_TARGET_DIR="$tools/target" cargo install --quiet --locked --root "$tools" \
        --version "=0.14.1" --features binary s3s-fs
    rm -rf "$tools/target"
fi
farcast="$(realpath "$1")"
shift
exec python3 "$(dirname "$0")/s3.py" "$farcast" "$tools/bin/s3s-fs" "$@"
