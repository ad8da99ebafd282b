#!/usr/bin/env python3
"""How fast 'adit replay' reads a log: usage: replay.py PATH-OF-ADIT [MIB]

Makes a log of about so many MiB (else 256) as the gateway writes it, decides it with one thread and with one for each
CPU, beside 'wc -l' of the same file, and prints lines a second, CPU time a line and, where perf counts them,
instructions a line.
"""
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time

CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}], "rules": ["shop.json"],
    "attributes": {name: {"type": "string", "from": [{"header": f"X-{name}"}]} for name in ("region", "user", "plan")},
    "upstreams": {"v1": {"endpoints": ["127.0.0.1:9001"]}, "canary": {"endpoints": ["127.0.0.1:9002"]}},
}
RULES = {
    "route": "shop", "match": {"hosts": ["shop.example.com"]}, "variants": {"v1": "v1", "canary": "canary"},
    "stable": "v1", "sticky": {"by": ["user"]},
    "rules": [{"id": "bots", "when": {"header.user-agent": {"contains": "bot"}}, "to": "v1"},
              {"id": "east", "when": {"region": ["cn-east", "cn-north"], "plan": "pro"}, "split": {"canary": 25}},
              {"id": "staff", "when": {"client_ip": {"in_cidr": "10.1.0.0/16"}}, "to": "canary"}],
    "default": {"split": {"canary": 5}},
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def line(chance, k):
    region = chance.choice(["cn-east", "cn-north", "eu-west", "us-east"])
    now = f"2026-03-01T{k // 3600000 % 24:02d}:{k // 60000 % 60:02d}:{k // 1000 % 60:02d}.{k % 1000:03d}Z"
    return json.dumps({
        "time": now, "client_ip": f"10.{chance.choice([1, 2, 3, 4])}.{chance.randrange(256)}.7", "method": "GET",
        "scheme": "https", "host": "shop.example.com", "path": f"/products/{chance.randrange(100000)}/reviews",
        "query": "page=2&sort=recent", "protocol": "HTTP/1.1", "user_agent": AGENT,
        "referer": "https://shop.example.com/products", "request_id": f"{chance.getrandbits(128):032x}", "status": 200,
        "end": "complete", "error": None, "bytes_received": 0, "bytes_sent": chance.randrange(90000),
        "duration_ms": 12.345, "first_byte_ms": 11.002, "connect_ms": None, "upstream": "v1",
        "endpoint": "127.0.0.1:9001", "retries": 0, "route": "shop", "variant": "v1", "rule": None, "reason": "default",
        "bucket": 7000, "config": "0" * 64, "trace_id": f"{chance.getrandbits(128):032x}", "now": now,
        "cookie": "absent", "pin": None, "decided": "v1", "decided_reason": "default", "override": None,
        "attributes": {"header.user-agent": AGENT, "region": region, "plan": chance.choice(["pro", "free"]),
                       "user": f"user-{chance.randrange(300000)}"}, "cut": False}, separators=(",", ":"))


def write_log(path, mib):
    chance = random.Random(1)
    block = "".join(line(chance, k) + "\n" for k in range(40000)).encode()
    with open(path, "wb") as file:
        for _ in range(max(1, mib * (1 << 20) // len(block))):
            file.write(block)


def run(args):
    """Output, seconds of the wall clock and of the CPU."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(args, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, time.monotonic() - began, cpu


def instructions(args):
    """None where perf does not count."""
    try:
        done = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", *args], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"^(\d+),,instructions:u", done.stderr.decode(), re.M)
    return int(found.group(1)) if found else None


def main():
    adit, mib = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 256
    with tempfile.TemporaryDirectory(prefix="adit-replay-") as directory:
        os.chdir(directory)
        proposed = {**RULES, "default": {"split": {"canary": 25}}}
        for name, content in (("adit.json", CONFIG), ("shop.json", RULES), ("new.json", proposed)):
            with open(name, "w", encoding="utf-8") as file:
                json.dump(content, file)
        write_log("log", mib)
        args = [adit, "replay", "-c", "adit.json", "--new", "new.json", "--assume-unchanged", "--json"]
        run(["wc", "-l", "log"])  # it is in memory from here on
        _, wall, cpu = run(["wc", "-l", "log"])
        print(f"{os.path.getsize('log') >> 20} MiB; wc -l: {wall:.2f} s, of CPU {cpu:.2f} s")
        for threads in sorted({1, os.cpu_count() or 1}):
            out, wall, cpu = run([*args, "--threads", str(threads), "log"])
            report = json.loads(out)
            lines = report["lines"]["all"]
            print(f"{threads} thread(s): {lines / wall:,.0f} lines/s, {lines / cpu:,.0f} a second of CPU, "
                  f"{cpu / lines * 1e6:.2f} us of CPU a line; {report['requests']} decided, {report['moved']} moved")
        counted = instructions([*args, "--threads", "1", "log"])
        print(f"instructions a line: {counted / lines:,.0f}" if counted else "perf counts no instructions here")


if __name__ == "__main__":
    main()
