#!/usr/bin/env python3
"""A gateway that is changed again and again under load: changes.py BINARY upgrades|reloads N [--clients N] [--visitors N]

tests/integration/load.py says what the load is, and how each request is accounted for; each change has other rules, of
which a test knows when they counted. Upgrades also change the number of workers. Status 1 when a request is lost,
doubled, or answered by what no configuration of that time allowed.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from changing import under_load  # noqa: E402
from run import run_test  # noqa: E402
from successors import upgrades  # noqa: E402

BETWEEN = 20  # requests that are answered between two changes, at least


def show(done, wanted, changing, began):
    if done % max(1, wanted // 20) == 0 or done == wanted:
        print(f"{done} of {wanted}, {changing.load.answered()} requests, {time.monotonic() - began:.1f} s", flush=True)


def run_upgrades(changing, n, began):
    with upgrades(changing.bench) as family:
        for done in range(1, n + 1):
            changing.load.wait_for(BETWEEN)
            changing.upgrade(family)
            show(done, n, changing, began)
        changing.load.wait_for(BETWEEN)
        return time.monotonic() - began, changing.load.account()


def run_reloads(changing, n, began):
    for done in range(1, n + 1):
        changing.load.wait_for(BETWEEN)
        changing.reload()
        show(done, n, changing, began)
    changing.load.wait_for(BETWEEN)
    return time.monotonic() - began, changing.load.account()


def run(bench, arguments):
    with under_load(bench, clients=arguments.clients, visitors=arguments.visitors) as changing:
        changing.start()
        began = time.monotonic()
        change = run_upgrades if arguments.what == "upgrades" else run_reloads
        took, counts = change(changing, arguments.n, began)
        assert counts["generations"] == arguments.n + 1, "some configurations have not decided anything"
        assert counts["refused"] == 0, "connections were refused"
        print(f"{arguments.n} {arguments.what} in {took:.1f} s: {counts['requests']} requests ({counts['requests'] / took:.0f}/s) of "
              f"{arguments.clients * arguments.visitors} visitors, each answered once, by {counts['generations']} configurations; "
              f"{counts['again']} asked again on a kept connection that had ended")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("what", choices=("upgrades", "reloads"))
    parser.add_argument("n", type=int)
    parser.add_argument("--clients", type=int, default=3, help="processes")
    parser.add_argument("--visitors", type=int, default=4, help="of each")
    arguments = parser.parse_args()
    return 0 if run_test("changes", lambda bench: run(bench, arguments), str(arguments.binary.resolve())) else 1


if __name__ == "__main__":
    sys.exit(main())
