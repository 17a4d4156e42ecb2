#!/usr/bin/env bash
# run.sh FARCAST [quick|ci|faults|shipped|all|CASE...] - runs on a real Slurm controller and four nodes on loopback,
# with the faults that clusters have. In every case the scores must be the bytes of a run on one machine, no
# array may be submitted twice, and `status` must say how it ended.
#
# quick   what people do, and the settings; four cases at a time
# ci      quick and the faults that are over soon               (the default; what `.ci/run` runs)
# faults  all faults                                               (about ten minutes, most of it waiting)
# shipped the experiments that ship with farcast, as small as they go
#
# Exits with 77 where Slurm cannot be started, with 1 when anything is wrong. Prints a line for each case:
# how long it took, and what it cost in orders, submissions and actions that ran again.
set -u
FARCAST="$(realpath "$1")"
shift
HERE="$(cd "$(dirname "$0")" && pwd)"
BASE="$(mktemp -d "${TMPDIR:-/tmp}/farcast-slurm.XXXXXX")"
. "$HERE/harness.sh"
. "$HERE/quick.sh"
. "$HERE/faults.sh"
. "$HERE/shipped.sh"

AT_ONCE=() CASES=()
for word in "${@:-ci}"; do
    case "$word" in
    quick) AT_ONCE=("${QUICK[@]}") ;;
    ci) AT_ONCE=("${QUICK[@]}" "${FAULTS_AT_ONCE[@]}") CASES+=("${FAULTS_OF_SECONDS[@]}") ;;
    faults) AT_ONCE=("${FAULTS_AT_ONCE[@]}") CASES+=("${FAULTS_OF_SECONDS[@]}" "${FAULTS_OF_MINUTES[@]}") ;;
    shipped) CASES+=("${SHIPPED[@]}") ;;
    all) AT_ONCE=("${QUICK[@]}" "${FAULTS_AT_ONCE[@]}") CASES+=("${FAULTS_OF_SECONDS[@]}" "${FAULTS_OF_MINUTES[@]}" "${SHIPPED[@]}") ;;
    *) declare -F "case_$word" >/dev/null || { echo "there is no case \`$word\`" >&2; exit 2; }
       CASES+=("$word") ;;
    esac
done

start_cluster
: >"$BASE/wrong"
for case in "${AT_ONCE[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do sleep .2; done
    ("case_$case") &
done
wait
for case in "${CASES[@]}"; do
    heal
    "case_$case"
done
wrong=$(wc -l <"$BASE/wrong")
printf '%s cases, %s wrong\n' $((${#AT_ONCE[@]} + ${#CASES[@]})) "$wrong"
exit $((wrong > 0))
