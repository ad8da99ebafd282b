#!/usr/bin/python3
"""Nanoseconds and instructions of small pieces of work, in one table.

    tests/bench/measure.py PROGRAM UNIT

PROGRAM is one of those that use measure.h; UNIT is what it does once: "decision", "head". The
nanoseconds are PROGRAM's own: the median of its passes. The instructions are counted by callgrind in a
second run of the same work: they are exact, say nothing of caches and waiting, and are the figure to
compare between two versions. The same work is done again and again, so caches are warm in both.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COUNT = 1000  # times that each piece of work is done to be counted


def timed(program):
    """Name, octets and nanoseconds of each piece."""
    out = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in out.splitlines():
        name, octets, ns = line.split("\t")
        yield name, int(octets), float(ns)


def counted(program):
    """Instructions of each piece: one dump is written whenever measure_pass() returns."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", "--collect-atstart=no",
             "--toggle-collect=measure_pass", "--dump-after=measure_pass", program, str(COUNT)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        part = 1
        while (path := pathlib.Path(f"{directory}/out.{part}")).exists():
            yield int(re.search(r"^totals: (\d+)", path.read_text(), re.M).group(1)) / COUNT
            part += 1


def main():
    program, unit = sys.argv[1:]
    pieces = list(timed(program))
    instructions = [None] * len(pieces)
    if shutil.which("valgrind"):
        # The last dump is the program's end, with nothing in it.
        instructions = list(counted(program))[:len(pieces)]
    else:
        print("valgrind is not installed (docker/deps.sh bench): no instructions are counted")
    print(f"nanoseconds: median of many passes; instructions: exact; both of one {unit}, caches warm")
    with_octets = any(octets for _, octets, _ in pieces)
    print(f"{unit:40} {'nanoseconds':>12} {'instructions':>13}"
          + (f" {'octets':>7} {'octets/ns':>10}" if with_octets else ""))
    for (name, octets, ns), count in zip(pieces, instructions, strict=True):
        print(f"{name:40} {ns:12.1f} {'-' if count is None else f'{count:.0f}':>13}"
              + (f" {octets:7} {octets / ns:10.2f}" if with_octets else ""))


main()
