#!/bin/bash
# Runs the fuzzers of a build folder (clang, -Dfuzzers=true). Ends with "N passed, N failed".
#
#   tests/fuzz/run.sh BUILD_FOLDER            a few seconds each: what tests/run.sh calls
#   tests/fuzz/run.sh BUILD_FOLDER SECONDS    so long each, at night or before a release
#   tests/fuzz/run.sh BUILD_FOLDER SECONDS NAME…   only these
#
# Each fuzzer counts twice: once for its seeds (corpus/NAME) and what once crashed it
# (regressions/NAME), once for new inputs. An input that crashes is left in regressions/NAME: mend the
# code and commit the input with it. A long run keeps what it found in BUILD_FOLDER/fuzz-corpus/NAME
# and goes on from there; README.md says how that becomes seeds.
set -uo pipefail

[ $# -ge 1 ] || { echo "usage: tests/fuzz/run.sh BUILD_FOLDER [SECONDS [NAME…]]" >&2; exit 2; }
build=$(cd "$1" && pwd) || exit 2
cd "$(dirname "$0")" || exit 2
here=$PWD
seconds=${2:-}
[[ $seconds =~ ^[0-9]*$ ]] || { echo "tests/fuzz/run.sh: '$seconds' is no number of seconds" >&2; exit 2; }

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export build here seconds results

# verdict NAME PART STATUS LOG SUMMARY : writes the line for one part, and the log's end if it failed.
verdict() {
  if [ "$3" = 0 ]; then
    echo passed >"$results/$1.$2"
    echo "ok    $1: $5"
  else
    echo failed >"$results/$1.$2"
    echo "FAIL  $1: $5"
    grep -vE '^#[0-9]+.*(NEW|REDUCE|pulse)|^INFO' "$4" | tail -60
  fi
}

fuzz() {
  local name=$1 program=$build/tests/fuzz/fuzz_$1 log=$results/$1.log seeds files=() found status
  if [ ! -x "$program" ]; then
    verdict "$name" seeds 1 /dev/null "$program was not built"
    return
  fi
  mkdir -p "$here/regressions/$name"
  for found in "$here/corpus/$name" "$here/regressions/$name"; do
    for seeds in "$found"/*; do [ -f "$seeds" ] && files+=("$seeds"); done
  done
  if [ ${#files[@]} -gt 0 ]; then
    "$program" -timeout=25 "${files[@]}" >"$log" 2>&1
    status=$?
  else
    status=1
    echo "there is not one seed in corpus/$name" >"$log"
  fi
  verdict "$name" seeds $status "$log" "${#files[@]} seeds and regressions"
  [ $status = 0 ] || return

  local limits=(-runs=200000 -max_total_time=3 -seed=1)
  found=$results/$name.corpus
  if [ -n "$seconds" ]; then
    limits=(-max_total_time="$seconds")
    found=$build/fuzz-corpus/$name
  fi
  mkdir -p "$found"
  [ -f "$here/dictionaries/$name" ] && limits+=(-dict="$here/dictionaries/$name")
  "$program" -timeout=25 -report_slow_units=25 -print_final_stats=1 "${limits[@]}" \
    -artifact_prefix="$here/regressions/$name/" "$found" "$here/corpus/$name" "$here/regressions/$name" >"$log" 2>&1
  status=$?
  verdict "$name" new $status "$log" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs$(grep -oE ' cov: [0-9]+' "$log" | tail -1)"
}
export -f fuzz verdict

at_once=2
[ -n "$seconds" ] && at_once=$(nproc)
names=("${@:3}")
if [ ${#names[@]} = 0 ]; then
  for source in fuzz_*.c; do
    name=${source#fuzz_}
    names+=("${name%.c}")
  done
fi
printf '%s\n' "${names[@]}" | xargs -P "$at_once" -I{} bash -c 'fuzz {}'

passed=$(cat "$results"/*.seeds "$results"/*.new 2>/dev/null | grep -c passed)
failed=$(cat "$results"/*.seeds "$results"/*.new 2>/dev/null | grep -c failed)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
