# What people do with runs on Slurm, and the settings of farcast.toml. Sourced by run.sh.

QUICK=(plain wait rounds attach edited one_cancelled cancelled no_coordinator max_jobs resources setup refused)

case_plain() {
    new plain $QUICK_STEPS
    submit || bad "submit"
    local took; took=$(since)
    until_true 120 ended
    verdict "submit and leave" "submitted in $took s"
}

case_wait() {
    new wait $QUICK_STEPS
    if submit --wait >answer; then verdict "--wait"; else bad "--wait" "$(cat answer)"; fi
}

# An experiment whose sweep needs the scores of a round for the next.
search() {
    echo 'param pull: Int = 10 in 1..=200'
    experiment $QUICK_STEPS | sed -e 's/steps: 10)/steps: pull)/' \
        -e 's/^sweep .*/sweep degrees = tpe(14, pull: 5..=60, minimise: skill.rmse)/'
}

case_rounds() {
    new rounds - < <(search)
    submit
    until_true 200 ended
    verdict "a search goes on in rounds"
}

case_attach() {
    new attach $SLOW
    submit
    "$FARCAST" run it.farcast --on slurm 2>&1 | grep -q 'nothing is missing' || bad "the same command again"
    "$FARCAST" attach --quiet >/dev/null || bad "attach exits with $?"
    until_true 60 ended
    verdict "the same command again, and attach"
}

case_edited() {
    new edited $SLOW
    submit
    echo 'data broken = ' >>it.farcast
    until_true 120 ended
    verdict "the file is edited after submission"
}

case_one_cancelled() {
    new one-cancelled $SLOW
    submit
    until_true 60 running 2 2 || bad "nothing runs"
    scancel "$(running_jobs 2 | head -1 | cut -d' ' -f1)"
    until_true 120 ended
    verdict "scancel of one task"
}

case_cancelled() {
    new cancelled $SLOW
    submit
    until_true 60 running 2 2 || bad "nothing runs"
    "$FARCAST" cancel last 2>/dev/null
    until_true 10 no_own_jobs && [ "$(state)" = cancelled ] || bad "cancel" "$(state)"
    submit
    until_true 120 ended
    verdict "cancel, then the same command"
}

case_no_coordinator() {
    new no-coordinator - 'coordinator = false' < <(search)
    submit
    until_true 60 no_own_jobs
    local first; first="$(state)"
    [ "$first" = ready ] || bad "between rounds" "state $first"
    # The same command submits one round and leaves; attach does the rest.
    submit
    until_true 60 no_own_jobs
    "$FARCAST" attach --quiet >/dev/null || bad "attach exits with $?"
    grep -q next "$SBATCH_LOG" && bad "a coordinator was submitted"
    verdict "no jobs from jobs: attach goes on"
}

case_max_jobs() {
    new max-jobs $QUICK_STEPS $'chunk = "5 min"\nmax_jobs = 4\nmax_array = 2'
    submit
    local most=0 now
    while ! ended && [ "$(since | cut -d. -f1)" -lt 200 ]; do
        now=$(own_jobs %i -r -t PD,R | wc -l)
        [ "$now" -gt $most ] && most=$now
        sleep .1
    done
    [ $most -le 4 ] || bad "max_jobs" "$most jobs at the same time"
    verdict "max_jobs = 4, max_array = 2" "at most $most jobs at once"
}

case_resources() {
    new resources $QUICK_STEPS 'args = ["--hold"]
cpus = 1
[on.slurm.resources.mlp]
cpus = 2
mem = "300M"
time = "5"
[on.slurm.resources.coordinator]
time = "3"
args = ["--nice=7"]
[profile.debug.on.slurm]
mem = "150M"'
    submit --profile debug
    own_jobs '%C|%m|%l|%y' -a | sed 's/^1-//' | sort >asked
    # By default; of the plugin; of the coordinator, after those of every job.
    local expected
    for expected in '0|1|150M|UNLIMITED|0' '3|2|300M|5:00|0' 'next|1|150M|3:00|7'; do
        grep -qxF "$expected" asked || bad "resources" "expected $expected of $(tr '\n' ' ' <asked)"
    done
    while ! ended && [ "$(since | cut -d. -f1)" -lt 60 ]; do
        own_jobs %F -t PD | sed 's/.*|//' | sort -u | xargs -r scontrol release 2>/dev/null
        sleep .3
    done
    verdict "resources by plugin and profile"
}

case_setup() {
    new setup $QUICK_STEPS 'farcast = "own-farcast"
setup = ["source ./env.sh", "note it is set up"]'
    mkdir "tools of mine"
    ln -s "$FARCAST" "tools of mine/own-farcast"
    cat >env.sh <<'LINES'
export PATH="$PWD/tools of mine:$PATH"
note() { echo "$*: $SLURM_JOB_ID" >>setup.log; }
LINES
    submit
    until_true 60 ended
    # Each job once, the coordinator, too.
    [ "$(sort -u setup.log | wc -l)" -ge 3 ] || bad "setup" "$(cat setup.log)"
    verdict "setup lines, a program of their own"
}

# What Slurm refuses leaves nothing behind that a mended command would trip over.
case_refused() {
    new refused $QUICK_STEPS 'partition = "nowhere"'
    submit 2>said && bad "a partition that does not exist"
    grep -q 'nowhere\|partition' said || bad "refused" "$(cat said)"
    sed -i 's/^partition.*/max_array = 20/' farcast.toml
    submit || bad "submit"
    until_true 60 ended
    verdict "refused, mended, the same command"
}
