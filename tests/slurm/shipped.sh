# The experiments that ship with farcast, on Slurm and alone: the same bytes. Sourced by run.sh.

SHIPPED=(smoke few_members torch)
EXPERIMENTS="$HERE/../../experiments"

# Every file that a run writes, but for what says when and where it ran.
outputs() { (cd "$1" && find . -type f ! -name run.json ! -name report.html -exec cksum {} + | sort -k3); }

# An experiment, with these arguments, alone and as jobs.
both() { # path arguments...
    local file=$1 name; name="$(basename "$1" .farcast)-on-slurm"
    shift
    mkdir -p "$BASE/$name"
    cd "$BASE/$name" || exit 1
    cp -r "$EXPERIMENTS"/. .
    rm -rf .farcast out
    # `know` reads a network of the tests, beside `experiments`.
    mkdir -p ../plugins/testdata
    ln -sfn "$HERE/../../plugins/testdata/networks" ../plugins/testdata/networks
    printf '[on.slurm]\nmem = "900M"\nchunk = "30 s"\n' >farcast.toml
    export SBATCH_LOG="$PWD/sbatch.log"
    : >"$SBATCH_LOG"
    start
    "$FARCAST" run "$file" "$@" --tables --weights --quiet --store alone-store --out alone >/dev/null 2>said ||
        { bad "$name alone" "$(tail -3 said)"; return; }
    local alone; alone=$(since)
    "$FARCAST" run "$file" "$@" --tables --weights --quiet --on slurm --wait --out there >/dev/null 2>said ||
        { bad "$name" "$(tail -3 said)"; return; }
    outputs alone >bytes-alone
    outputs there >bytes-there
    if [ -s bytes-alone ] && cmp -s bytes-alone bytes-there && [ -z "$(twice)" ]; then
        ok "$(basename "$file") $*" "$(wc -l <bytes-alone) files; alone in $alone s; $(cost)"
    else
        bad "$(basename "$file") $*" "$(twice) $(diff bytes-alone bytes-there | head -5)"
    fi
    # The job after all chunks may still look.
    until_true 60 no_own_jobs
    cd "$BASE" && rm -rf "${BASE:?}/$name"
}

case_smoke() {
    local file
    for file in "$EXPERIMENTS"/smoke/*.farcast; do both "smoke/$(basename "$file")"; done
}

# The others as small as they go.
case_know() { both know.farcast --set members=5; }
case_few_members() {
    case_know
    both density.farcast --set members=1
    both amoc.farcast --set members=1
    both wind.farcast --set members=1
    both few.farcast
    both when.farcast
    both farcast_syn.farcast --set members=17
    both farcast_cnn.farcast --set members=4
    both nowcast.farcast --set members=1 --set steps=200
    both rebasin.farcast --set steps=100
    both signature.farcast --set steps=50 --set width=32
    both tasks.farcast --set steps=50 --set width=32
    both ema.farcast --set steps=480 --set width=32
}

# Networks of PyTorch are programs of one's own: the nodes need the same trust and the same Python.
case_torch() {
    start
    python3 -c "import torch" 2>/dev/null || { ok torch/ocean.farcast "skipped: no torch"; return; }
    both torch/ocean.farcast --trust
}
