#!/usr/bin/python3
"""Adit's pools of endpoints beside those of nginx and HAProxy, in one run.

    tests/bench/pools.py ADIT [pool] [churn] [checks] [--seconds N] [--rounds N] [--connections N]

`pool`: CPU per request with one endpoint and with a hundred, connections kept alive; all three choose the one with fewer
running requests of two drawn at random. `churn`: the same with four endpoints that end the connection after each
response, and after ten. Both as proxies.py measures it, nginx = 1.00.

`checks`: a thousand endpoints of which each is asked every two seconds whether it is well, by Adit and by HAProxy
(nginx has no such checks); each proxy runs twice, with and without them. The slowest hundredth of a steady load far
below what any of them can do, and CPU per request, are given with checks = so many times without; then what a check costs
a proxy that has nothing else to do, HAProxy = 1.00. (wrk, origin and proxies' own waiting for a core are in
every latency: only its ratio says something, and that only on a machine that has nothing else to do.)
"""
import argparse
import pathlib
import re
import socket
import statistics
import tempfile
import time

import proxies

CHECK_SECONDS, CHECKED, IDLE_SECONDS = 2, 1000, 10
PACED = "function delay() return math.random(1, 19) end\n"  # milliseconds, before each request of a connection
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


# ---- origin and proxies: each with the same endpoints


def origin(directory, kinds):
    """One process; `kinds` has a list of ports for each number of requests that a connection is good for (None: any)."""
    servers = ""
    for requests, ports in kinds.items():
        listens = "".join(f"listen 127.0.0.1:{port};" for port in ports)
        limit = f"keepalive_requests {requests};" if requests else ""
        servers += f"server {{ {listens} {limit} location / {{ return 200 '{proxies.BODY}'; }} }}\n"
    return proxies.nginx(directory, "origin", servers)


def nginx(directory, name, port, ports, checks):
    assert not checks
    servers = "".join(f"server 127.0.0.1:{each};" for each in ports)
    return proxies.nginx(directory, name, f"""
upstream pool {{ random two least_conn; {servers} keepalive 4096; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port}; location / {{ {proxies.NGINX_FORWARD}pool; }} }}""")


def haproxy(directory, name, port, ports, checks):
    check = f"check inter {CHECK_SECONDS}s" if checks else ""
    servers = "".join(f"  server s{each} 127.0.0.1:{each} {check}\n" for each in ports)
    option = "  option httpchk GET /healthz\n" if checks else ""
    return proxies.haproxy(directory, name, port, f"""  default_backend pool
backend pool
  balance random(2)
{option}{servers}""", maxconn=8192)


def adit_maker(binary):
    def adit(directory, name, port, ports, checks):
        pool = {"endpoints": [f"127.0.0.1:{each}" for each in ports]}
        if checks:
            pool["health_check"] = {"path": "/healthz", "interval": f"{CHECK_SECONDS}s"}
        return proxies.adit(
            directory, name, binary,
            {"listen": [{"address": f"127.0.0.1:{port}"}], "upstreams": {"pool": pool}},
            {"route": "bench", "variants": {"v1": "pool"}, "stable": "v1"})
    return adit


class Stage:
    """An origin, and proxies in front of some of its ports."""

    def __init__(self, directory, makers, kinds):
        self.directory, self.makers, self.running, self.proxies = directory, makers, [], {}
        self.run(origin(directory, kinds), 1, next(iter(kinds.values()))[0])

    def run(self, command, core, port):
        process = proxies.start(command, core, self.directory)
        self.running.append(process)
        proxies.wait_for_port(port, process)
        return process

    def add(self, who, what, ports, checks=False):
        port = proxies.free_port()
        command = self.makers[who](self.directory, f"{who}-{port}", port, ports, checks)
        self.proxies[who, what] = (self.run(command, 0, port), port)

    def rounds(self, count, measure):
        """What `measure` gives for each proxy, in each round; to and fro, so that nobody always follows the same one."""
        figures = {key: [] for key in self.proxies}
        for n in range(count):
            for key in list(self.proxies)[:: -1 if n % 2 else 1]:
                figures[key].append(measure(*self.proxies[key]))
        return figures


def free_ports(n):
    """All at once, so that none is given twice; below those that connections take."""
    found, port = [], 10000
    while len(found) < n:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
                found.append(port)
            except OSError:
                pass
        port += 1
    return found


# ---- what is measured


def compare(title, figures, whats, whos):
    print(title)
    for what in whats:
        for who in whos:
            print(f"  {what:24} {who:8} {proxies.ratios(figures[who, what], figures['nginx', what])}")


