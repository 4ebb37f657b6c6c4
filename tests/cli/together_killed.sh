#!/usr/bin/env bash
# together_killed.sh PROGRAM [MPIEXEC]: a run by two processes of which one is killed, then one told to
# stop, goes on to the bits of a run that was left alone, and nothing waits for ever.
set -euo pipefail
program=$(realpath "$1")
mpiexec=${2:-}
if [ -z "$mpiexec" ]; then
    echo "skipped: this build has no MPI"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/softlabel-together-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "together_killed: $1" >&2
    cat ./*.err >&2 || true
    exit 1
}

"$program" data synth --out data --train 256 --test 40 --quiet >/dev/null
# train OUT: with the processes' ids in rank.0 and rank.1
train() {
    # shellcheck disable=SC2016 # expanded by each process
    timeout 120 "$mpiexec" -q -np 2 sh -c 'echo $$ >rank.$OMPI_COMM_WORLD_RANK && exec "$@"' sh \
        "$program" train --data data --model resnet_basic_14 --recipe fast --epochs 5 \
        --batch-size 32 --threads 1 --save-every 2 --out "$1" --quiet >/dev/null 2>"$1.err"
}
train alone || fail "the undisturbed run failed"

# hit SIGNAL RANK: starts, or goes on, and strikes when the state has been saved anew
hit() {
    local before run status=0
    before=$(stat -c %i hit/checkpoints/state.safetensors 2>/dev/null || true)
    rm -f rank.*
    train hit &
    run=$!
    for ((i = 0; i < 600; i++)); do
        now=$(stat -c %i hit/checkpoints/state.safetensors 2>/dev/null || true)
        [ -z "$now" ] || [ "$now" = "$before" ] || break
        sleep 0.05
    done
    kill -"$1" "$(cat "rank.$2")" || fail "the run was over before rank $2 got $1"
    wait "$run" || status=$?
    echo "$1 to rank $2: exit status $status"
    [ $status != 124 ] || fail "the others waited"
    [ $status != 0 ] || fail "the run was over before rank $2 got $1"
    [ ! -e hit/result.json ] || fail "a result appeared"
}
hit KILL 1
hit TERM 1
[ "$(cat hit.err)" = "softlabel: stopped; the state is saved" ] || fail "told to stop, it said more"
hit KILL 0
train hit || fail "the run didn't go on to its end"
for file in metrics.csv model.safetensors config.json; do
    cmp "alone/$file" "hit/$file" || fail "$file differs"
done
