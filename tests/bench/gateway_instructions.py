#!/usr/bin/python3
"""Instructions of the whole gateway for one request, counted by callgrind, beside another build of it.

    tests/bench/gateway_instructions.py ADIT [--against ADIT] [--requests N]

One worker, one client, one request after the other over a kept-alive connection, to an origin that answers at once: so
every request takes the same turns of the loop. Twice, with N requests and with 2N, whose difference is free of the start. In user
mode: no kernel, and the clock is not counted either, as callgrind hides the page that it is read from; each reading costs some
thirty nanoseconds beside. The figure is exact but for the few requests whose answer comes in two turns.
"""
import argparse
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASKED = b"GET /product/42?colour=red HTTP/1.1\r\nHost: bench\r\nX-Region: cn-west\r\nCookie: adit_bench=nonsense\r\n\r\n"


class Origin(http.server.BaseHTTPRequestHandler):
    def handle(self):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while self.connection.recv(65536):
            self.connection.sendall(ANSWER)


def ask(port, requests):
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            sock.sendall(ASKED)
            got = b""
            while b"\r\n\r\nok" not in got:
                got += sock.recv(65536)
            assert got.startswith(b"HTTP/1.1 200")


def instructions(binary, origin, requests):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "adit.json").write_text(json.dumps({
            "listen": [{"address": "127.0.0.1:0"}], "workers": 1, "sandbox": False, "rules": ["bench.rules.json"], "user": "root",
            "upstreams": {"v1": {"endpoints": [origin]}, "canary": {"endpoints": [origin]}},
            "sticky": {"keys": [{"id": "a", "file": "key"}]}}))
        (directory / "key").write_text("a key of a benchmark, of 32 bytes or more\n")
        (directory / "key").chmod(0o600)
        (directory / "bench.rules.json").write_text(json.dumps({
            "route": "bench", "variants": {"v1": "v1", "canary": "canary"}, "stable": "v1", "default": {"split": {"canary": 1}},
            "rules": [{"id": "east", "when": {"header.x-region": "cn-east"}, "to": "canary"}]}))
        process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", binary, "run", "-c", "adit.json"],
            cwd=directory, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        port = next(int(found[1]) for line in process.stderr if (found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line)))
        ask(port, requests)
        process.terminate()
        process.stderr.read()
        if process.wait() != 0:
            raise SystemExit(f"{binary} ended with status {process.returncode}")
        return int(re.search(r"^(?:totals|summary): (\d+)", (directory / "out").read_text(), re.M)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adit")
    parser.add_argument("--against", metavar="ADIT", help="another build, to compare with")
    parser.add_argument("--requests", type=int, default=2000)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"127.0.0.1:{server.server_address[1]}"
    found = {}
    for binary in (os.path.abspath(each) for each in (options.adit, options.against) if each):
        first, both = (instructions(binary, origin, n * options.requests) for n in (1, 2))
        found[binary] = (both - first) / options.requests
        print(f"{binary}: {found[binary]:.0f} instructions a request")
    if options.against:
        mine, its = found.values()
        print(f"{mine - its:+.0f} instructions, {mine / its:.4f} times as many")


if __name__ == "__main__":
    main()
