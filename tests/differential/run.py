#!/usr/bin/python3
"""The differential test: run.py ADIT [--all] [--record] [--document] [NAME…]

Sends every case of corpus/*.cases (cases.py says how they are written), or those whose file and name
contain a NAME, through Adit, and compares the verdict with the one in the corpus; and checks what
must hold of every case (invariants.py). Then whether docs/differential.md is what document.py makes
of corpus, recorded.json and reasons.md.

    --all       also through nginx and HAProxy: a verdict that is not in recorded.json is printed as a
                note (another version of theirs may do otherwise), and is no failure
    --record    writes recorded.json: nginx and HAProxy are asked several times, as some of their
                verdicts depend on how the bytes come
    --document  writes docs/differential.md

The last line is "N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import pathlib
import queue
import sys
import tempfile

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import cases as corpus  # noqa: E402
import document  # noqa: E402
import invariants  # noqa: E402
from client import ask_other, converse  # noqa: E402
from origin import Origin  # noqa: E402
from proxies import AditProxy, HaproxyProxy, NginxProxy  # noqa: E402
from verdict import Outcome  # noqa: E402

LANES = 8  # most of the time goes by in waiting for time-outs
ROUNDS = 8  # of --record
OTHERS = (NginxProxy, HaproxyProxy)


class Lane:
    """A proxy and its origin, which take one case after the other."""

    def __init__(self, make_proxy):
        self.directory = tempfile.TemporaryDirectory(prefix="adit-differential-")
        self.origin = Origin()
        self.proxy = make_proxy(self.directory.name, self.origin.port)

    def run(self, case):
        self.origin.begin(case.origin)
        client = converse(self.proxy.port, self.proxy.patience, case.client, self.origin)
        other = ask_other(self.proxy.port, self.proxy.patience)
        return Outcome(case, client, other, self.origin.finish())

    def stop(self):
        try:
            self.proxy.stop()
        finally:
            self.origin.close()
            self.directory.cleanup()


def run_all(make_proxy, cases):
    """The outcome of each case, by name; an exception where there is none."""
    lanes = queue.SimpleQueue()
    made = [Lane(make_proxy) for _ in range(min(LANES, len(cases)))]
    for lane in made:
        lanes.put(lane)

    def run(case):
        lane = lanes.get()
        try:
            return lane.run(case)
        except (AssertionError, OSError) as failure:
            return failure
        finally:
            lanes.put(lane)

    try:
        with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
            return dict(zip((case.name for case in cases), pool.map(run, cases)))
    finally:
        for lane in made:
            lane.stop()


# ---- Adit


def problems_with_adit(case, outcome):
    if isinstance(outcome, Exception):
        return [repr(outcome)]
    problems = [f"broken: {what}" for what in invariants.broken(outcome)]
    if outcome.verdict() != case.expected:
        problems.append(f"expected  {case.expected}\n    got       {outcome.verdict()}")
    return problems


def check_adit(binary, cases):
    """(passed, failed)"""
    outcomes = run_all(lambda directory, port: AditProxy(directory, port, binary), cases)
    failed = 0
    for case in cases:
        problems = problems_with_adit(case, outcomes[case.name])
        failed += bool(problems)
        for problem in problems:
            print(f"FAILED {case.file}: {case.name}\n    {problem}", flush=True)
    return len(cases) - failed, failed


# ---- the others


def verdicts_of(proxy, cases):
    outcomes = run_all(proxy, cases)
    return {name: repr(outcome) if isinstance(outcome, Exception) else outcome.verdict()
            for name, outcome in outcomes.items()}


def compare_others(cases):
    recorded = document.read_recorded()
    with concurrent.futures.ThreadPoolExecutor(len(OTHERS)) as pool:
        found = list(pool.map(lambda proxy: verdicts_of(proxy, cases), OTHERS))
    for proxy, verdicts in zip(OTHERS, found):
        print(f"{proxy.name} {proxy.version()}; recorded with {recorded['versions'].get(proxy.name)}")
        for name, verdict in verdicts.items():
            known = recorded["verdicts"].get(name, {}).get(proxy.name, [])
            if verdict not in known:
                print(f"note: {proxy.name}: {name}\n    recorded  {' or '.join(known)}\n    got       {verdict}")


def record_others(cases):
    rounds = {proxy.name: [verdicts_of(proxy, cases) for _ in range(ROUNDS)] for proxy in OTHERS}
    document.write_recorded(
        {proxy.name: proxy.version() for proxy in OTHERS},
        {case.name: {name: sorted({verdicts[case.name] for verdicts in rounds[name]}) for name in rounds}
         for case in cases})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("names", nargs="*")
    for option in ("--all", "--record", "--document"):
        parser.add_argument(option, action="store_true")
    options = parser.parse_args()
    everything = corpus.read_all()
    cases = [case for case in everything
             if not options.names or any(name in f"{case.file} {case.name}" for name in options.names)]
    if not cases:
        print(f"no case matches {options.names}\n0 passed, 1 failed")
        return 1
    passed, failed = check_adit(os.path.abspath(options.adit), cases)
    if options.record:
        record_others(everything)
    if options.document:
        document.write(everything)
    if options.all:
        compare_others(cases)
    problems = document.problems(everything)
    for problem in problems:
        print(f"FAILED {problem}")
    passed += not problems
    failed += len(problems)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
