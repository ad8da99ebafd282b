"""Signals: drain, stop now, reload."""
import signal
import socket

from harness import DEADLINE, chunked, message, request, response

KEPT_LONG = {"timeouts": {"drain": "60s"}}


def connect_is_refused(bench):
    try:
        socket.create_connection(("127.0.0.1", bench.port), DEADLINE).close()
        return False
    except ConnectionRefusedError:
        return True


def begin(bench, origin=None):
    """An exchange whose response is awaited."""
    client = bench.client()
    client.send(request())
    peer = origin or bench.v1.accept()
    peer.read_request()
    return client, peer


def drain(bench, idle, number=signal.SIGTERM):
    """Begins to drain. The idle connection to the origin ends just after the listener did."""
    bench.gateway.signal(number)
    idle.expect_end()


def drained(bench):
    """The clients have what they waited for and go: the gateway ends without being told again."""
    for client in bench.clients:
        client.close()
    bench.gateway.expect_clean_end()


def two_origin_connections(bench):
    """A running exchange's client and origin, and an idle origin connection."""
    client, origin = begin(bench)
    return client, origin, bench.exchange(bench.client(), bench.v1)[0]


def test_running_exchange_finishes(bench):
    bench.start(config=KEPT_LONG)
    client, origin, idle = two_origin_connections(bench)
    drain(bench, idle)
    assert connect_is_refused(bench)
    origin.send(response(body=b"to the end"))
    answer = client.read_response()
    assert answer.body == b"to the end" and answer.one("Connection") == b"close"
    client.expect_end()
    origin.expect_end()
    drained(bench)
    bench.v1.expect_untouched()


def test_interrupt_drains_too(bench):
    bench.start(config=KEPT_LONG)
    client, origin, idle = two_origin_connections(bench)
    drain(bench, idle, signal.SIGINT)
    origin.send(response())
    assert client.read_response().status == 200
    drained(bench)


def test_response_that_had_begun_finishes(bench):
    """Its head did not say that the connection would end; it ends all the same."""
    bench.start(config=KEPT_LONG)
    client, origin, idle = two_origin_connections(bench)
    origin.send(message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(b"a", last=b"")))
    assert not client.read_head().has("Connection")
    assert client.read_chunk() == b"a"
    drain(bench, idle)
    origin.send(chunked(b"b"))
    assert client.read_chunk() == b"b" and client.read_chunk() == b""
    client.expect_end()
    drained(bench)


def test_upload_finishes(bench):
    bench.start(config=KEPT_LONG)
    idle_client = bench.client()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Content-Length: 10") + b"hello")
    origin = bench.v1.accept()
    origin.read_head()
    idle = bench.exchange(idle_client, bench.v1)[0]
    drain(bench, idle)
    client.send("world")
    assert origin.read_exact(10) == b"helloworld"
    origin.send(response())
    assert client.read_response().one("Connection") == b"close"
    drained(bench)


def test_idle_clients_are_let_go(bench):
    bench.start(config=KEPT_LONG)
    silent, kept = bench.client(), bench.client()
    bench.exchange(kept, bench.v1)
    bench.gateway.signal(signal.SIGTERM)
    silent.expect_end()
    kept.expect_end()
    drained(bench)


def test_request_on_a_kept_connection_while_draining(bench):
    """A client that was about to send is still served, and told to go."""
    bench.start(config=KEPT_LONG)
    client = bench.client()
    idle = bench.exchange(client, bench.v1)[0]
    drain(bench, idle)
    client.send(request())
    origin = bench.v1.accept()
    assert origin.read_request().one("Connection") == b"close"  # nor is this one to be kept
    origin.send(response())
    assert client.read_response().one("Connection") == b"close"
    client.expect_end()
    origin.expect_end()
    drained(bench)


def test_connections_in_the_queue_are_served(bench):
    """Those that the kernel had accepted when the listener was closed: too many for one look."""
    bench.start(config=KEPT_LONG, rules={"match": {"hosts": ["other.example.com"]}})
    bench.gateway.freeze()
    clients = [bench.client() for _ in range(300)]
    for client in clients:
        client.send(request())
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.thaw()
    for client in clients:
        assert client.read_response().status == 404
    drained(bench)


def test_drain_has_an_end(bench):
    bench.start(config={"timeouts": {"drain": "200ms"}})
    client, origin = begin(bench)
    bench.gateway.signal(signal.SIGTERM)
    client.expect_gone()
    origin.expect_gone()
    drained(bench)


