#!/usr/bin/python3
"""CPU per request of Adit, nginx and HAProxy, side by side in one run.

    tests/bench/proxies.py ADIT [--against ADIT] [--seconds N] [--rounds N] [--connections N]

The proxy runs on one core; origin (nginx) and load (wrk) share the other. All three do the same work:
small GETs over kept-alive connections, a choice between two versions by a request header, the
forwarding headers added. What counts is the proxy's own user and system time from /proc, divided by the
requests that wrk counted; the rounds interleave the proxies, and the figures printed are medians of
ratios to nginx in the same round. With --against another build of Adit takes part, and the first one's
ratio to it is printed too: what a change costs, before and after it. Absolute times of a noisy machine
mean nothing and are not printed without --absolute.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BODY = "x" * 100
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def family(pid):
    """A process, its children and theirs."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid):
    """User and system time of a process and its children."""
    user = system = 0
    for one in family(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        user += int(fields[11])
        system += int(fields[12])
    return user / TICK, system / TICK


def start(command, core, directory):
    pinned = ["taskset", "-c", str(core)] + command
    # In a file: a pipe that nobody reads would stop what writes to it.
    with open(directory / "output.log", "ab") as log:
        return subprocess.Popen(pinned, stdout=log, stderr=log)


def nginx_origin(directory, v1, canary):
    conf = directory / "origin.conf"
    servers = "".join(
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{BODY}'; }} }}\n"
        for port in (v1, canary))
    conf.write_text(f"""daemon off; worker_processes 1; pid {directory}/origin.pid;
error_log {directory}/origin.err; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
client_body_temp_path {directory}/ob; proxy_temp_path {directory}/op; fastcgi_temp_path {directory}/of;
uwsgi_temp_path {directory}/ou; scgi_temp_path {directory}/os;
{servers} }}""")
    return ["nginx", "-c", str(conf)]


def nginx_proxy(directory, port, v1, canary):
    conf = directory / "proxy.conf"
    conf.write_text(f"""daemon off; worker_processes 1; pid {directory}/proxy.pid;
error_log {directory}/proxy.err; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
client_body_temp_path {directory}/pb; proxy_temp_path {directory}/pp; fastcgi_temp_path {directory}/pf;
uwsgi_temp_path {directory}/pu; scgi_temp_path {directory}/ps;
upstream v1 {{ server 127.0.0.1:{v1}; keepalive 256; keepalive_requests 100000000; }}
upstream canary {{ server 127.0.0.1:{canary}; keepalive 256; keepalive_requests 100000000; }}
map $http_x_region $version {{ default v1; cn-east canary; }}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://$version; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Request-Id $request_id; }} }} }}""")
    return ["nginx", "-c", str(conf)]


def haproxy_proxy(directory, port, v1, canary):
    conf = directory / "haproxy.cfg"
    conf.write_text(f"""global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:{port}
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  unique-id-format %{{+X}}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  use_backend canary if {{ req.hdr(X-Region) cn-east }}
  default_backend v1
backend v1
  server v1 127.0.0.1:{v1}
backend canary
  server canary 127.0.0.1:{canary}
""")
    return ["haproxy", "-db", "-f", str(conf)]


def adit_proxy(directory, port, v1, canary, binary):
    config = directory / f"adit-{port}.json"
    config.write_text(f"""{{
  "listen": [{{ "address": "127.0.0.1:{port}" }}], "workers": 1, "rules": ["bench.rules.json"],
  "upstreams": {{ "v1": {{ "endpoints": ["127.0.0.1:{v1}"] }},
                 "canary": {{ "endpoints": ["127.0.0.1:{canary}"] }} }} }}""")
    (directory / "bench.rules.json").write_text("""{
  "route": "bench", "variants": { "v1": "v1", "canary": "canary" },
  "rules": [{ "id": "east", "when": { "header.x-region": "cn-east" }, "to": "canary" }] }""")
    return [binary, "run", "-c", str(config)]


def load(port, seconds, connections):
    """Requests that were answered with 200."""
    out = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         f"http://127.0.0.1:{port}/product/42?colour=red"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(out)
    return int(re.search(r"(\d+) requests in", out).group(1))


def measure(process, port, options):
    load(port, 1, options.connections)  # warms connections and caches
    before = cpu_seconds(process.pid)
    requests = load(port, options.seconds, options.connections)
    after = cpu_seconds(process.pid)
    return tuple((b - a) * 1e6 / requests for a, b in zip(before, after))


def ratios(rounds, base):
    """Median, smallest and largest of the rounds' ratios to another's in the same round."""
    found = [sum(mine) / sum(its) for mine, its in zip(rounds, base, strict=True)]
    return f"{statistics.median(found):5.3f}  ({min(found):.3f} to {max(found):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("--against", metavar="ADIT", help="another build, to compare with")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--absolute", action="store_true", help="also microseconds per request")
    options = parser.parse_args()
    for tool in ("nginx", "haproxy", "wrk", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: docker/deps.sh lists what a benchmark needs")
    if os.cpu_count() < 2:
        sys.exit("two cores are needed: one for the proxy, one for origin and load")

    makers = {"nginx": nginx_proxy, "haproxy": haproxy_proxy,
              "adit": lambda *where: adit_proxy(*where, options.adit)}
    if options.against:
        makers["against"] = lambda *where: adit_proxy(*where, options.against)

    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        v1, canary = free_port(), free_port()
        running = [start(nginx_origin(directory, v1, canary), 1, directory)]
        proxies = {}
        try:
            wait_for_port(v1, running[0])
            for name, make in makers.items():
                port = free_port()
                process = start(make(directory, port, v1, canary), 0, directory)
                running.append(process)
                wait_for_port(port, process)
                proxies[name] = (process, port)
            figures = {name: [] for name in proxies}
            for n in range(options.rounds):
                # To and fro, so that nobody always follows the same one.
                for name in list(proxies)[::-1 if n % 2 else 1]:
                    figures[name].append(measure(*proxies[name], options))
        finally:
            for process in reversed(running):
                process.send_signal(signal.SIGTERM)
            for process in running:
                process.wait()

    print(f"CPU per request beside nginx = 1.00, median of {options.rounds} rounds "
          f"(smallest to largest), {options.connections} connections")
    for name, rounds in figures.items():
        line = f"  {name:8} {ratios(rounds, figures['nginx'])}"
        if options.absolute:
            user, system = (statistics.median(r[i] for r in rounds) for i in (0, 1))
            line += f"   {user:5.1f} user + {system:5.1f} system µs"
        print(line)
    if options.against:
        print(f"adit beside {options.against} = 1.000: {ratios(figures['adit'], figures['against'])}")


if __name__ == "__main__":
    main()