def measure_cpu(directory, makers, kinds, setups, title, options):
    stage = Stage(directory, makers, kinds)
    try:
        for what, ports in setups.items():
            for who in makers:
                stage.add(who, what, ports)
        figures = stage.rounds(options.rounds, lambda *proxy: proxies.measure(*proxy, options))
    finally:
        proxies.stop(stage.running)
    compare(title, figures, setups, makers)
    return figures


def pool(directory, makers, options):
    ports = free_ports(100)
    setups = {"1 endpoint": ports[:1], "100 endpoints": ports}
    figures = measure_cpu(directory, makers, {None: ports}, setups, "pool: CPU per request, nginx = 1.00", options)
    print("pool: CPU per request with 100 endpoints, each one's own with one = 1.00")
    for who in makers:
        print(f"  {who:33} {proxies.ratios(figures[who, '100 endpoints'], figures[who, '1 endpoint'])}")


def churn(directory, makers, options):
    ports = free_ports(8)
    setups = {"1 request, then the end": ports[:4], "10 requests, then the end": ports[4:]}
    kinds = dict(zip((1, 10), setups.values()))
    measure_cpu(directory, makers, kinds, setups, "churn: CPU per request, nginx = 1.00", options)


def paced(directory, process, port, options):
    """CPU seconds and the slowest hundredth, for each request."""
    script = directory / "paced.lua"
    script.write_text(PACED)
    before = sum(proxies.cpu_seconds(process.pid))
    out = proxies.wrk(port, options.seconds, options.connections, "--latency", "-s", str(script))
    cpu = sum(proxies.cpu_seconds(process.pid)) - before
    value, unit = re.search(r"99% +([0-9.]+)(us|ms|s)", out).groups()
    return cpu / int(re.search(r"(\d+) requests in", out).group(1)), float(value) * UNITS[unit]


def idle_cpu(process):
    before = sum(proxies.cpu_seconds(process.pid))
    time.sleep(IDLE_SECONDS)
    return sum(proxies.cpu_seconds(process.pid)) - before


def spread(values):
    return f"{statistics.median(values):6.3f}  ({min(values):.3f} to {max(values):.3f})"


def checks(directory, makers, options):
    ports = free_ports(CHECKED)
    figures, costs = {}, {}
    stage = Stage(directory, makers, {None: ports})
    try:
        for who in ("haproxy", "adit"):
            for what in ("without", "with"):
                stage.add(who, what, ports, checks=what == "with")
        for process, port in stage.proxies.values():
            proxies.load(port, 2, options.connections)  # warms connections; the first checks are over
        figures = stage.rounds(options.rounds, lambda *proxy: paced(directory, *proxy, options))
        idle = stage.rounds(2, lambda process, port: idle_cpu(process))
    finally:
        proxies.stop(stage.running)
    print(f"checks of {CHECKED} endpoints every {CHECK_SECONDS} s, each proxy's own without = 1.00")
    for n, title in ((1, "slowest hundredth"), (0, "CPU per request")):
        for who in ("haproxy", "adit"):
            pairs = zip(figures[who, "with"], figures[who, "without"])
            print(f"  {title:24} {who:8} {spread([mine[n] / its[n] for mine, its in pairs])}")
    for who in ("haproxy", "adit"):
        made = IDLE_SECONDS * CHECKED / CHECK_SECONDS
        costs[who] = [(mine - its) / made for mine, its in zip(idle[who, "with"], idle[who, "without"])]
        slow = [1e3 * p99 for _, p99 in figures[who, "with"]]
        print(f"  {who}: a check costs {1e6 * statistics.median(costs[who]):.0f} µs of CPU; "
              f"the slowest hundredth takes {statistics.median(slow):.2f} ms with checks")
    print(f"  CPU of a check, HAProxy = 1.00   {spread([a / h for a, h in zip(costs['adit'], costs['haproxy'])])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("what", nargs="*", help="pool, churn, checks; nothing: all of them")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    proxies.expect_tools()
    makers = {"nginx": nginx, "haproxy": haproxy, "adit": adit_maker(options.adit)}
    known = {"pool": pool, "churn": churn, "checks": checks}
    for what in options.what or known:
        if what not in known:
            parser.error(f"there is no {what!r}")
        with tempfile.TemporaryDirectory() as directory:
            known[what](pathlib.Path(directory), makers, options)
    print(f"medians of {options.rounds} rounds (smallest to largest), {options.connections} connections")


if __name__ == "__main__":
    main()
