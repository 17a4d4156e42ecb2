#!/usr/bin/env bash
# run.sh FARCAST [faults] - runs on a real Slurm controller and four nodes on loopback, with the faults that
# clusters have; every result is compared with that of a run on one machine.
# Without `faults` it ends before the cases that take minutes: lost nodes and controllers, limits.
# Exits with 77 where Slurm cannot be started, with 1 when anything is wrong. Prints a line per case.
set -u
FARCAST="$(realpath "$1")"
HERE="$(cd "$(dirname "$0")" && pwd)"
BASE="$(mktemp -d "${TMPDIR:-/tmp}/farcast-slurm.XXXXXX")"
NODES=4 CPUS=2 "$HERE/start.sh" "$BASE/c" >"$BASE/start.log" 2>&1
code=$?
if [ $code != 0 ]; then cat "$BASE/start.log" >&2; rm -rf "$BASE"; exit $code; fi
trap '"$HERE/stop.sh" "$BASE/c"; rm -rf "$BASE"' EXIT
. "$BASE/c/env.sh"
export NO_COLOR=1
failed=0
T0=0

ok() { printf 'ok    %-46s %5.1f s  %s\n' "$1" "$(since)" "${2:-}"; }
bad() { printf 'WRONG %-46s %5.1f s  %s\n' "$1" "$(since)" "${2:-}"; failed=1; }
start() { T0=$(date +%s.%N); }
since() { echo "$(date +%s.%N) - $T0" | bc -l 2>/dev/null || python3 -c "import time;print(time.time()-$T0)"; }

# A folder with an experiment and its undisturbed scores.
new() { # name steps
    mkdir -p "$BASE/$1/alone"
    cat >"$BASE/$1/it.farcast" <<EOF
param degree: Int = 1 in 1..=3
data all = synthetic(regime, rows: 400)
data near = where(all, z < 1)
parent net = mlp(near, inputs: [x], target: y, hidden: [16, 16], steps: $2, members: 3)
subset some = window(near, by: z, count: 8, size: 30)
anomaly shift = finetune(net, some, steps: 10)
regression drift = polynomial(shift, columns(z), degree: degree)
child moved = apply(drift, all)
score skill = compare(net, moved, on: all, metrics: [rmse])
sweep degrees = grid(degree: [1, 2, 3], minimise: skill.rmse)
child best = apply(drift, near)
score final = compare(net, best, on: near, metrics: [rmse])
report page = page(skill, final)
EOF
    cp "$BASE/$1/it.farcast" "$BASE/$1/alone/"
    (cd "$BASE/$1/alone" && "$FARCAST" run it.farcast --quiet >/dev/null) || bad "$1: alone"
    cd "$BASE/$1" || exit 1
    printf '[on.slurm]\nmem = "200M"\nchunk = "60 s"\n%s\n' "${3:-}" >farcast.toml
    start
}
same() { cmp -s out/it/scores.csv alone/out/it/scores.csv; }
state() { "$FARCAST" status last --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["state"])'; }
until_true() { # seconds command...
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -ge $end ] && return 1; sleep .3; done
}
ended() { [ -e .farcast/work/*/ended.json ]; }
# Jobs of the array with this number that run, as id and node.
running_jobs() { squeue -h -t R -o '%j %i %N' | sed -n "s/^[^ ]*-$1 //p"; }
running() { [ "$(running_jobs "$1" | wc -l)" -ge "${2:-1}" ]; }
verdict() { # case words
    if ended && same && [ "$(state)" = finished ]; then ok "$1" "${2:-}"; else
        bad "$1" "$(state) $(ls .farcast/work/*/)"; tail -n 5 .farcast/work/*/*/log/*.log; fi
}

new plain 200
"$FARCAST" run it.farcast --on slurm || bad "submit"
took=$(since)
until_true 300 ended
verdict "submit and leave; rounds by coordinators" "submitted in ${took:0:4} s, $(ls -d .farcast/work/*/[0-9]* | wc -l) orders"

new wait 200
"$FARCAST" run it.farcast --on slurm --wait --quiet >answer && verdict "--wait" || bad "--wait" "$(cat answer)"

new rounds 200
sed -i -e '1i param pull: Int = 10 in 1..=200' -e 's/steps: 10)/steps: pull)/' \
    -e 's/^sweep .*/sweep degrees = tpe(14, pull: 5..=60, minimise: skill.rmse)/' it.farcast alone/it.farcast
