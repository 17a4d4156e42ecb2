# What goes wrong on clusters. Sourced by run.sh.

# These leave the cluster alone, so that cases can run beside them.
FAULTS_AT_ONCE=(killed setup_fails data_changed)
FAULTS_OF_SECONDS=(forgotten node_down controller held)
FAULTS_OF_MINUTES=(node_crash controller_at_once time_limit out_of_memory orphan full_store slow_store user_limit)

# Nodes remember jobs for a while, so that Slurm may hold others that get their ids: the same command releases them.
until_ended() { # seconds
    local end=$((SECONDS + $1))
    held=0
    until ended || [ $SECONDS -ge $end ]; do
        sleep 1
        own_jobs %r -t PD | grep -q 'requeued held' || continue
        "$FARCAST" status last 2>&1 >/dev/null | grep -q 'Slurm holds jobs' || bad "status says nothing of jobs held"
        sleep 5
        submit
        held=$((held + 1))
    done
}

case_killed() {
    new killed $QUICK_STEPS 'max_array = 1'
    mkdir bin
    printf '#!/bin/sh\nsleep .5\nexec %s "$@"\n' "$(command -v sbatch)" >bin/sbatch
    chmod +x bin/sbatch
    PATH="$PWD/bin:$PATH" "$FARCAST" run it.farcast --on slurm --quiet & local pid=$!
    # In the middle of the second or third sbatch, which goes on alone.
    sleep 1.3; kill -9 $pid; wait $pid 2>/dev/null
    submit
    until_true 120 ended
    verdict "farcast is killed while it submits"
}

