"""admin: asking the admin server of a bench's gateway."""
import json

from harness import request

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
