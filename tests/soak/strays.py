#!/usr/bin/env python3
"""Stray responses for as long as is wanted: strays.py BINARY [--minutes N] [--seed N]

tests/integration/strays.py says what is done and what must never happen. Each round of it has a seed
of its own, which is printed; the first that fails is told, and ends the run with status 1.
"""
import argparse
import pathlib
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import strays  # noqa: E402
from harness import Bench  # noqa: E402


def run_seed(binary, seed):
    bench = Bench(binary)
    try:
        seen = strays.run(bench, seed, visitors=24, rounds=60, requests=4)
        bench.stop()
        return seen
    except Exception:
        print(f"seed {seed} FAILED\n{traceback.format_exc()}{bench.context()}", flush=True)
        return None
    finally:
        bench.release()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    seed = arguments.seed
    totals = {}
    while time.monotonic() < end:
        seen = run_seed(str(arguments.binary.resolve()), seed)
        if seen is None:
            return 1
        totals = {kind: totals.get(kind, 0) + count for kind, count in seen.items()}
        print(f"seed {seed}: {seen}", flush=True)
        seed += 1
    print(f"{seed - arguments.seed} seeds: {totals}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