case_forgotten() {
    new forgotten $SLOW
    submit
    until_true 60 running 2 || bad "nothing runs"
    "$HERE/fault.sh" "$BASE/c" ctld-kill
    rm -rf "$BASE"/c/state/job_state* "$BASE"/c/state/hash.* "$BASE"/c/state/last_config*
    "$HERE/fault.sh" "$BASE/c" ctld-start
    # Ids are given again: this one is not ours.
    local id; id=$(sbatch --parsable --hold --wrap=true)
    sleep 2
    local word; word=$(state)
    [ "$word" = interrupted ] || bad "status" "$word"
    "$FARCAST" status last 2>&1 >/dev/null | grep -q 'chunks have not ended, and no jobs are left for them: `farcast attach' ||
        bad "status does not say what is lost" "$("$FARCAST" status last 2>&1)"
    submit
    scancel "$id"
    until_ended 200
    verdict "the controller forgets all jobs" "an id given again was $id; held ones released $held times"
    local node
    for node in n1 n2 n3 n4; do
        kill "$(cat "$BASE/c/pid/slurmd.$node.pid")"
        until_true 10 gone "$(cat "$BASE/c/pid/slurmd.$node.pid")"
        "$HERE/fault.sh" "$BASE/c" node-start $node
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

case_setup_fails() {
    new setup-fails $QUICK_STEPS 'setup = ["exit 3"]'
    submit
    until_true 60 no_own_jobs
    # No job can do anything, the coordinator neither.
    [ "$(state)" = interrupted ] || bad "a broken setup" "state $(state)"
    sed -i '/^setup/d' farcast.toml
    submit
    until_true 60 ended
    verdict "setup ends every job; mended, the same command"
}

# Data that change under a run: it ends and says so; the same command runs with what is there now.
case_data_changed() {
    mkdir "$BASE/data-changed" && (cd "$BASE/data-changed" && rows 1)
    DATA=rows.csv new data-changed - < <(experiment $SLOW | sed 's/^data all = .*/data all = csv("rows.csv")/')
    submit
    until_true 60 running 2 || bad "nothing runs"
    rows 2
    until_true 120 ended
    local said; said=$("$FARCAST" status last 2>/dev/null)
    [ "$(state)" = failed ] && grep -q 'data file `rows.csv` has changed since' <<<"$said" || bad "data that changed" "$said"
    undisturbed rows.csv
    submit
    until_true 120 ended
    verdict "data change after submission, the same command"
}
# Other numbers for another seed.
rows() {
    awk -v seed="$1" 'BEGIN { srand(seed); print "x,z,y"; for (i = 0; i < 400; i++) { x = rand(); z = 2 * rand(); print x "," z "," x * z } }' >rows.csv
}

case_node_crash() {
    new node-crash $SLOW
    submit
    until_true 60 running 2 2 || bad "nothing runs"
    local node; node=$(running_jobs 2 | head -1 | cut -d' ' -f2)
    "$HERE/fault.sh" "$BASE/c" node-crash "$node"
    until_true 300 ended
    verdict "a node crashes" "$node"
}

case_node_down() {
    new node-down $SLOW
    submit
    until_true 60 running 2 2 || bad "nothing runs"
    local node; node=$(running_jobs 2 | head -1 | cut -d' ' -f2)
    "$HERE/fault.sh" "$BASE/c" node-down "$node"
    until_true 300 ended
    verdict "a node goes down" "$node"
}

case_controller() {
    new controller $((4 * SLOW))
    submit
    until_true 60 running 2 || bad "nothing runs"
    # Slurm writes down what it knows within five seconds; what it has not is forgotten.
    touch runs
    until_true 15 [ "$BASE/c/state/job_state" -nt runs ]
    "$HERE/fault.sh" "$BASE/c" ctld-kill
    "$FARCAST" status last 2>&1 | grep -q 'does not answer' || bad "status without a controller"
    sleep 2
    "$HERE/fault.sh" "$BASE/c" ctld-start
    until_true 300 ended
    verdict "the controller is killed and comes back"
}

case_controller_at_once() {
    new controller-at-once $SLOW
    submit
    "$HERE/fault.sh" "$BASE/c" ctld-kill
    # Submitting again while it is away waits for it.
    (sleep 3; "$HERE/fault.sh" "$BASE/c" ctld-start) &
    submit || bad "submit without a controller"
    wait
    until_ended 300
    verdict "the controller is killed just after submission" "held ones released $held times"
}

# A node that loses its daemon: the controller takes it for dead and starts the job elsewhere, while the first
# attempt, an orphan, goes on.
case_orphan() {
    new orphan - < <(experiment $((12 * SLOW)) | sed 's/members: 3/members: 1/')
    submit
    until_true 60 running 2 || bad "nothing runs"
    local job node
    read -r job node < <(running_jobs 2 | head -1)
    kill -9 "$(cat "$BASE/c/pid/slurmd.$node.pid")"
    "$HERE/fault.sh" "$BASE/c" node-down "$node"
    until_true 60 two_attempts || bad "no orphan beside a later attempt"
    local word; word=$(state)
    [ "$word" = running ] || bad "status" "$word"
    until_true 300 ended
    verdict "a later attempt beside an orphan" "$node; $attempts at the same time"
}
two_attempts() {
    attempts=$(ps -eo args | grep "^$FARCAST work" | sed -n 's/.*order.json \([0-9]*\) .*/chunk \1 twice/p' | sort | uniq -d)
    [ -n "$attempts" ]
}

case_out_of_memory() {
    # Many rows are made, and few of them are used.
    new out-of-memory - 'mem = "100M"' < <(experiment $QUICK_STEPS |
        sed -e 's/rows: 400/rows: 3000000/; s/z < 1/z < 0.0002/; s/(drift, all)/(drift, near)/; s/on: all/on: near/')
    submit
    until_true 200 ended
    local words; words=$("$FARCAST" status last 2>/dev/null | grep -o 'its job ended.*' | head -1)
    [ "$(state)" = failed ] && [ -n "$words" ] || bad "out of memory" "state $(state)"
    sed -i 's/^mem.*/mem = "1500M"/' farcast.toml
    submit
    until_true 200 ended
    verdict "out of memory; with more, the same command" "$words"
}

# A store on a file system of its own, with so little room that some results do not fit.
case_full_store() {
    new full-store - < <(experiment $QUICK_STEPS | sed 's/rows: 400/rows: 6000/')
    mkdir small
    if ! mount -t tmpfs -o size=4m tmpfs small 2>/dev/null; then skip "the store is full" "cannot mount"; return; fi
    mkdir small/.farcast && ln -s small/.farcast .farcast
    head -c 3800k /dev/zero >small/ballast
    submit
    until_true 120 no_own_jobs
    local word; word=$(state)
    case "$word" in failed | interrupted) ;; *) bad "a full store" "state $word" ;; esac
    local said; said=$(grep -ho 'No space left[^;]*' .farcast/work/*/*/log/*.log .farcast/work/*/*/failed/* 2>/dev/null | head -1)
    "$FARCAST" cache verify >verified || bad "the store is damaged" "$(tail -1 verified)"
    rm small/ballast
    submit
    until_true 120 ended
    verdict "the store is full; with room, the same command" "$word at first: ${said:-no words}"
    cd "$BASE"; umount "$BASE/full-store/small"
}

# A store whose files answer 10 ms later, and are seen by other processes 3 s later, as over NFS.
case_slow_store() {
    cc -O1 -shared -fPIC -o "$BASE/slow.so" "$HERE/slow.c" -ldl || { skip "a slow store" "no C compiler"; return; }
    new slow-store $QUICK_STEPS "setup = [\"export LD_PRELOAD=$BASE/slow.so\"]"
    LD_PRELOAD="$BASE/slow.so" submit
    until_true 300 ended
    verdict "files that others see 3 s later"
}

# A limit on the jobs of a user, which needs Slurm's accounting.
case_user_limit() {
    ACCT=1 EXTRA_CONF=AccountingStorageEnforce=limits NODES=4 CPUS=2 "$HERE/start.sh" "$BASE/limits/c" >"$BASE/limits.log" 2>&1 ||
        { skip "a limit on jobs" "$(tail -1 "$BASE/limits.log")"; return; }
    . "$BASE/limits/c/env.sh"
    local me; me=$(id -un)
    { sacctmgr -i add account all; sacctmgr -i add user "$me" account=all; sacctmgr -i modify user "$me" set MaxSubmitJobs=6; } >/dev/null 2>&1
    sleep 2
    new user-limit $QUICK_STEPS $'chunk = "5 min"'
    submit || bad "submit"
    until_true 200 ended
    verdict "MaxSubmitJobs=6"
    "$HERE/stop.sh" "$BASE/limits/c"
}

# A program of the site that fails before every job: Slurm drains the node and holds the job.
case_held() {
    mkdir -p "$BASE/limits"
    printf '#!/bin/sh\n[ ! -e %s/limits/broken ]\n' "$BASE" >"$BASE/limits/prolog"
    chmod +x "$BASE/limits/prolog"
    touch "$BASE/limits/broken"
    EXTRA_CONF="Prolog=$BASE/limits/prolog" NODES=4 CPUS=2 "$HERE/start.sh" "$BASE/limits/c" >"$BASE/limits.log" 2>&1 ||
        { skip "a program before the jobs that fails" "$(tail -1 "$BASE/limits.log")"; return; }
    . "$BASE/limits/c/env.sh"
    new held $QUICK_STEPS $'chunk = "5 min"'
    submit
    until_true 60 held || bad "no job is held" "$(squeue -h -a -o '%i %T %r')"
    "$FARCAST" status last 2>&1 | grep -q "held" || bad "status" "$("$FARCAST" status last 2>&1)"
    rm "$BASE/limits/broken"
    local node
    for node in n1 n2 n3 n4; do "$HERE/fault.sh" "$BASE/limits/c" node-resume $node 2>/dev/null; done
    submit 2>said
    grep -q "they are released" said || bad "nothing was released" "$(cat said)"
    until_true 120 ended
    verdict "jobs held by Slurm are released by the same command"
    "$HERE/stop.sh" "$BASE/limits/c"
}
held() { squeue -h -a -o %r | grep -qi 'requeued.held'; }

case_time_limit() {
    new time-limit $QUICK_STEPS 'time = "1"'
    sed -i "s/steps: $QUICK_STEPS, members: 3/steps: 90000000, members: 1/" it.farcast
    submit
    until_true 300 ended
    if [ "$(state)" = failed ] && "$FARCAST" status last | grep -q TIMEOUT; then
        ok "the time limit is reached" "given up; $(cost)"
    else bad "the time limit" "$(state)"; "$FARCAST" status last; fi
}
