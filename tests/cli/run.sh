#!/usr/bin/env bash
# run.sh PROGRAM FILE.test: golden command lines.
#
#   $ softlabel verify          a command, run in an empty folder of its own (a file's commands share
#                               it); softlabel is PROGRAM, $FILES this folder
#   > text                      a line of its stdout, as a shell pattern
#   2> text                     a line of its stderr
#   > ...                       any further lines of that stream
#   ? 1                         its exit status; 0 where nothing is said
#   # text                      a remark
#
# What isn't expected must not appear. Exit 1 if any command does otherwise.
set -uo pipefail
program=$(realpath "$1")
test=$(realpath "$2")
FILES=$(dirname "$test")
export FILES
work=$(mktemp -d "${TMPDIR:-/tmp}/softlabel-cli-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/here"
ln -s "$program" "$work/bin/softlabel"
PATH=$work/bin:$PATH
cd "$work/here" || exit 1
unset SOFTLABEL_DATA

command='' line=0 failures=0
stdout=() stderr=() status=0

# compare NAME FILE PATTERN...
compare() {
    local name=$1 file=$2 got i
    shift 2
    mapfile -t got <"$file"
    for ((i = 0; i < $#; i++)); do
        [[ ${*:i+1:1} == ... ]] && return 0
        # shellcheck disable=SC2053
        if ((i >= ${#got[@]})) || [[ ${got[i]} != ${*:i+1:1} ]]; then
            local shown=${got[i]-(nothing)}
            echo "  $name line $((i + 1)): '${shown:0:300}', expected '${*:i+1:1}'"
            return 1
        fi
    done
    ((${#got[@]} <= $#)) && return 0
    echo "  $name line $(($# + 1)): '${got[$#]:0:300}', expected nothing more"
    return 1
}

finish() {
    [ -n "$command" ] || return 0
    local rc good=1
    bash -c "$command" >"$work/out" 2>"$work/err" </dev/null
    rc=$?
    compare stdout "$work/out" ${stdout[@]+"${stdout[@]}"} || good=0
    compare stderr "$work/err" ${stderr[@]+"${stderr[@]}"} || good=0
    [ $rc = "$status" ] || { echo "  exit status $rc, expected $status"; good=0; }
    ((good)) || { echo "$(basename "$test") line $line: $command"; failures=$((failures + 1)); }
    command='' stdout=() stderr=() status=0
}

number=0
while IFS= read -r text; do
    number=$((number + 1))
    case $text in
        '$ '*) finish; command=${text#'$ '} line=$number ;;
        '> '*) stdout+=("${text#'> '}") ;;
        '>') stdout+=('') ;;
        '2> '*) stderr+=("${text#2> }") ;;
        '? '*) status=${text#'? '} ;;
        '' | '#'*) ;;
        *) echo "$(basename "$test") line $number: no kind of line: '$text'"; exit 1 ;;
    esac
done <"$test"
finish
((failures == 0))
