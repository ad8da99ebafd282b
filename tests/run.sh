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
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

all_suites="lint unit fuzz golden zones import cli rules proposals properties hostile findings schema docs wire differential hardening story demo"
wanted=${*:-$all_suites}
passed=0
failed=0

die() {
  echo "tests/run.sh: $*" >&2
  echo "$passed passed, $((failed + 1)) failed"
  exit 1
}

# suite NAME COMMAND… : runs it when it is wanted, and counts.
suite() {
  local name=$1 output ok bad status line
  shift
  case " $wanted " in *" $name "*) ;; *) return ;; esac
  echo "== $name"
  output=$(mktemp)
  "$@" 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  ok=0
  bad=0
  while read -r line; do
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
      ok=$((ok + BASH_REMATCH[1]))
      bad=$((bad + BASH_REMATCH[2]))
    elif [[ $line =~ ^[0-9]+%:\ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+)$ ]]; then
      ok=$((ok + BASH_REMATCH[1] - BASH_REMATCH[2] - BASH_REMATCH[3]))
      bad=$((bad + BASH_REMATCH[2] + BASH_REMATCH[3]))
    fi
  done <"$output"
  rm -f "$output"
  if [ $((ok + bad)) = 0 ]; then
    if [ "$status" = 0 ]; then ok=1; else bad=1; fi
  elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
    bad=1
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
}

# configure FOLDER OPTIONS… : a build folder that is there already is used again.
configure() {
  local folder=$1
  shift
  [ -e "$folder/build.ninja" ] || meson setup "$folder" "$@" >"$folder.log" 2>&1 ||
    { cat "$folder.log"; die "meson could not configure $folder"; }
}

build() {
  ninja -C "$1" >"$1.log" 2>&1 || { grep -E 'error|FAILED' -A5 "$1.log" | head -60; die "$1 did not build"; }
}

unit_tests() {
  local program status=0
  for program in build-test/tests/unit/test_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    ADIT_SOURCE_ROOT=$PWD "$program" || status=1
  done
  return $status
}

# What only a release build shows: how it is hardened, and the sandbox without what sanitizers need.
hardening() {
  local status=0
  configure build-release -Dbuildtype=release -Db_lto=true -Dwerror=true
  ninja -C build-release src/adit tests/unit/test_sandbox >build-release.log 2>&1 ||
    { grep -E 'error|FAILED' -A5 build-release.log | head -60; return 1; }
  /usr/bin/python3 tests/hardening/run.py build-release/src/adit || status=1
  build-release/tests/unit/test_sandbox || status=1
  /usr/bin/python3 tests/rules/hostile.py build-release/src/adit || status=1
  /usr/bin/python3 tests/integration/run.py build-release/src/adit test_privileges test_socket_activation || status=1
  return $status
}

docker/deps.sh build test || die "packages are missing"
mkdir -p build-test build-fuzz
echo "== build (gcc, then clang with fuzzers; warnings are errors)"
configure build-test -Dbuildtype=debug -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true
build build-test
CC=clang configure build-fuzz -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
  -Dwerror=true -Dfuzzers=true
build build-fuzz
adit=$PWD/build-test/src/adit

suite lint /usr/bin/python3 tests/lint/lint.py
suite unit unit_tests
suite fuzz tests/fuzz/run.sh build-fuzz
suite golden /usr/bin/python3 tests/rules/golden.py "$adit"
suite zones /usr/bin/python3 tests/rules/zones.py "$adit"
suite import /usr/bin/python3 tests/import/run.py "$adit"
suite cli /usr/bin/python3 tests/cli/test_cli.py "$adit"
suite rules /usr/bin/python3 tests/rules/examples.py "$adit"
suite proposals /usr/bin/python3 tests/rules/proposals.py "$adit"
suite properties /usr/bin/python3 tests/rules/properties.py "$adit"
suite hostile /usr/bin/python3 tests/rules/hostile.py "$adit"
suite findings /usr/bin/python3 tests/rules/findings.py "$adit"
suite schema /usr/bin/python3 tests/schema/run.py "$adit"
suite docs /usr/bin/python3 tests/docs/run.py "$adit"
suite wire /usr/bin/python3 tests/integration/run.py "$adit"
suite differential /usr/bin/python3 tests/differential/run.py "$adit" --all
suite hardening hardening
suite story /usr/bin/python3 tests/integration/story_nginx.py "$adit"
suite demo "$adit" demo --check

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
