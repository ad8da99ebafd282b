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
import json
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


def nginx(directory, name, http):
    """The command of an nginx with these servers."""
    conf = directory / f"{name}.conf"
    temporary = "".join(f"{kind}_temp_path {directory}/{name}-{kind};\n"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf.write_text(f"""daemon off; worker_processes 1; pid {directory}/{name}.pid; worker_rlimit_nofile 65536;
error_log {directory}/{name}.err; events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
{temporary}{http} }}""")
    return ["nginx", "-c", str(conf)]


# To be completed with the upstream's name: what all three add to a request.
NGINX_FORWARD = """proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Request-Id $request_id; proxy_pass http://"""


def haproxy(directory, name, port, backends, maxconn=4096):
    """The command of a HAProxy that forwards as these backends (and a choice of one) say."""
    conf = directory / f"{name}.cfg"
    conf.write_text(f"""global
  nbthread 1
  maxconn {maxconn}
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
{backends}""")
    return ["haproxy", "-db", "-f", str(conf)]


def adit(directory, name, binary, config, rules):
    """The command of an Adit with these upstreams (and what else `config` has), by this route."""
    (directory / f"{name}.json").write_text(json.dumps({"workers": 1, "rules": [f"{name}.rules.json"], **config}))
    (directory / f"{name}.rules.json").write_text(json.dumps(rules))
    return [binary, "run", "-c", str(directory / f"{name}.json")]


def nginx_origin(directory, v1, canary):
    return nginx(directory, "origin", "".join(
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{BODY}'; }} }}\n" for port in (v1, canary)))


def nginx_proxy(directory, port, v1, canary):
    return nginx(directory, "proxy", f"""
upstream v1 {{ server 127.0.0.1:{v1}; keepalive 256; keepalive_requests 100000000; }}
upstream canary {{ server 127.0.0.1:{canary}; keepalive 256; keepalive_requests 100000000; }}
map $http_x_region $version {{ default v1; cn-east canary; }}
server {{ listen 127.0.0.1:{port}; location / {{ {NGINX_FORWARD}$version; }} }}""")


def haproxy_proxy(directory, port, v1, canary):
    return haproxy(directory, "haproxy", port, f"""
  use_backend canary if {{ req.hdr(X-Region) cn-east }}
  default_backend v1
backend v1
  server v1 127.0.0.1:{v1}
backend canary
  server canary 127.0.0.1:{canary}
""")


def adit_proxy(directory, port, v1, canary, binary):
    return adit(directory, f"adit-{port}", binary, {
        "listen": [{"address": f"127.0.0.1:{port}"}],
        "upstreams": {"v1": {"endpoints": [f"127.0.0.1:{v1}"]}, "canary": {"endpoints": [f"127.0.0.1:{canary}"]}},
    }, {
        "route": "bench", "variants": {"v1": "v1", "canary": "canary"},
        "rules": [{"id": "east", "when": {"header.x-region": "cn-east"}, "to": "canary"}],
    })


def wrk(port, seconds, connections, *options):
    """What wrk says when all was answered well."""
    out = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *options,
         f"http://127.0.0.1:{port}/product/42?colour=red"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit(out)
    return out


def load(port, seconds, connections):
    """Requests that were answered with 200."""
    return int(re.search(r"(\d+) requests in", wrk(port, seconds, connections)).group(1))


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


def expect_tools():
    for tool in ("nginx", "haproxy", "wrk", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: docker/deps.sh lists what a benchmark needs")
    if os.cpu_count() < 2:
        sys.exit("two cores are needed: one for the proxy, one for origin and load")


def stop(running):
    for process in reversed(running):
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("--against", metavar="ADIT", help="another build, to compare with")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--absolute", action="store_true", help="also microseconds per request")
    options = parser.parse_args()
    expect_tools()

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
            stop(running)

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
