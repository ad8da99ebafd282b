#!/usr/bin/python3
"""Nanoseconds, cycles and instructions of small pieces of work, in one table.

    tests/bench/measure.py PROGRAM UNIT COUNT

PROGRAM is one of those that use measure.h; UNIT is what it does once: "decision", "head"; COUNT how often each
piece of work is done to be counted. Nanoseconds and
cycles are PROGRAM's own: the median of its passes. Cycles are of the time stamp counter, which has one
rate; a processor that runs faster or slower than that does more or fewer of its own. The instructions are
counted by callgrind in a second run of the same work: they are exact, say nothing of caches and waiting,
and are the figure to compare between two versions. The same work is done again and again, so caches are
warm in both. What follows "beside" is of another way to do the same, measured in turn with it: how fast that
is, and how many times its time and its instructions the work takes. Pieces whose names are alike up to a colon
are a series; "× the first" is how many times the instructions of its first one a piece takes.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


class Piece:
    """A line of PROGRAM: name, octets, nanoseconds, cycles; and if there is one, its base's."""

    def __init__(self, line):
        self.name, *figures = line.split("\t")
        self.octets, self.ns, self.cycles, *base = map(float, figures)
        self.has_base = bool(base)
        if base:
            self.base_ns, self.base_cycles, self.times_as_long = base
        self.instructions = self.base_instructions = None
        self.first = self  # of its series

    def series(self):
        return self.name.rpartition(":")[0]

    def take(self, counts):
        self.instructions = next(counts)
        if self.has_base:
            self.base_instructions = next(counts)


def timed(program):
    out = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    pieces = [Piece(line) for line in out.splitlines()]
    for before, piece in zip(pieces, pieces[1:]):
        if piece.series() and piece.series() == before.series():
            piece.first = before.first
    return pieces


def counted(program, count):
    """Instructions of each piece: one dump is written whenever measure_pass() returns."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", "--collect-atstart=no",
             "--toggle-collect=measure_pass", "--dump-after=measure_pass", program, str(count)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        part = 1
        while (path := pathlib.Path(f"{directory}/out.{part}")).exists():
            yield int(re.search(r"^totals: (\d+)", path.read_text(), re.M).group(1)) / count
            part += 1


def columns(piece):
    """Heading, width and text of each figure; what was not measured is "-"."""
    def figure(heading, value, decimals):
        return heading, max(len(heading), 8), "-" if value is None else f"{value:.{decimals}f}"

    def per(octets, cycles):
        return octets / cycles if cycles else None

    yield figure("ns", piece.ns, 1)
    yield figure("instructions", piece.instructions, 0)
    if piece.series():
        yield figure("× the first", piece.instructions and piece.instructions / piece.first.instructions, 2)
    if piece.octets:
        yield figure("octets", piece.octets, 0)
        yield figure("octets/cycle", per(piece.octets, piece.cycles), 2)
    if piece.has_base:
        if piece.octets:
            yield figure("beside: octets/cycle", per(piece.octets, piece.base_cycles), 2)
        else:
            yield figure("beside: ns", piece.base_ns, 1)
            yield figure("instructions", piece.base_instructions, 0)
        yield figure("× time", piece.times_as_long, 2)
        yield figure("× instructions", piece.instructions and piece.instructions / piece.base_instructions, 2)


def main():
    program, unit, count = sys.argv[1:]
    pieces = timed(program)
    if shutil.which("valgrind"):
        counts = counted(program, int(count))
        for piece in pieces:
            piece.take(counts)
    else:
        print("valgrind is not installed (docker/deps.sh bench): no instructions are counted")
    print(f"time: median of many passes; instructions: exact; both of one {unit}, caches warm")
    rates = [piece.cycles / piece.ns for piece in pieces if piece.cycles]
    if rates:
        print(f"cycles: of the time stamp counter, {sorted(rates)[len(rates) // 2]:.2f} in a nanosecond")
    print(f"{unit:40}" + "".join(f" {heading:>{width}}" for heading, width, _ in columns(pieces[0])))
    for piece in pieces:
        print(f"{piece.name:40}" + "".join(f" {text:>{width}}" for _, width, text in columns(piece)))


main()