(cd alone && "$FARCAST" run it.farcast --store own --quiet >/dev/null) || bad "rounds: alone"
"$FARCAST" run it.farcast --on slurm --quiet
until_true 300 ended
verdict "rounds of a search" "$(ls -d .farcast/work/*/[0-9]* | wc -l) orders"

new attach 1500000
"$FARCAST" run it.farcast --on slurm --quiet
"$FARCAST" run it.farcast --on slurm 2>&1 | grep -q 'nothing is missing' || bad "the same command again"
before=$(squeue -h -o %j | sort -u | wc -l)
"$FARCAST" attach --quiet >/dev/null || bad "attach exits with $?"
until_true 300 ended
verdict "the same command again submits nothing; attach" "$before arrays"

new edited 1500000
"$FARCAST" run it.farcast --on slurm --quiet
echo 'data broken = ' >>it.farcast
until_true 300 ended
verdict "the file is edited after submission"

new one-cancelled 1500000
"$FARCAST" run it.farcast --on slurm --quiet
until_true 60 running 2 2
scancel "$(running_jobs 2 | head -1 | cut -d' ' -f1)"
until_true 300 ended
verdict "scancel of one task" "$(ls -d .farcast/work/*/[0-9]* | wc -l) orders"

new cancelled 1500000
"$FARCAST" run it.farcast --on slurm --quiet
until_true 60 running 2 2
"$FARCAST" cancel last 2>/dev/null
sleep 2
[ -z "$(squeue -h)" ] && [ "$(state)" = cancelled ] || bad "cancel" "$(state)"
"$FARCAST" run it.farcast --on slurm --quiet
until_true 300 ended
verdict "cancel, then the same command"

[ "${2:-}" = faults ] || exit $failed

new node-crash 1500000
"$FARCAST" run it.farcast --on slurm --quiet
until_true 60 running 2 2
node=$(running_jobs 2 | head -1 | cut -d' ' -f2)
"$HERE/fault.sh" "$BASE/c" node-crash "$node"
until_true 300 ended
verdict "a node crashes" "$node"
"$HERE/fault.sh" "$BASE/c" node-start "$node"

new node-down 1500000
"$FARCAST" run it.farcast --on slurm --quiet
until_true 60 running 2 2
node=$(running_jobs 2 | head -1 | cut -d' ' -f2)
"$HERE/fault.sh" "$BASE/c" node-down "$node"
until_true 300 ended
verdict "a node goes down" "$node"
"$HERE/fault.sh" "$BASE/c" node-resume "$node"

new controller 1500000
"$FARCAST" run it.farcast --on slurm --quiet
until_true 60 running 2
"$HERE/fault.sh" "$BASE/c" ctld-kill
"$FARCAST" status last 2>&1 | grep -q 'does not answer' || bad "status without a controller"
sleep 2
"$HERE/fault.sh" "$BASE/c" ctld-start
until_true 300 ended
verdict "the controller is killed and comes back"

new forgotten 1500000
"$FARCAST" run it.farcast --on slurm --quiet
"$HERE/fault.sh" "$BASE/c" ctld-kill
rm -rf "$BASE"/c/state/job_state* "$BASE"/c/state/hash.* "$BASE"/c/state/last_config*
"$HERE/fault.sh" "$BASE/c" ctld-start
sleep 3
word=$(state)
"$FARCAST" run it.farcast --on slurm --quiet
until_true 300 ended
verdict "the controller forgets the jobs" "status said $word"

new killed 200 'max_array = 1'
slow="$BASE/killed/bin"; mkdir -p "$slow"
printf '#!/bin/sh\nsleep .5\nexec %s "$@"\n' "$(command -v sbatch)" >"$slow/sbatch"; chmod +x "$slow/sbatch"
PATH="$slow:$PATH" "$FARCAST" run it.farcast --on slurm --quiet & pid=$!
sleep 1.3; kill -9 $pid; wait $pid 2>/dev/null
"$FARCAST" run it.farcast --on slurm --quiet
until_true 300 ended
verdict "farcast is killed while it submits" "$(cat .farcast/work/*/[0-9]*/jobs | sort -u | wc -l) jobs in $(ls -d .farcast/work/*/[0-9]* | wc -l) orders"

new time-limit 100 'time = "1"'
sed -i 's/steps: 100,/steps: 90000000,/' it.farcast
"$FARCAST" run it.farcast --on slurm --quiet
until_true 240 ended
if [ "$(state)" = failed ] && "$FARCAST" status last | grep -q TIMEOUT; then
    ok "the time limit is reached" "given up after $(ls -d .farcast/work/*/[0-9]* | wc -l) orders"
else bad "the time limit" "$(state)"; "$FARCAST" status last; fi

exit $failed
