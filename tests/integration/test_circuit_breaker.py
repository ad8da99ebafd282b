"""Upstreams at their limits: who waits, in which order, for how long; who gets stable, or 503."""
import signal
import threading

from harness import Task, message, request, response
from peers import EarlyEnd

EXPOSED = {"expose_decision": True}
TO_CANARY = {**EXPOSED, "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")
FORCED = request("GET / HTTP/1.1", "X-Canary: always")


def limits(upstream="shop-v1", **breaker):
    return {"upstreams": {upstream: {"circuit_breaker": {"pending_timeout": "10m", **breaker}}}}


def get(target):
    return request(f"GET {target} HTTP/1.1")


def end(answer):
    return answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


def warm(bench, n):
    """Clients whose connections the gateway has taken, each by an answer of the canary."""
    clients = [bench.client() for _ in range(n)]
    for client in clients:
        probe(client)
    return clients


def probe(client):
    """The worker of this client has done all that came before: what is sent is read in its order."""
    client.send(FORCED)
    assert client.read_response().status == 200


def queue_up(clients, probing, targets):
    for client, target in zip(clients, targets):
        client.send(get(target))
        probe(probing)


def hold(client, origin, sent=None):
    """A request that runs until its origin's connection, which is returned, answers."""
    client.send(sent or request())
    peer = origin.accept()
    peer.read_request()
    return peer


def expect_busy(answer):
    assert answer.status == 503, answer.head
    assert answer.one("Retry-After") == b"1" and answer.one("Cache-Control") == b"no-store"
    assert answer.body == b"adit: the service has too much to do: try again soon\n"
    assert not answer.has("Set-Cookie") and not answer.has("Connection")


# ---- the queue


def test_requests_wait_in_their_order(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1))
    first, *others, probing = warm(bench, 6)
    peer = hold(first, bench.v1)
    targets = ["/a", "/b", "/c", "/d"]
    queue_up(others, probing, targets)
    peer.send(response())
    assert first.read_response().status == 200
    for client, target in zip(others, targets):
        assert peer.read_request().target == target.encode()
        peer.send(response(body=target.encode()))
        assert client.read_response().body == target.encode()
    bench.v1.expect_untouched()
    assert bench.counters()["queued"] == 4


def test_limit_holds_for_all_workers_together(bench):
    """Each worker has some of the clients; the origin never has more of their requests than may run."""
    most, news = 3, threading.Condition()
    now, seen, allowed = 0, 0, 0

    def react(got):
        nonlocal now, seen, allowed
        with news:
            now += 1
            seen = max(seen, now)
            news.notify_all()
            assert news.wait_for(lambda: allowed > 0, 60)
            allowed -= 1
            now -= 1
        return response()

    def ask(client):
        client.send(request())
        return client.read_response().status

    bench.canary.serve(lambda got: response())
    bench.v1.serve(react)
    bench.start(config={"workers": 2, **limits(max_requests=most)})
    clients, probing = warm(bench, 24), warm(bench, 8)
    asked = [Task(ask, client) for client in clients]
    for _ in clients:
        with news:
            assert news.wait_for(lambda: now >= min(most, len(clients) - len(bench.v1.requests) + now), 60)
        for client in probing:
            probe(client)
        with news:
            allowed += 1
            news.notify_all()
    assert [task.result() for task in asked] == [200] * 24
    assert seen == most
    assert bench.counters()["queued"] == 24 - most


def test_waits_no_longer_than_it_may(bench):
    bench.start(config=limits(max_requests=1, pending_timeout="50ms"))
    first, second = bench.client(), bench.client()
    peer = hold(first, bench.v1)
    second.send(request())
    expect_busy(second.read_response())
    peer.send(response())
    assert first.read_response().status == 200
    bench.exchange(second, peer)
    counters = bench.counters()
    assert (counters["queued"], counters["queue_timeouts"], counters["overloads"]) == (1, 1, 1)
    assert "queue_overflows" not in counters and "shortages" not in counters


def test_full_queue(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1, max_pending=1))
    first, second, third, probing = warm(bench, 4)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    third.send(request())
    expect_busy(third.read_response())
    bench.gateway.wait_line("warning: upstream 'shop-v1' is over its limits: 1 requests run, 1 wait$")
    peer.send(response())
    assert first.read_response().status == 200
    assert peer.read_request().target == b"/second"
    peer.send(response())
    assert second.read_response().status == 200
    bench.exchange(third, peer)
    counters = bench.counters()
    assert (counters["queued"], counters["queue_overflows"], counters["overloads"]) == (1, 1, 1)


