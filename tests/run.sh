#!/bin/bash
# Installs what is missing, builds with sanitizers, and runs every test. Ends with "N passed, N failed".
#
#   tests/run.sh              everything
#   tests/run.sh unit wire    only these suites
#
# A suite prints what it wants; its result is the sum of its "N passed, N failed" lines and of Check's
# "N%: Checks: …" lines, or its exit status where it prints neither.
set -uo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
# What hangs is found all the same; how long a test takes on a busy machine says nothing.
export CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-10}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

all_suites="lint unit fuzz golden zones import cli replay rules proposals properties findings schema docs wire differential hardening packaging story demo"
wanted=${*:-$all_suites}
at_once=3 # on two CPUs: each waits for something now and then
TIMEFORMAT='%0R s, CPU %0U + %0S s' # of `time`: how long a suite took, and how much work it was
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
started=()

die() {
  echo "tests/run.sh: $*" >&2
  echo "0 passed, 1 failed"
  exit 1
}

# begin NAME COMMAND… : runs a suite when it is wanted, in the background, as soon as fewer than
# `at_once` do; what it prints is shown whole when it ends.
begin() {
  local name=$1
  shift
  case " $wanted " in *" $name "*) ;; *) return ;; esac
  while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
  started+=("$name")
  run_suite "$name" "$@" &
}

run_suite() {
  local name=$1
  shift
  { time { ("$@") >"$results/$name" 2>&1; }; } 2>"$results/$name.time"
  echo $? >"$results/$name.status"
  exec 9>"$results/lock"
  flock 9
  echo "== $name ($(cat "$results/$name.time"))"
  cat "$results/$name"
}

# alone NAME COMMAND… : the same with nothing beside it, shown as it goes: what waits for many
# processes, or measures.
alone() {
  local name=$1
  shift
  case " $wanted " in *" $name "*) ;; *) return ;; esac
  wait
  started+=("$name")
  echo "== $name"
  time {
    "$@" 2>&1 | tee "$results/$name"
    echo "${PIPESTATUS[0]}" >"$results/$name.status"
  }
}

# count NAME : adds what a suite that has ended says of itself to `passed` and `failed`.
count() {
  local name=$1 ok=0 bad=0 status line
  status=$(cat "$results/$name.status" 2>/dev/null || echo 1)
  while read -r line; do
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
      ok=$((ok + BASH_REMATCH[1]))
      bad=$((bad + BASH_REMATCH[2]))
    elif [[ $line =~ ^[0-9]+%:\ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+)$ ]]; then
      ok=$((ok + BASH_REMATCH[1] - BASH_REMATCH[2] - BASH_REMATCH[3]))
      bad=$((bad + BASH_REMATCH[2] + BASH_REMATCH[3]))
    fi
  done <"$results/$name"
  if [ $((ok + bad)) = 0 ]; then
    if [ "$status" = 0 ]; then ok=1; else bad=1; fi
  elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  [ "$bad" = 0 ] || red+=" $name"
}

# configure FOLDER OPTIONS… : a build folder that is there already is used again.
configure() {
  local folder=$1
  shift
  [ -e "$folder/build.ninja" ] || meson setup "$folder" "$@" >"$folder.log" 2>&1 ||
    { cat "$folder.log"; die "meson could not configure $folder"; }
}

build() {
  ninja -C "$@" >"$1.log" 2>&1 || { grep -E 'error|FAILED' -A5 "$1.log" | head -60; die "$1 did not build"; }
}

# Several at once; xargs exits with 123 when one fails.
unit_tests() {
  local status=0
  export results
  printf '%s\0' build-test/tests/unit/test_* | ADIT_SOURCE_ROOT=$PWD xargs -0 -P "$at_once" -I{} sh -c '
    if [ -x "$1" ] && [ -f "$1" ]; then "$1" >"$results/unit.${1##*/}" 2>&1; fi' sh {} || status=1
  cat "$results"/unit.test_*
  return $status
}

fuzz_build() {
  CC=clang configure build-fuzz -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    -Dwerror=true -Dfuzzers=true
  build build-fuzz fuzzers
}

