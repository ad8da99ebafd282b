#!/usr/bin/python3
"""What requests notice of those who watch the gateway: the slowest hundredth with and without them.

    tests/bench/scrapes.py ADIT [--routes N] [--seconds N] [--rounds N] [--connections N] [--scrapes N] [--questions N] [--free]

The watchers are a scraper that asks for /metrics ten times a second (--scrapes), clients that ask for /healthz and the status,
eighty a second together (--questions), and sixty connections that say nothing. Usual is less: --scrapes 1 --questions 2. Each round has three turns of the same steady load, far below what the
gateway can do: nobody watches; the watchers watch another Adit, which shares the core of origin and load (so that core has
the same to do); they watch this one. The gateway, its admin server included, has one core, unless it is --free. What is
printed are ratios in the same round. It wants a machine that has nothing else to do; the spread tells whether it had.
"""
import argparse
import http.client
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pools
import proxies

SILENT = 60


# ---- the watchers, in a process of their own


def ask(port, path):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", path, headers={"Host": "localhost"})
    answer = client.getresponse()
    body = answer.read()
    client.close()
    if answer.status != 200:
        sys.exit(f"{path} was answered with {answer.status}")
    return body


def often(times_a_second, act):
    due = time.monotonic()
    while True:
        act()
        due += 1 / times_a_second
        time.sleep(max(0, due - time.monotonic()))


def watch(port, scrapes, questions):
    """So often a second, until it is killed."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(SILENT)]
    paths = ["/healthz"] * 7 + ["/api/v1/status"]
    turn = iter(range(1 << 62))
    for times, act in ((scrapes, lambda: ask(port, "/metrics")), (questions, lambda: ask(port, paths[next(turn) % 8]))):
        threading.Thread(target=often, args=(times, act), daemon=True).start()

    def sit_again():
        for i, sock in enumerate(silent):
            sock.setblocking(False)
            try:
                ended = sock.recv(1) == b""
            except BlockingIOError:
                ended = False
            if ended:
                silent[i] = socket.create_connection(("127.0.0.1", port))
    often(2, sit_again)


# ---- the gateways


def gateway(directory, name, binary, port, admin, origin, routes):
    """Routes beside the one that has the load, each with two variants and a rule, so that there is something to tell of."""
    for i in range(routes):
        (directory / f"{name}-{i}.rules.json").write_text(
            f'{{"route": "other-{i}", "match": {{"hosts": ["other-{i}.example.com"]}}, "variants": {{"v1": "pool", "canary": "pool"}}, '
            f'"stable": "v1", "rules": [{{"id": "beta", "when": {{"header.x-beta": "1"}}, "to": "canary"}}]}}')
    return proxies.adit(directory, name, binary, {
        "listen": [{"address": f"127.0.0.1:{port}"}], "admin": {"address": f"127.0.0.1:{admin}"},
        "rules": [f"{name}.rules.json", f"{name}-*.rules.json"],
        "upstreams": {"pool": {"endpoints": [f"127.0.0.1:{origin}"]}},
    }, {"route": "bench", "match": {"hosts": ["127.0.0.1"]}, "variants": {"v1": "pool"}, "stable": "v1"})


def measure(directory, running, options):
    """{who is watched: [(CPU of a request, its slowest hundredth)]}"""
    origin_port = proxies.free_port()
    running.append(proxies.start(pools.origin(directory, {None: [origin_port]}), 1, directory))
    proxies.wait_for_port(origin_port, running[-1])
    admins, gateways = {"nobody": None}, {}
    for name, core in (("another", 1), ("this", "0-1" if options.free else 0)):
        port, admins[name] = proxies.free_port(), proxies.free_port()
        process = proxies.start(gateway(directory, name, options.adit, port, admins[name], origin_port, options.routes), core, directory)
        running.append(process)
        proxies.wait_for_port(port, process)
        gateways[name] = (process, port)
    print(f"/metrics has {len(ask(admins['this'], '/metrics')) // 1024} KiB")
    proxies.load(gateways["this"][1], 1, options.connections)
    figures = {name: [] for name in admins}
    for n in range(options.rounds):
        for name in list(admins)[:: -1 if n % 2 else 1]:
            watchers = None
            if admins[name]:
                watchers = subprocess.Popen(["taskset", "-c", "1", sys.executable, __file__, "--watch",
                                             *map(str, (admins[name], options.scrapes, options.questions))])
                running.append(watchers)
                time.sleep(0.5)  # it warms up, and may as well take too long
            figures[name].append(pools.paced(directory, *gateways["this"], options))
            if watchers:
                if watchers.poll() is not None:
                    sys.exit("the watchers have ended")
                watchers.kill()
                watchers.wait()
                running.remove(watchers)
    return figures


def main():
    if sys.argv[1:2] == ["--watch"]:
        watch(*map(int, sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("--routes", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--scrapes", type=int, default=10)
    parser.add_argument("--questions", type=int, default=80)
    parser.add_argument("--free", action="store_true", help="the gateway may use both cores")
    options = parser.parse_args()
    proxies.expect_tools()
    running = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            figures = measure(pathlib.Path(directory), running, options)
        finally:
            proxies.stop(running)
    for n, title in ((1, "slowest hundredth"), (0, "CPU per request")):
        for other in ("nobody", "another"):
            found = [mine[n] / its[n] for mine, its in zip(figures["this"], figures[other])]
            print(f"  {title:18} watched, beside {other + ' watched':16} {pools.spread(found)}")
    for name, rounds in figures.items():
        print(f"  {name} watched: the slowest hundredth takes {pools.spread([1e3 * p99 for _, p99 in rounds])} ms")
    print(f"medians of {options.rounds} rounds (smallest to largest), {options.connections} connections")


if __name__ == "__main__":
    main()
