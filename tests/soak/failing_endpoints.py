#!/usr/bin/env python3
"""Endpoints that fail and come back under load, for as long as is wanted: failing_endpoints.py BINARY [--minutes N] [--seed N]

tests/integration/scenario.py says what the load is, and what must hold of each answer. Here chance harms and heals:
any of five canary pods, down to none, and two of three stable ones are killed, stopped, made to reset, or slow. In the
end the counters are compared with what the clients have seen, and memory with what it was (but for a build with
sanitizers, which keep what is freed). Status 1 when something does not hold.
"""
import argparse
import contextlib
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from run import run_test  # noqa: E402
from scenario import Scenario  # noqa: E402

GROWTH_MAX_KIB = 8192
HOWS = ("killed", "stopped", "reset")


def forget(transcript):
    """What went over the wire long ago nobody will want to see."""
    with transcript.lock:
        del transcript.entries[:-1000]


def step(scenario, chance):
    """Harms or heals one pod; what was done."""
    sick = [pod for pod in scenario.pods if pod.how]
    well = [pod for pod in scenario.canaries if not pod.how]
    stables = [pod for pod in scenario.stables if not pod.how]
    well += stables if len(stables) > 1 else []
    if sick and (not well or chance.random() < len(sick) / len(scenario.pods)):
        pod = chance.choice(sick)
        scenario.heal(pod)
        return f"{pod.name} healed"
    pod = chance.choice(well)
    if chance.random() < 0.2:
        scenario.slow(pod)
        return f"{pod.name} slow"
    how = chance.choice(HOWS)
    scenario.harm(pod, how)
    return f"{pod.name} {how}"


def run(bench, minutes, seed):
    chance = random.Random(seed)
    end = time.monotonic() + 60 * minutes
    with contextlib.closing(Scenario(bench, canaries=5, stables=3)) as scenario:
        scenario.start()
        before, steps = bench.gateway.resident_kib(), 0
        while time.monotonic() < end:
            done = step(scenario, chance)
            scenario.crowd.wait_all_have_asked()
            if not any(pod.how for pod in scenario.canaries):
                scenario.crowd.wait_all_have_seen_canary()
            elif all(pod.how for pod in scenario.canaries):
                scenario.crowd.expect_canary(seen=False)
            steps += 1
            print(f"{steps}: {done}; {dict(scenario.crowd.counts)}", flush=True)
            forget(bench.transcript)
        for pod in [pod for pod in scenario.pods if pod.how]:
            scenario.heal(pod)
        scenario.crowd.wait_all_have_seen_canary()
        growth = bench.gateway.resident_kib() - before
        counters, seen = scenario.end()
        print(f"{steps} steps, {growth} KiB more\nclients: {dict(seen)}\ncounters: {dict(counters)}")
        assert growth < GROWTH_MAX_KIB or b"__asan_init" in pathlib.Path(bench.binary).read_bytes(), "memory has grown"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    whole = run_test("failing_endpoints", lambda bench: run(bench, arguments.minutes, arguments.seed),
                     str(arguments.binary.resolve()))
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