release_build() {
  configure build-release -Dbuildtype=release -Db_lto=true -Dwerror=true
  build build-release src/adit tests/unit/test_sandbox
}

# What only a release build shows: how it is hardened, and the sandbox without what sanitizers need.
hardening() {
  local status=0
  /usr/bin/python3 tests/hardening/run.py build-release/src/adit || status=1
  build-release/tests/unit/test_sandbox || status=1
  /usr/bin/python3 tests/rules/hostile.py build-release/src/adit || status=1
  /usr/bin/python3 tests/integration/run.py build-release/src/adit test_privileges test_socket_activation \
    test_new_process.test_nobody_is_root test_new_process.test_new_process_takes_over test_geography test_route_state.test_restart test_route_state.test_full_disk test_route_state.test_under || status=1
  return $status
}

cli() {
  local status=0
  /usr/bin/python3 tests/cli/test_cli.py "$adit" || status=1
  /usr/bin/python3 tests/cli/test_completions.py "$adit" || status=1
  return $status
}

# Claims about thousands of requests are held against the release build, which asks them in a fifth of
# the time; the sanitizers see the first round of the same files.
findings() {
  local status=0
  /usr/bin/python3 tests/rules/findings.py "$release" || status=1
  quick /usr/bin/python3 tests/rules/findings.py "$adit" 1 1 || status=1
  return $status
}

properties() {
  local status=0
  /usr/bin/python3 tests/rules/properties.py "$release" || status=1
  quick /usr/bin/python3 tests/rules/properties.py "$adit" 20 || status=1
  return $status
}

# quick COMMAND… : without the search for leaks at the end of each process, which takes as long as what
# these suites ask of it. Unit tests, `cli` and `wire` search.
quick() {
  ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$@"
}

docker/deps.sh build demo test || die "packages are missing"
mkdir -p build-test build-fuzz
echo "== build (gcc, clang with fuzzers, release; warnings are errors)"
# Not position independent: sanitizers give a program 250,000 addresses that would be relocated at each start, which
# takes a third of the time that most of these thousands of processes live.
configure build-test -Dbuildtype=debug -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true \
  -Db_pie=false -Dc_args=-fno-pie -Dc_link_args=-no-pie
build build-test
docker/geodata.sh build-test/rules # what needs it fails without it, and says so
case " $wanted " in *" fuzz "*) fuzz_build ;; esac &
fuzzers=$!
case " $wanted " in *" hardening "* | *" properties "* | *" findings "* | *" schema "*) release_build ;; esac
wait "$fuzzers" || exit 1
adit=$PWD/build-test/src/adit
release=$PWD/build-release/src/adit

begin hardening hardening
begin lint /usr/bin/python3 tests/lint/lint.py
begin unit unit_tests
begin fuzz tests/fuzz/run.sh build-fuzz
begin golden quick /usr/bin/python3 tests/rules/golden.py "$adit"
begin zones /usr/bin/python3 tests/rules/zones.py "$adit"
begin import quick /usr/bin/python3 tests/import/run.py "$adit"
begin cli cli
begin replay quick /usr/bin/python3 tests/cli/test_replay.py "$adit"
begin rules quick /usr/bin/python3 tests/rules/examples.py "$adit"
begin proposals quick /usr/bin/python3 tests/rules/proposals.py "$adit"
begin properties properties
# Of a whole run `hardening` has it, with the release build.
begin hostile /usr/bin/python3 tests/rules/hostile.py "$adit"
begin findings findings
begin schema /usr/bin/python3 tests/schema/run.py "$adit" "$release"
begin docs /usr/bin/python3 tests/docs/run.py "$adit"
begin packaging /usr/bin/python3 tests/packaging/check.py build-test
alone wire /usr/bin/python3 tests/integration/run.py "$adit"
alone differential /usr/bin/python3 tests/differential/run.py "$adit" --all
alone story /usr/bin/python3 tests/integration/story_nginx.py "$adit"
alone demo "$adit" demo --check
wait

passed=0
failed=0
red=
for name in "${started[@]}"; do count "$name"; done
echo
[ "$failed" = 0 ] || echo "not green:$red"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