def test_unread_upload_that_is_refused_ends_the_connection(bench):
    bench.start(config=limits(max_requests=1, max_pending=0))
    peer = hold(bench.client(), bench.v1)
    answer = bench.refused(request("PUT / HTTP/1.1", body=request("GET /smuggled HTTP/1.1")))
    assert answer.status == 503 and answer.one("Retry-After") == b"1"
    peer.close()


def test_upload_that_waited_arrives_whole(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1))
    first, second, probing = warm(bench, 3)
    peer = hold(first, bench.v1)
    body = b"x" * 300_000
    sending = Task(second.send, request("POST / HTTP/1.1", body=body))
    probe(probing)
    peer.send(response())
    assert peer.read_request().body == body
    peer.send(response())
    assert second.read_response().status == 200
    sending.result()


def test_client_that_leaves_frees_its_place(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1, max_pending=1))
    first, second, third, probing = warm(bench, 4)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    second.reset()
    probe(probing)
    queue_up([third], probing, ["/third"])
    peer.send(response())
    assert peer.read_request().target == b"/third"
    peer.send(response())
    assert third.read_response().status == 200
    counters = bench.counters()
    assert counters["client_gone"] == 1 and counters["queued"] == 2


def test_half_closed_client_that_is_gone_frees_its_place(bench):
    """One whose connection has only ended may still read; after a second of silence it is gone."""
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1, max_pending=1))
    first, second, third, probing = warm(bench, 4)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    second.close()
    while True:
        third.send(get("/third"))
        probe(probing)
        third.sock.setblocking(False)
        try:
            third.buffer += third.sock.recv(65536)
        except BlockingIOError:
            break  # it waits
        finally:
            third.sock.settimeout(10)
        assert third.read_response().status == 503
    peer.send(response())
    assert peer.read_request().target == b"/third"
    peer.send(response())
    assert third.read_response().status == 200


# ---- a canary over its limits


def test_canary_over_its_limits_gives_way(bench):
    """The pin stays: no cookie is set, and as soon as there is room the canary has its user back."""
    bench.start(rules={**EXPOSED, "default": {"split": {"canary": 100}}},
                config=limits("shop-canary", max_requests=1, max_pending=0))
    first, second = bench.client(), bench.client()
    kept, _, answer = bench.exchange(first, bench.canary)
    pinned = request("GET / HTTP/1.1", b"Cookie: " + answer.one("Set-Cookie").split(b";")[0])
    first.send(request())
    kept.read_request()
    _, got, answer = bench.exchange(second, bench.v1, pinned)
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
    assert got.one("X-Adit-Variant") == b"v1"
    assert not answer.has("Set-Cookie") and not answer.has("Retry-After")
    bench.gateway.wait_line("'shop-canary' is over its limits: 1 requests run, 0 wait; a canary's users get stable$")
    kept.send(response())
    assert first.read_response().status == 200
    _, _, answer = bench.exchange(second, kept, pinned)
    assert answer.one("X-Adit-Decision") == b"variant=canary; reason=pinned"
    counters = bench.counters()
    assert (counters["failovers"], counters["queue_overflows"]) == (1, 1)
    assert "overloads" not in counters


def test_canary_that_is_waited_for_too_long_gives_way(bench):
    bench.start(rules=TO_CANARY, config=limits("shop-canary", max_requests=1, pending_timeout="50ms"))
    peer = hold(bench.client(), bench.canary, BETA)
    answer = bench.exchange(bench.client(), bench.v1, BETA)[2]
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
    peer.send(response())
    assert bench.clients[0].read_response().status == 200
    counters = bench.counters()
    assert (counters["queued"], counters["queue_timeouts"], counters["failovers"]) == (1, 1, 1)


def test_canary_and_stable_over_their_limits(bench):
    one = {"circuit_breaker": {"max_requests": 1, "max_pending": 0}}
    bench.start(rules=TO_CANARY, config={"upstreams": {"shop-v1": one, "shop-canary": one}})
    held = [hold(bench.client(), bench.canary, BETA), hold(bench.client(), bench.v1)]
    client = bench.client()
    client.send(BETA)
    answer = client.read_response()
    expect_busy(answer)
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
    for peer, each in zip(held, bench.clients):
        peer.send(response())
        assert each.read_response().status == 200


