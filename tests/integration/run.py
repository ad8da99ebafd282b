#!/usr/bin/env python3
"""The integration tests: run.py BINARY [NAME…]

Runs the tests of every test_*.py beside it, or those whose "file.function" contains a NAME. Each
file has a process of its own, five at a time: half of a test's time is waiting. The last line is "N passed, N failed".
"""
import concurrent.futures
import faulthandler
import importlib
import os
import pathlib
import re
import subprocess
import sys
import traceback

from harness import Bench

HERE = pathlib.Path(__file__).resolve().parent
PROCESSES = 5
# Files whose tests take long, for how few they are.
LONG = ("test_load", "test_memory", "test_new_process", "test_route_state", "test_sick_canary")
FILE_SECONDS = 600
DEFINED = re.compile(r"^def (test_\w+)\(", re.M)
COUNTS = re.compile(r"(\d+) passed, (\d+) failed\n\Z")


def wanted(full_name, names):
    return not names or any(each in full_name for each in names)


def tests_of(module_name, names):
    module = importlib.import_module(module_name)
    for name, function in list(vars(module).items()):
        full = f"{module_name}.{name}"
        if name.startswith("test_") and wanted(full, names):
            yield full, function


def count_tests(path, names):
    """How many of a file's tests are wanted, without a process that imports it."""
    return sum(wanted(f"{path.stem}.{name}", names) for name in DEFINED.findall(path.read_text(encoding="utf-8")))


def run_test(name, function, binary):
    """True when it passed; else it says why not."""
    bench = Bench(binary)
    try:
        try:
            function(bench)
        finally:
            bench.stop()
        return True
    except Exception:
        print(f"FAILED {name}\n{traceback.format_exc()}{bench.context()}", flush=True)
        return False
    finally:
        bench.release()


def run_file(module_name, binary, names):
    outcomes = [run_test(name, test, binary) for name, test in tests_of(module_name, names)]
    return sum(outcomes), len(outcomes) - sum(outcomes)


def run_file_apart(module_name, binary, names):
    """In a process of its own, which says as its last line what run_file() gives."""
    command = [sys.executable, __file__, "--file", module_name, binary, *names]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FILE_SECONDS)
        out, err = done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        out, err = "", f"{late.stdout!r}\nnot done after {FILE_SECONDS} s\n"
    counts = COUNTS.search(out)
    if not counts:
        print(f"FAILED {module_name}\n{out}{err}", flush=True)
        return 0, 1
    print(out[: counts.start()], end="", flush=True)
    return int(counts[1]), int(counts[2])


def main(arguments):
    faulthandler.enable()
    if arguments[:1] == ["--file"]:
        passed, failed = run_file(arguments[1], arguments[2], arguments[3:])
        print(f"{passed} passed, {failed} failed")
        return 0
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    binary, names = os.path.abspath(arguments[0]), arguments[1:]
    sizes = {path.stem: count_tests(path, names) for path in HERE.glob("test_*.py")}
    # What takes longest first, so that it is not left alone at the end.
    modules = sorted(filter(sizes.get, sizes), key=lambda name: (name not in LONG, -sizes[name], name))
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        counts = list(pool.map(lambda each: run_file_apart(each, binary, names), modules))
    passed, failed = (sum(column) for column in zip(*counts))
    if passed + failed == 0:
        print(f"no test matches {names}")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
