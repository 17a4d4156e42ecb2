# What the cases of run.sh share: a cluster, experiments, and how a case is judged. Sourced by bash.

T0=0

start_cluster() {
    NODES=4 CPUS=2 "$HERE/start.sh" "$BASE/c" >"$BASE/start.log" 2>&1
    local code=$?
    if [ $code != 0 ]; then cat "$BASE/start.log" >&2; rm -rf "$BASE"; exit $code; fi
    trap stop_all EXIT
    . "$BASE/c/env.sh"
    export NO_COLOR=1
    # Notes what Slurm took, from people and from coordinator jobs.
    mkdir "$BASE/bin"
    cat >"$BASE/bin/sbatch" <<SCRIPT
#!/bin/sh
$(command -v sbatch) "\$@" || exit
for word in "\$@"; do case "\$word" in --job-name=*) echo "\${word#*=}" >>"\$SBATCH_LOG" ;; esac; done
SCRIPT
    chmod +x "$BASE/bin/sbatch"
    export PATH="$BASE/bin:$PATH" SBATCH_LOG="$BASE/sbatch.log"
}

stop_all() {
    "$HERE/stop.sh" "$BASE/c"
    [ ! -d "$BASE/limits" ] || "$HERE/stop.sh" "$BASE/limits/c"
    mountpoint -q "$BASE/full-store/small" && umount "$BASE/full-store/small"
    rm -rf "$BASE"
}

# After a case, whatever it did: no jobs, all nodes and the controller there.
heal() {
    . "$BASE/c/env.sh"
    timeout 3 scontrol ping 2>/dev/null | grep -q UP || "$HERE/fault.sh" "$BASE/c" ctld-start
    scancel --user="$(id -un)" 2>/dev/null
    local node
    for node in n1 n2 n3 n4; do
        kill -0 "$(cat "$BASE/c/pid/slurmd.$node.pid")" 2>/dev/null || "$HERE/fault.sh" "$BASE/c" node-start $node
        case "$(sinfo -h -n $node -o %T)" in down* | drain*) "$HERE/fault.sh" "$BASE/c" node-resume $node ;; esac
    done
    until_true 30 no_jobs || echo "jobs of the case before are still there" >&2
}
no_jobs() { [ -z "$(squeue -h)" ]; }
# The jobs of the run in this folder, in this format; cases may run at the same time.
own_jobs() { # format options...
    local format=$1 token; shift
    token=$(sed 's/.*"token":"\([^"]*\)".*/\1/' .farcast/work/*/run.json)
    squeue -h -o "%j|$format" "$@" | sed -n "s/^fc-[A-Za-z0-9_]*-$token-//p"
}
no_own_jobs() { [ -z "$(own_jobs %i)" ]; }

skip() { printf 'skip  %-46s          %s\n' "$1" "$2"; }
ok() { printf 'ok    %-46s %5.1f s  %s\n' "$1" "$(since)" "${2:-}"; }
bad() { printf 'WRONG %-46s %5.1f s  %s\n' "$1" "$(since)" "${2:-}"; echo "$1" >>"$BASE/wrong"; }
start() { T0=$(date +%s%N); }
since() { local ms=$((($(date +%s%N) - T0) / 1000000)); printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100)); }

# An experiment of 44 actions: three members, whose training takes the longest, and a sweep of three points.
experiment() { # steps
    sed -e 's/rows: 300/rows: 400/' -e "s/epochs: 2, members: 2/hidden: [16, 16], steps: $1, members: 3/" \
        "$HERE/../rounds.farcast"
    echo 'report page = page(skill, final)'
}
# Steps of training that take a few seconds, and hardly any time.
SLOW=${SLOW:-500000}
QUICK_STEPS=200

# A folder with an experiment, its undisturbed scores, and settings of the queue; what stands on standard
# input, if anything, is the experiment.
new() { # name steps settings
    mkdir -p "$BASE/$1"
    cd "$BASE/$1" || exit 1
    if [ "$2" = - ]; then cat >it.farcast; else experiment "$2" >it.farcast; fi
    undisturbed ${DATA:-}
    { echo "[on.slurm]"; [[ "${3:-}" == *chunk* ]] || echo 'chunk = "60 s"'; [[ "${3:-}" == *"mem ="* ]] || echo 'mem = "200M"'; echo "${3:-}"; } >farcast.toml
    export SBATCH_LOG="$PWD/sbatch.log"
    : >"$SBATCH_LOG"
    start
}
undisturbed() { # data files...
    alone="$BASE/alone/$(cat it.farcast "$@" | cksum | tr ' ' -)"
    mkdir -p "$BASE/alone"
    if ! mkdir "$alone" 2>/dev/null; then
        # Another case has the same experiment, and may still run it.
        until_true 300 [ -e "$alone/said" ]
        return
    fi
    cp it.farcast "$@" "$alone"
    (cd "$alone" && "$FARCAST" run it.farcast --quiet >/dev/null 2>saying) || { bad "alone"; cat "$alone/saying"; }
    mv "$alone/saying" "$alone/said"
}
submit() { "$FARCAST" run it.farcast --on slurm --quiet "$@"; }
same() { cmp -s out/it/scores.csv "$alone/out/it/scores.csv"; }
state() { "$FARCAST" status last --json 2>/dev/null | python3 -c 'import json,sys; print(json.load(sys.stdin)["state"])'; }
orders() { ls -d .farcast/work/*/[0-9]* | wc -l; }
ended() { [ -e .farcast/work/*/ended.json ]; }
until_true() { # seconds command...
    local end=$((SECONDS + $1)); shift
    until "$@"; do [ $SECONDS -ge $end ] && return 1; sleep .2; done
}
# Jobs of the array with this number that run, as id and node.
running_jobs() { own_jobs '%i %N' -t R | sed -n "s/^[0-9]*-$1|//p"; }
running() { [ "$(running_jobs "$1" | wc -l)" -ge "${2:-1}" ]; }
# Arrays that were submitted twice.
twice() { sort "$SBATCH_LOG" | uniq -d; }
# How many actions ran in jobs more than once.
again() {
    cat .farcast/work/*/[0-9]*/log/*.log 2>/dev/null | sed -n 's/^\[[0-9/]*\] \(.*\)  [0-9.]* s$/\1/p' | sort >ran
    echo $(($(wc -l <ran) - $(sort -u ran | wc -l)))
}
cost() { echo "$(orders) orders, $(sort -u "$SBATCH_LOG" | wc -l) submissions, $(again) actions again"; }

verdict() { # case words
    local what=""
    ended || what="it has not ended; "
    same || what+="other scores; "
    [ "$(state)" = finished ] || what+="state $(state); "
    [ -z "$(twice)" ] || what+="submitted twice: $(twice | tr '\n' ' '); "
    if [ -z "$what" ]; then ok "$1" "$(cost)${2:+; $2}"; return; fi
    bad "$1" "$what$(cost)${2:+; $2}"
    "$FARCAST" status last
    own_jobs '%i %T %r' -a
    tail -q -n 2 .farcast/work/*/*/log/*.log | head -40
}
