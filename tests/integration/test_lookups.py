"""Attributes from a directory: it is asked for what a rule needs, once a key, and nobody waits for
it who need not, or longer than its time-out."""
import time

from harness import Task, message, request, response
from visitors import answer_names, served_by

JSON = ["HTTP/1.1 200 OK", "Content-Type: application/json"]


def said(body, *lines):
    return message("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines, body=body)


NEW = said('{"registered_at": "2026-03-04T00:00:00Z", "plan": {"tier": "gold"}, "other": "x"}')
OLD = said('{"registered_at": "2020-01-01T00:00:00Z"}')
NOBODY = message("HTTP/1.1 404 Not Found", "Content-Length: 0")
RULES = {"rules": [
    {"id": "inside", "when": {"path": {"under": "/static"}}, "to": "canary"},
    {"id": "new", "when": {"user.registered_at": {"after": "2026-01-01"}}, "to": "canary"},
]}


def config(directory, host="127.0.0.1", path="/users/{user.id}", **lookup):
    return {
        "attributes": {
            "user.id": {"type": "string", "from": [{"header": "X-User", "trust": "anyone"}]},
            "user.registered_at": {"type": "time", "from": [{"lookup": "users", "field": "registered_at"}]},
            "user.tier": {"type": "string", "from": [{"lookup": "users", "field": "plan.tier"}]},
        },
        "lookups": {"users": {"url": f"http://{host}:{directory.address.split(':')[1]}{path}",
                              "timeout": "20s", **lookup}},
    }


def start(bench, rules=None, host="127.0.0.1", **lookup):
    """Gives the directory."""
    directory = bench.origin("directory")
    answer_names(*bench.origins[:2])
    bench.start(config=config(directory, host, **lookup), rules=rules or RULES)
    return directory


def ask(bench, user="42", target="/", client=None):
    client = client or bench.client()
    client.send(request(f"GET {target} HTTP/1.1", f"X-User: {user}"))
    return client


def answer(directory, answered):
    """The next question's connection and target."""
    peer = directory.accept()
    target = peer.read_request().target
    peer.send(answered)
    return peer, target


def variant(client):
    return client.read_response().body.decode()


def test_an_answer_decides(bench):
    directory = start(bench)
    client = ask(bench)
    peer, target = answer(directory, NEW)
    assert target == b"/users/42" and variant(client) == "canary"
    # Known from now on, and the connection is kept for the next.
    assert variant(ask(bench)) == "canary"
    client = ask(bench, "43")
    assert peer.read_request().target == b"/users/43"
    peer.send(OLD)
    assert variant(client) == "v1"
    client = ask(bench, "44")
    peer.read_request()
    peer.send(NOBODY)
    assert variant(client) == "v1"
    assert variant(ask(bench, "44")) == "v1"
    counts = bench.counters()
    assert (counts["lookups_asked"], counts["lookups_hits"], counts["lookups_unknown"]) == (3, 5, 1), counts


def test_who_does_not_need_it_does_not_wait(bench):
    """A directory that hangs holds up those who need it, and only those."""
    directory = start(bench)
    waiting = ask(bench)
    peer = directory.accept()
    peer.read_request()
    for _ in range(20):
        assert variant(ask(bench, target="/static/x")) == "canary"
    client = bench.client()
    client.send(request("GET / HTTP/1.1"))  # no user: no question
    assert variant(client) == "v1"
    peer.send(NEW)
    assert variant(waiting) == "canary"
    assert bench.counters()["lookups_asked"] == 1


def test_one_question_for_all_who_wait(bench):
    directory = start(bench)
    clients = [ask(bench) for _ in range(5)]
    peer = directory.accept()
    peer.read_request()
    variant(ask(bench, target="/static/x"))  # all five were read before
    peer.send(NEW)
    assert [variant(client) for client in clients] == ["canary"] * 5
    counts = bench.counters()
    assert (counts["lookups_asked"], counts["lookups_joined"]) == (1, 4), counts


def test_a_client_that_leaves_while_waiting(bench):
    directory = start(bench)
    for how in ("close", "reset"):
        client, other = ask(bench, how), ask(bench, how)
        peer = directory.accept() if how == "close" else peer
        peer.read_request()
        client.reset() if how == "reset" else client.close()
        variant(ask(bench, target="/static/x"))
        peer.send(NEW)
        assert variant(other) == "canary"


def test_a_stop_while_waiting(bench):
    """Waiting requests are not left hanging: the bench expects a clean end."""
    directory = start(bench, timeout="200ms")
    client = ask(bench)
    directory.accept().read_request()
    bench.gateway.process.terminate()
    assert variant(client) == "v1"


def test_a_reload_while_waiting(bench):
    """The exchange goes on under the rules that it began with; the cache stays."""
    directory = start(bench)
    client = ask(bench)
    peer = directory.accept()
    peer.read_request()
    bench.write_files(config(directory), {"rules": []})
    bench.gateway.reload()
    peer.send(NEW)
    assert variant(client) == "canary"
    bench.write_files(config(directory), RULES)
    bench.gateway.reload()
    assert variant(ask(bench)) == "canary"
    assert variant(ask(bench, target="/static/")) == "canary"
    # Another spec: it is asked anew.
    bench.write_files(config(directory, concurrency=3), RULES)
    bench.gateway.reload()
    client = ask(bench)
    peer.read_request()
    peer.send(OLD)
    assert variant(client) == "v1"


def test_bad_directories(bench):
    """What is no answer makes the attribute missing, in no more time than `timeout`."""
    directory = start(bench, timeout="300ms", bytes="1KiB", breaker={"failures": 1000})
    huge = b"{" + b'"a":1,' * 2_000_000 + b'"b":2}'
    cases = {
        "garbage": b"\x16\x03\x01 no HTTP\r\n\r\n",
        "an error": message("HTTP/1.1 500 Oops", "Content-Length: 0"),
        "a redirect": message("HTTP/1.1 302 Found", f"Location: http://{bench.canary.address}/", "Content-Length: 0"),
        "no JSON": said("<html>"),
        "a list": said("[1, 2]"),
        "cut off": said('{"registered_at": '),
        "a bomb": said('{"a":' + "[" * 900),
        "silence": b"",
        "a head that does not end": b"HTTP/1.1 200 OK\r\nA: b\r\n",
        "half a body": message("HTTP/1.1 200 OK", "Content-Length: 100", body="{"),
        "10 MB": message("HTTP/1.1 200 OK", f"Content-Length: {len(huge)}", body=huge[:4096]),
        "10 MB in chunks": message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body="1000\r\n" + "x" * 4096),
    }
    for name, wrong in cases.items():
        begun = time.monotonic()
        client = ask(bench, name.replace(" ", "-"))
        peer, _ = answer(directory, wrong)
        assert variant(client) == "v1", name
        assert time.monotonic() - begun < 5, name
        peer.close()
        client.sock.close()
    counts = bench.counters()
    assert counts["lookups_asked"] == counts["lookups_failed"] + counts["lookups_timeouts"] == len(cases), counts
    assert counts["lookups_timeouts"] >= 2, counts


