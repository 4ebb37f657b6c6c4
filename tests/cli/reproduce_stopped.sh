#!/usr/bin/env bash
# reproduce_stopped.sh PROGRAM: `reproduce --scale smoke` runs through; stopped at several moments, by
# Ctrl-C or by a kill, and continued, a smaller one makes the same tables, byte for byte.
set -euo pipefail
program=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/softlabel-reproduce-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/all" "$work/whole" "$work/stopped"
cd "$work/all"

fail() {
    echo "$*" >&2
    exit 1
}

# All of it. Times vary; the files are those that the documentation names.
"$program" reproduce --scale smoke --out r --threads 1 --jobs 2 2>said || fail "$(cat said)"
for name in images.txt judgments.txt evaluation-{resnet_basic_8,wrn_10_1}.txt \
    table-{1,2,3}.{txt,md,tex,csv} confusion.svg report.html \
    report-figures/{changes,curves-1,curves-2,examples,attack-1,attack-2}.{svg,pdf,png,gp}; do
    [ -s "r/report/$name" ] || fail "report/$name isn't there"
done
! grep -Eo '(src|href)="[^#"]*"|url\([^)]*\)|@import' r/report/report.html ||
    fail "the page refers to something outside"
python3 - r/report/*.svg r/report/report-figures/*.svg <<'EOF'
import sys, xml.etree.ElementTree as tree
for path in sys.argv[1:]:
    assert tree.parse(path).getroot().tag.endswith('svg'), path
EOF
# Once more: nothing is left to do.
"$program" reproduce --scale smoke --out r --threads 1 --jobs 2 2>said >/dev/null
[ ! -s said ] || fail "a finished reproduction did something again: $(cat said)"

small=(reproduce --scale smoke --out r --models resnet_basic_8 --lr 0.01 --tuning-epochs 1
    --threads 1 --quiet)
cd "$work/whole"
"$program" "${small[@]}" >/dev/null

# stop_at HOW FILE: runs until FILE is there, then ends the reproduction by a signal, or all of its
# processes at once.
stop_at() {
    local pid
    setsid "$program" "${small[@]}" >/dev/null 2>said &
    pid=$!
    while [ ! -e "$2" ]; do
        kill -0 $pid 2>/dev/null || fail "it ended before '$2' was there: $(cat said)"
        sleep 0.02
    done
    case $1 in
        everything) pkill -KILL --session $pid || true ;;
        *) kill -s "$1" $pid || true ;;
    esac
    if wait $pid; then
        quicker=$((quicker + 1)) # than the signal
    fi
}
quicker=0
cd "$work/stopped"
stop_at INT r/log/pretraining-resnet_basic_8.log
stop_at KILL r/pretraining/resnet_basic_8/metrics.csv
stop_at INT r/tuning/resnet_basic_8/human-lr0.01-split0/metrics.csv
stop_at KILL r/tuning/resnet_basic_8/hard-lr0.01-split0/checkpoints
stop_at everything r/tuning/resnet_basic_8/human-mixup1-lr0.01-split0/metrics.csv
stop_at KILL r/log/attack.log
stop_at INT r/log/table-2.log
[ $quicker -le 1 ] || fail "$quicker of 7 stops came too late" # the tables take no time
"$program" "${small[@]}" >/dev/null
for table in table-{1,2,3}.{txt,md,tex,csv}; do
    cmp "$work/whole/r/report/$table" "r/report/$table"
done
