#!/usr/bin/python3
"""What a directory that hangs does to requests that do not need it.

    tests/bench/hanging_directory.py ADIT [--seconds N] [--rounds N]

One worker on one core; origin (nginx) and load (wrk) share the other. In each round the 99th percentile of
latency of requests that need no directory is measured twice, while 64 other connections ask as well: once for
what needs none either, every 50 ms; once for users whom a directory is to tell of that takes connections and
never answers (time-out 50 ms, no breaker, so that it is asked all the time). Printed is the ratio of the two, of
each round and their median.
"""
import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from proxies import free_port, wait_for_port  # noqa: E402

LATENCY = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(port, host, connections, seconds, *more):
    return ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Host: {host}",
            *more, f"http://127.0.0.1:{port}/"]


def percentile(output):
    value, unit = LATENCY.search(output).groups()
    return float(value) * UNITS[unit]


def write(folder, port, origin, directory):
    (folder / "adit.json").write_text(json.dumps({
        "listen": [{"address": f"127.0.0.1:{port}"}], "workers": 1, "rules": ["r.json", "d.json"], "sandbox": False,
        "trusted_proxies": ["127.0.0.0/8"],
        "lookups": {"users": {"url": f"http://127.0.0.1:{directory}/{{user.id}}", "timeout": "50ms", "concurrency": 64,
                              "breaker": {"failures": 1000000}}},
        "attributes": {"user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
                       "plan": {"type": "string", "from": [{"lookup": "users", "field": "plan"}]}},
        "upstreams": {"v1": {"endpoints": [f"127.0.0.1:{origin}"]}, "canary": {"endpoints": [f"127.0.0.1:{origin}"]}}}))
    for name, when in (("r", {"header.x-beta": "1"}), ("d", {"plan": "gold"})):
        (folder / f"{name}.json").write_text(json.dumps({
            "route": name, "match": {"hosts": [f"{name}.test"]}, "variants": {"v1": "v1", "canary": "canary"},
            "stable": "v1", "rules": [{"id": "x", "when": when, "to": "canary"}]}))
    (folder / "users.lua").write_text(
        "local n = 0\nrequest = function() n = n + 1; return wrk.format(nil, nil, {['Host'] = 'd.test', "
        "['X-User-Id'] = 'u-' .. n}) end\n")
    (folder / "paced.lua").write_text("delay = function() return 50 end\n")
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;\n"
        "events { worker_connections 4096; }\nhttp { access_log off; keepalive_requests 100000000;\n"
        f"server {{ listen 127.0.0.1:{origin}; location / {{ return 200 'hello'; }} }} }}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adit")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    silent = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port, origin = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.chmod(name, 0o755)
        write(folder, port, origin, silent.getsockname()[1])
        started = [
            subprocess.Popen(["taskset", "-c", "1", "nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL),
            subprocess.Popen(["taskset", "-c", "0", os.path.abspath(options.adit), "run", "-c", "adit.json"], cwd=name,
                             stderr=subprocess.DEVNULL)]
        try:
            wait_for_port(origin, started[0])
            wait_for_port(port, started[1])
            ratios = []
            for number in range(options.rounds):
                measured = load(port, "r.test", 8, options.seconds)
                seen = []
                for host, script in (("r.test", "paced.lua"), ("d.test", "users.lua")):
                    others = subprocess.Popen(load(port, host, 64, options.seconds + 1, "-s", str(folder / script)),
                                              stdout=subprocess.DEVNULL)
                    done = subprocess.run(measured, stdout=subprocess.PIPE, text=True, check=True)
                    seen.append(percentile(done.stdout))
                    others.wait()
                ratios.append(seen[1] / seen[0])
                print(f"round {number + 1}: {ratios[-1]:.2f}")
            print(f"99th percentile while a directory hangs, while none is asked = 1: {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f} to {max(ratios):.2f})")
        finally:
            for process in started:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