def test_a_directory_that_drips(bench):
    """A byte now and then does not make it any longer."""
    directory = start(bench, timeout="300ms")
    client = ask(bench)
    peer = directory.accept()
    peer.read_request()

    def drip():
        for byte in NEW:
            try:
                peer.send(bytes([byte]))
            except OSError:
                return
            time.sleep(0.02)

    dripping = Task(drip)
    assert variant(client) == "v1"
    dripping.result()
    assert bench.counters()["lookups_timeouts"] == 1


def test_breaker(bench):
    """A directory that is down is not asked, and nobody waits for it."""
    directory = start(bench, breaker={"failures": 2, "pause": "1h", "pause_max": "1h"})
    client = ask(bench, "1")
    peer, _ = answer(directory, message("HTTP/1.1 500 Oops", "Content-Length: 0"))
    assert variant(client) == "v1"
    client = ask(bench, "2")
    peer.read_request()
    peer.send(message("HTTP/1.1 500 Oops", "Content-Length: 0"))
    assert variant(client) == "v1"
    for user in range(3, 13):
        assert variant(ask(bench, user)) == "v1"
    counts = bench.counters()
    assert (counts["lookups_asked"], counts["lookups_broken"]) == (2, 10), counts


def test_concurrency(bench):
    directory = start(bench, concurrency=2)
    waiting = [ask(bench, "1"), ask(bench, "2")]
    peers = [directory.accept(), directory.accept()]
    for peer in peers:
        peer.read_request()
    assert variant(ask(bench, "3")) == "v1"
    for peer in peers:
        peer.send(NEW)
    assert [variant(client) for client in waiting] == ["canary"] * 2
    assert bench.counters()["lookups_busy"] == 1


def test_keys(bench):
    """No id leads to another host, path or query."""
    directory = start(bench)
    good = {"a/b": "a%2Fb", "?admin=1": "%3Fadmin%3D1", "x@evil.example": "x%40evil.example",
            "//evil.example": "%2F%2Fevil.example", "%2e%2e": "%252e%252e", "#": "%23"}
    peer = None
    for user, escaped in good.items():
        client = ask(bench, user)
        peer = peer or directory.accept()
        asked = peer.read_request()
        assert asked.target == b"/users/" + escaped.encode(), user
        assert asked.one("Host") == directory.address.encode()
        peer.send(NEW)
        assert variant(client) == "canary"
    for user in (".", "..", "../admin", "a/../b", "a\\..", "x" * 257, "x" * 10240, "a\tb"):
        assert variant(ask(bench, user)) == "v1", user
    assert bench.counters()["lookups_refused"] == 8


def test_many_ids(bench):
    """The cache stays within its bounds: what was unused for longest is asked anew."""
    directory = start(bench, cache={"entries": 100, "bytes": "64KiB"})
    directory.serve(lambda got: NEW)
    client = bench.client()
    for user in [*range(1000), *range(900, 1000), 899]:
        assert variant(ask(bench, user, client=client)) == "canary"
    assert bench.counters()["lookups_asked"] == 1001


def test_a_host_name(bench):
    """It is resolved beside the loop, in the sandbox."""
    directory = start(bench, host="localhost")
    client = ask(bench)
    _, target = answer(directory, NEW)
    assert target == b"/users/42" and variant(client) == "canary"


def test_a_body_waits_with_its_request(bench):
    directory = start(bench)
    client = bench.client()
    client.send(message("POST / HTTP/1.1", "Host: shop.example.com", "X-User: 42", "Content-Length: 5", body="hello"))
    peer = directory.accept()
    peer.read_request()
    peer.send(NEW)
    assert variant(client) == "canary"


def test_the_environments_proxy_is_not_asked(bench):
    import os
    os.environ["http_proxy"] = "http://127.0.0.1:1"
    try:
        directory = start(bench)
    finally:
        del os.environ["http_proxy"]
    client = ask(bench)
    answer(directory, NEW)
    assert variant(client) == "canary"