def test_stable_over_its_limits_never_gives_way(bench):
    bench.start(config=limits(max_requests=1, max_pending=0))
    hold(bench.client(), bench.v1)
    client = bench.client()
    client.send(request())
    expect_busy(client.read_response())
    bench.canary.expect_untouched()


def test_forced_canary_over_its_limits(bench):
    bench.start(config=limits("shop-canary", max_requests=1, max_pending=0))
    peer = hold(bench.client(), bench.canary, FORCED)
    client = bench.client()
    client.send(FORCED)
    answer = client.read_response()
    expect_busy(answer)
    assert answer.one("X-Adit-Decision") == b"variant=canary; reason=forced"
    bench.v1.expect_untouched()
    peer.send(response())
    bench.clients[0].read_response()
    bench.exchange(client, peer, FORCED)


def test_canary_that_refuses_gives_its_place_back(bench):
    """Its users have a place at stable, and none at the canary, whose limit is one."""
    bench.start(rules=TO_CANARY, canary=[bench.refusing()],
                config=limits("shop-canary", max_requests=1, max_pending=0))
    clients = [bench.client(), bench.client()]
    held = [hold(client, bench.v1, BETA) for client in clients]
    for peer, client in zip(held, clients):
        peer.send(response())
        assert client.read_response().one("X-Adit-Decision") == b"variant=v1; reason=failover"
    counters = bench.counters()
    assert counters["failovers"] == 2 and "queue_overflows" not in counters


# ---- every end gives the place back


def cut_body(bench, client, peer):
    peer.send(message("HTTP/1.1 200 OK", "Content-Length: 10") + b"half")
    peer.close()
    client.expect_gone()


def no_answer(bench, client, peer):
    peer.close()
    assert client.read_response().status == 502


def bad_answer(bench, client, peer):
    peer.send("no HTTP\r\n\r\n")
    assert client.read_response().status == 502


def left(bench, client, peer):
    client.reset()
    peer.expect_gone()


def left_in_body(bench, client, peer):
    peer.send(message("HTTP/1.1 200 OK", "Content-Length: 10") + b"half")
    client.read_head()
    client.reset()
    peer.expect_gone()


def last_answer(bench, client, peer):
    peer.send(end(response()))
    assert client.read_response().status == 200


def no_answer_in_time(bench, client, peer):
    assert client.read_response().status == 504
    peer.expect_gone()


def test_every_end_gives_the_place_back(bench):
    config = limits(max_requests=1, max_connections=1, max_pending=0)
    config["upstreams"]["shop-v1"]["timeout"] = "200ms"
    bench.canary.serve(lambda got: response())
    bench.start(config=config)
    probing, = warm(bench, 1)
    for ends in (cut_body, no_answer, bad_answer, left, left_in_body, last_answer, no_answer_in_time):
        client = bench.client()
        ends(bench, client, hold(client, bench.v1))
        probe(probing)
        last_answer(bench, client := bench.client(), hold(client, bench.v1))
    assert "queue_overflows" not in bench.counters()


def test_endpoint_that_refuses_gives_the_place_back(bench):
    bench.start(v1=[bench.refusing()], config=limits(max_connections=1, max_pending=0))
    client = bench.client()
    for _ in range(3):
        client.send(request())
        assert client.read_response().status == 502


def test_request_that_is_sent_again_keeps_its_place(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_connections=1))
    first, second, probing = warm(bench, 3)
    kept = bench.exchange(first, bench.v1)[0]
    first.send(get("/first"))
    kept.read_request()
    queue_up([second], probing, ["/second"])
    kept.close()
    again = bench.v1.accept()
    assert again.read_request().target == b"/first"
    again.send(response())
    assert first.read_response().status == 200
    assert again.read_request().target == b"/second"
    again.send(response())
    assert second.read_response().status == 200