def test_second_signal_stops_now(bench):
    bench.start(config=KEPT_LONG)
    client, origin, idle = two_origin_connections(bench)
    drain(bench, idle)
    bench.gateway.signal(signal.SIGTERM)
    assert client.expect_gone() == b""
    assert origin.expect_gone() == b""
    drained(bench)


def test_drain_delay(bench):
    """New connections are taken for a while, so that a load balancer has time to notice."""
    bench.start(config={"timeouts": {"drain": "60s", "drain_delay": "60s"}})
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    answer = bench.exchange(bench.client(), bench.v1)[2]
    assert not answer.has("Connection")
    bench.gateway.signal(signal.SIGTERM)
    drained(bench)


def test_drain_delay_passes(bench):
    bench.start(config={"timeouts": {"drain": "60s", "drain_delay": "200ms"}})
    client, origin, idle = two_origin_connections(bench)
    drain(bench, idle)
    assert connect_is_refused(bench)
    origin.send(response())
    assert client.read_response().status == 200
    drained(bench)


def test_several_workers_stop(bench):
    bench.start(config={**KEPT_LONG, "workers": 4})
    running = [begin(bench) for _ in range(12)]
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    for client, origin in running:
        origin.send(response())
        assert client.read_response().status == 200
        client.expect_end()
    drained(bench)


# ---- reload


def reload(bench, pattern=r"reloaded: \d+ routes", **files):
    bench.write_files(**files)
    bench.gateway.signal(signal.SIGHUP)
    bench.gateway.wait_line(pattern)


def test_reload_under_a_running_exchange(bench):
    """It keeps the configuration that it began with; the next one has the new."""
    bench.start(rules={"expose_decision": True})
    client, origin = begin(bench)
    reload(bench, rules={"expose_decision": True, "default": {"split": {"canary": 100}}})
    _, got, answer = bench.exchange(bench.client(), bench.canary)
    assert got.one("X-Adit-Variant") == b"canary"
    assert answer.one("X-Adit-Decision") == b"variant=canary; reason=default"
    origin.send(response(body=b"old"))
    answer = client.read_response()
    assert answer.body == b"old" and answer.one("X-Adit-Decision") == b"variant=v1; reason=default"
    assert bench.exchange(client, bench.canary.peers[0])[1].one("X-Adit-Variant") == b"canary"


def test_reload_under_a_streaming_body(bench):
    bench.start()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Content-Length: 10") + b"hello")
    origin = bench.v1.accept()
    origin.read_head()
    elsewhere = bench.origin("elsewhere")
    for _ in range(3):
        reload(bench, v1=[elsewhere])
        bench.gateway.lines.clear()
    client.send("world")
    assert origin.read_exact(10) == b"helloworld"
    origin.send(response())
    assert client.read_response().status == 200
    bench.exchange(client, elsewhere)


def test_reload_keeps_idle_connections(bench):
    bench.start()
    kept = bench.exchange(bench.client(), bench.v1)[0]
    reload(bench, rules={"expose_decision": True})
    answer = bench.exchange(bench.client(), kept)[2]
    assert answer.has("X-Adit-Decision")


def test_reload_of_a_bad_rule_file_keeps_the_route(bench):
    bench.start()
    reload(bench, r"shop\.json:\d+:\d+: error: .*befor", rules={
        "rules": [{"id": "x", "when": {"now": {"befor": "2026-01-01"}}, "to": "canary"}]})
    bench.gateway.wait_line("stay as they were")
    bench.exchange(bench.client(), bench.v1)


def test_reload_of_a_bad_configuration_changes_nothing(bench):
    bench.start()
    bench.write_files(rules={"default": {"split": {"canary": 100}}})
    bench.write("adit.json", "{ \"listen\": ")
    bench.gateway.signal(signal.SIGHUP)
    bench.gateway.wait_line("reload refused")
    bench.exchange(bench.client(), bench.v1)


def test_reload_changes_limits_of_open_connections(bench):
    bench.start()
    client = bench.client()
    bench.exchange(client, bench.v1)
    reload(bench, config={"limits": {"body_bytes": "3B"}})
    client.send(request("PUT / HTTP/1.1", body=b"four"))
    assert client.read_response().status == 413


def test_reload_says_what_waits_for_a_start(bench):
    bench.start()
    reload(bench, r"change of 'workers' is taken up at the next start", config={"workers": 2})
    bench.exchange(bench.client(), bench.v1)
