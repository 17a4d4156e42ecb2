#!/usr/bin/env bash
# Shared results in a bucket of a real server: `s3s-fs`, which keeps buckets in folders.
# usage: run.sh FARCAST [S3S-FS]; 77 where there is no server, or no feature `remote`.
set -euo pipefail
farcast=$(realpath "$1")
server=${2:-s3s-fs}
command -v "$server" >/dev/null || { echo "no s3s-fs: cargo install s3s-fs@0.14.1 --features binary"; exit 77; }
here=$(mktemp -d)
cleanup() { [ -z "${pid:-}" ] || kill "$pid" 2>/dev/null || true; chmod -R u+w "$here"; rm -rf "$here"; }
trap cleanup EXIT
export NO_COLOR=1 AWS_ACCESS_KEY_ID=ours AWS_SECRET_ACCESS_KEY=secret
unset FARCAST_STORE AWS_SESSION_TOKEN AWS_PROFILE
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

start() {
    "$server" --access-key ours --secret-key secret --host 127.0.0.1 --port "$port" "$here/buckets" \
        >>"$here/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
        sleep 0.1
    done
    echo "s3s-fs does not answer"; cat "$here/server.log"; exit 1
}
stop() { kill "$pid"; wait "$pid" 2>/dev/null || true; pid=; }

fail() { echo "FAILED: $1"; cat "$here/said"; exit 1; }
# as WHO expects TEXT in what the command says.
as() {
    local who=$1 text=$2; shift 2
    (cd "$here/$who" && XDG_CONFIG_HOME="$here/$who/config" "$farcast" "$@") >"$here/said.$who" 2>&1 || true
    grep -qF -- "$text" "$here/said.$who" || { mv "$here/said.$who" "$here/said"; fail "$who: farcast $*: expected \`$text\`"; }
    echo "ok      $who: farcast $*: $text"
}
project() {
    mkdir -p "$here/$1"
    cat >"$here/$1/farcast.toml" <<TOML
[remote.team]
url = "s3://results/of/the team"
endpoint = "http://127.0.0.1:$port"
region = "us-east-1"
mode = "read-write"
trust = "writers"
TOML
    cat >"$here/$1/it.farcast" <<'TEXT'
data all = synthetic(regime, rows: 400)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: all)
TEXT
    as "$1" "results may come from" trust team
}

mkdir -p "$here/buckets/results"
start
project ada
if (cd "$here/ada" && "$farcast" push --all --dry-run 2>&1 || true) | grep -q "without the feature"; then
    echo "this farcast has no buckets"; exit 77
fi
as ada "4 ran, 0 cached" run it.farcast
as ada "pushed 4 results" push it.farcast
as ada "pushed 0 results" push it.farcast
project bob
as bob "0 ran, 4 cached" run it.farcast
cmp "$here/ada/out/it/scores.parquet" "$here/bob/out/it/scores.parquet" || fail "other scores"
as bob "would remove 0 files" cache gc --remote team --dry-run

# Two writers at once, on an empty bucket.
find "$here/buckets/results" -mindepth 1 -delete
as ada "results to" push --all & as bob "results to" push --all & wait -n; wait
project cid
as cid "0 ran, 4 cached" run it.farcast

# Damaged objects are computed again, and mended.
find "$here/buckets/results" -path '*objects/*' -type f ! -name '.*' -exec sh -c 'printf x >"$1"' _ {} \;
project dan
as dan "4 ran, 0 cached" run it.farcast
as dan "are mended" push it.farcast
project eve
as eve "0 ran, 4 cached" run it.farcast

# Wrong credentials, a bucket that is not there, a server that is away: a note, and the run goes on.
project fay
AWS_SECRET_ACCESS_KEY=wrong as fay "\`team\` is away" run it.farcast
project gil
sed -i 's/results/nowhere/' "$here/gil/farcast.toml"
as gil "results may come from" trust team
as gil "4 ran, 0 cached" run it.farcast
as gil "there is no such bucket" push it.farcast
stop
project hal
as hal "\`team\` is away" run it.farcast
as hal "error:" push it.farcast
start
as hal "0 results to" push it.farcast