def test_tunnel_is_a_request_that_runs(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1, max_pending=0))
    client, other, probing = warm(bench, 3)
    client.send(request("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket",
                        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
    peer = bench.v1.accept()
    peer.read_request()
    peer.send(message("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket",
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    assert client.read_head().status == 101
    other.send(request())
    expect_busy(other.read_response())
    client.reset()
    probe(probing)
    bench.exchange(other, bench.v1)


# ---- connections


def test_one_connection_for_all(bench):
    """A request waits for the connection, though requests have no limit of their own."""
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_connections=1))
    first, second, probing = warm(bench, 3)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    bench.v1.expect_untouched()
    peer.send(response())
    assert peer.read_request().target == b"/second"
    peer.send(response())
    assert second.read_response().status == 200


def test_idle_connection_to_another_endpoint_gives_way(bench):
    a, b = bench.origin("v1-a"), bench.origin("v1-b")
    bench.start(v1=[a, b], config=limits(max_connections=1))
    client = bench.client()
    kept = bench.exchange(client, a)[0]
    for origin in (b, a, b):
        before, kept = kept, bench.exchange(client, origin)[0]
        before.expect_end()


def test_connections_of_all_workers_together(bench):
    """The origin serves one connection after the other: a second one would never be answered. An
    idle one that another worker has is closed for a request of this one."""
    def serve():
        for _ in range(1000):
            peer = bench.v1.accept()
            bench.v1.serve_one(peer, lambda got: response())

    def ask(client):
        for _ in range(4):
            client.send(request())
            assert client.read_response().status == 200

    bench.start(config={"workers": 2, **limits(max_connections=1)})
    Task(serve)
    for work in [Task(ask, bench.client()) for _ in range(16)]:
        work.result()
    for _ in range(2):
        for client in bench.clients:
            ask(client)
    counters = bench.counters()
    assert counters["responses"] == 192 and counters["connects"] > 1, counters


# ---- reload


def test_reload_keeps_count_and_queue(bench):
    bench.canary.serve(lambda got: response())
    config = limits(max_requests=1)
    bench.start(config=config)
    first, second, third, probing = warm(bench, 4)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/before"])
    bench.gateway.reload()
    queue_up([third], probing, ["/after"])
    bench.v1.expect_untouched()
    peer.send(response())
    for client, target in ((second, b"/before"), (third, b"/after")):
        assert peer.read_request().target == target
        peer.send(response())
        assert client.read_response().status == 200


def test_reload_that_raises_the_limit_lets_the_next_go(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config={"workers": 2, **limits(max_requests=1)})
    first, second, third, probing = warm(bench, 4)
    held = [hold(first, bench.v1)]
    queue_up([second], probing, ["/second"])
    bench.write_files(config={"workers": 2, **limits(max_requests=3)})
    bench.gateway.reload()
    held.append(bench.v1.accept())
    held.append(hold(third, bench.v1))
    assert held[1].read_request().target == b"/second"
    for client, peer in zip((first, second, third), held):
        peer.send(response())
        assert client.read_response().status == 200


def test_reload_that_lowers_the_limit(bench):
    bench.start(config=limits(max_requests=2))
    clients = [bench.client(), bench.client(), bench.client()]
    held = [hold(client, bench.v1) for client in clients[:2]]
    bench.write_files(config=limits(max_requests=1, max_pending=0))
    bench.gateway.reload()
    for peer, client in zip(held, clients):
        clients[2].send(request())
        expect_busy(clients[2].read_response())
        peer.send(response())
        assert client.read_response().status == 200
    clients[2].send(request())
    assert held[1].read_request()
    held[1].send(response())
    assert clients[2].read_response().status == 200


def test_reload_that_takes_the_limit_away(bench):
    """Who waits under the old policy goes in its turn; who comes now goes at once."""
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_requests=1))
    first, second, third, probing = warm(bench, 4)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    bench.write_files()
    bench.gateway.reload()
    bench.exchange(third, bench.v1, answer=end(response()))
    peer.send(response())
    assert first.read_response().status == 200
    assert peer.read_request().target == b"/second"
    peer.send(response())
    assert second.read_response().status == 200


# ---- stop


def test_drain_serves_who_waits(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config=limits(max_connections=1))
    first, second, probing = warm(bench, 3)
    peer = hold(first, bench.v1)
    queue_up([second], probing, ["/second"])
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    peer.send(response())
    first.read_response()
    last = peer
    try:
        got = last.read_request()
    except EarlyEnd:  # the drain had begun: a connection that is done with is closed
        last = bench.v1.accept()
        got = last.read_request()
    assert got.target == b"/second"
    last.send(response())
    assert second.read_response().status == 200
    bench.gateway.expect_clean_end()


def test_stop_ends_who_waits(bench):
    bench.canary.serve(lambda got: response())
    bench.start(config={"workers": 2, **limits(max_requests=1)})
    first, *others, probing = warm(bench, 8)
    hold(first, bench.v1)
    queue_up(others, probing, ["/a"] * len(others))
    for said in ("draining", "stopping now"):
        bench.gateway.signal(signal.SIGTERM)
        bench.gateway.wait_line(said)
    for client in (first, *others):
        assert client.expect_gone() == b""
    bench.gateway.expect_clean_end()
