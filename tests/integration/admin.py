"""admin: asking the admin server of a bench's gateway."""
import json
import re
import subprocess
import time

from harness import DEADLINE, request

ADMIN = {"admin": {"address": "127.0.0.1:0"}}


def admin_port(bench):
    return int(bench.gateway.wait_line(r"^adit: admin server on \S+:(\d+)$")[1])


def admin_client(bench):
    return bench.client(port=admin_port(bench))


def send(bench, raw, answers="GET"):
    """The answer to bytes, behind which the connection ends."""
    client = admin_client(bench)
    client.send(raw)
    answer = client.read_response(answers)
    client.expect_end()
    client.sock.close()
    assert answer.one("Connection").lower() == b"close"
    return answer


def ask(bench, line, *fields, host="localhost", body=None):
    method = line.split()[0]
    return send(bench, request(line + " HTTP/1.1", f"Host: {host}", *fields, body=body), method)


def error_of(answer):
    assert answer.one("Content-Type") == b"application/json"
    said = json.loads(answer.body)
    assert list(said) == ["error"] and said["error"], said
    return said["error"]


# ---- metrics


def check_format(text):
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert checked.returncode == 0 and not checked.stdout + checked.stderr, checked


def scrape(bench, until=lambda got: True):
    """{name and labels: value}, once they are as they are to be."""
    deadline = time.monotonic() + DEADLINE
    while not until(got := read_metrics(bench)):
        assert time.monotonic() < deadline, got
    return got


def read_metrics(bench):
    answer = ask(bench, "GET /metrics")
    assert answer.status == 200
    assert answer.one("Content-Type") == b"text/plain; version=0.0.4; charset=utf-8"
    lines = answer.body.decode().splitlines()
    samples = [re.fullmatch(r"(\S+) (\S+)", line).groups() for line in lines if not line.startswith("#")]
    assert len(dict(samples)) == len(samples)
    return {name: float(value) for name, value in samples}
