"""Endpoints in turn, connections that fail, and requests that are sent once more."""
import select
import socket

from harness import DEADLINE, message, request, response

EXPOSED = {"expose_decision": True}
TO_CANARY = {**EXPOSED, "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
BETA = request("GET / HTTP/1.1", "X-Beta: 1")
QUICK = {"connect_timeout": "150ms"}


def end(answer):
    """The same response, after which the origin's connection ends."""
    return answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)


# ---- endpoints


def test_endpoints_take_turns(bench):
    origins = [bench.origin(f"v1-{name}") for name in "abc"]
    client = bench.start(v1=origins).client()
    for _ in range(3):
        for origin in origins:
            bench.exchange(client, origin, answer=end(response(body=origin.name.encode())))


def test_each_endpoint_keeps_its_own_connections(bench):
    origins = [bench.origin(f"v1-{name}") for name in "ab"]
    client = bench.start(v1=origins).client()
    kept = [bench.exchange(client, origin)[0] for origin in origins]
    for _ in range(2):
        for peer in kept:
            bench.exchange(client, peer)


def weighted(*pairs):
    return {"endpoints": [{"address": origin.address, **more} for origin, more in pairs]}


def test_weights(bench):
    """Of eight in a row five, two and one."""
    origins = [bench.origin(f"v1-{name}") for name in "abc"]
    for origin in origins:
        origin.serve(lambda got, name=origin.name.encode(): end(response(body=name)))
    bench.start(config={"upstreams": {"shop-v1": weighted(*zip(origins, [{"weight": 5}, {"weight": 2}, {}]))}})
    client = bench.client()
    for _ in range(3):
        got = []
        for _ in range(8):
            client.send(request())
            got.append(client.read_response().body)
        assert sorted(got) == [b"v1-a"] * 5 + [b"v1-b"] * 2 + [b"v1-c"], got


def test_unix_socket(bench):
    """Kept alive as any other; where nobody listens the next endpoint is tried."""
    origin = bench.origin("v1-unix", path="v1.sock")
    bench.start(v1=[origin])
    client = bench.client()
    body = b"x" * 300_000
    peer, got, _ = bench.exchange(client, origin, request("POST / HTTP/1.1", body=body), response(body=body))
    assert got.body == body
    bench.exchange(client, peer)
    bench.write_files(config={"upstreams": {"shop-v1": {"endpoints": [origin.address + ".none", bench.v1.address]}}})
    bench.gateway.reload()
    bench.exchange(client, bench.v1)


def test_endpoint_that_drains(bench):
    """What runs there ends as it would, its connection is not used again, and nothing new comes, not even when the
    others fail."""
    first, second = bench.origin("v1-a"), bench.origin("v1-b")
    bench.start(v1=[first, second])
    client, other = bench.client(), bench.client()
    client.send(request())
    running = first.accept()
    running.read_request()
    bench.write_files(config={"upstreams": {"shop-v1": weighted((first, {"drain": True}), (second, {}))}})
    bench.gateway.reload()
    kept = bench.exchange(other, second)[0]
    for _ in range(3):
        bench.exchange(other, kept)
    running.send(response(body=b"late"))
    assert client.read_response().body == b"late"
    kept.close()
    second.sock.close()
    other.send(request())
    assert other.read_response().status == 502
    first.expect_untouched()


def test_least_requests(bench):
    """One endpoint that holds what it gets is drawn no more than the other while that is free."""
    slow, quick = bench.origin("v1-slow"), bench.origin("v1-quick")
    quick.serve(lambda got: response())
    bench.start(config={"upstreams": {"shop-v1": {**weighted((slow, {}), (quick, {})), "load_balancing": "least_requests"}}})
    waiting = []
    while not waiting or select.select([slow.sock], [], [], 0)[0] == []:
        client = bench.client()
        client.send(request())
        # Either the quick one answers, or the slow one has it.
        readable = select.select([client.sock, slow.sock], [], [], DEADLINE)[0]
        if slow.sock in readable:
            waiting.append((client, slow.accept()))
            break
        client.read_response()
    client = bench.client()
    for _ in range(50):
        client.send(request())
        assert client.read_response().status == 200
    slow.expect_untouched()
    for held, peer in waiting:
        peer.read_request()
        peer.send(response(body=b"held"))
        assert held.read_response().body == b"held"


# ---- endpoints that fail

OUTLIERS = {"outlier_detection": {"consecutive_failures": 3, "ejection_time": "1h", "max_ejection_time": "1h"}}


def test_stable_endpoint_that_fails_is_left_out(bench):
    """By its statuses; the others get all, and what it had is still there when nothing else is."""
    sick, well = bench.origin("v1-sick"), bench.origin("v1-well")
    sick.serve(lambda got: response("503 Service Unavailable"))
    well.serve(lambda got: response())
    bench.start(v1=[sick, well], config={"upstreams": {"shop-v1": OUTLIERS}})
    client = bench.client()

    def status():
        client.send(request())
        return client.read_response().status

    assert [status() for _ in range(20)] == [503, 200] * 2 + [503] + [200] * 15
    assert len(sick.requests) == 3
    bench.gateway.wait_line(f"upstream 'shop-v1': endpoint {sick.address} is left out for 1h")


def test_canary_whose_endpoints_fail_gives_way(bench):
    """Its users are not even made to wait for a connect; the one who saw it fail is the last."""
    bench.canary.serve(lambda got: response("502 Bad Gateway"))
    bench.v1.serve(lambda got: response(body=b"stable"))
    bench.start(rules=TO_CANARY, config={"upstreams": {"shop-canary": OUTLIERS}})
    client = bench.client()
    for _ in range(3):
        client.send(BETA)
        assert client.read_response().status == 502
    for _ in range(10):
        client.send(BETA)
        answer = client.read_response()
        assert (answer.status, answer.body) == (200, b"stable")
        assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
    assert len(bench.canary.requests) == 3
    # Whoever asks for it by name gets to see it.
    client.send(request("GET / HTTP/1.1", "X-Canary: always"))
    assert client.read_response().status == 502 and len(bench.canary.requests) == 4


def test_one_endpoint_of_stable_is_never_left_out(bench):
    bench.v1.serve(lambda got: response("503 Service Unavailable"))
    bench.start(config={"upstreams": {"shop-v1": OUTLIERS}})
    client = bench.client()
    for _ in range(8):
        client.send(request())
        assert client.read_response().status == 503
    assert len(bench.v1.requests) == 8


def test_endpoint_that_refuses_is_passed_over(bench):
    """Also for a POST: nothing of it was sent."""
    bench.start(v1=[bench.refusing(), bench.v1])
    client = bench.client()
    for _ in range(4):
        answer = bench.exchange(
            client, bench.v1, request("POST / HTTP/1.1", body=b"once"), end(response()))[2]
        assert answer.status == 200


def test_a_loop_ends(bench):
    """A gateway that is its own endpoint: each turn adds a Via, and a head has a hundred fields at most."""
    own = bench.refusing("own")  # has a port; the gateway listens there
    own.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bench.start(config={"listen": [{"address": own.address}]}, v1=[own])
    client = bench.client()
    client.send(request())
    assert client.read_response().status == 431
    bench.exchange(client, bench.canary, request("GET / HTTP/1.1", "X-Canary: always"))


def test_names_are_resolved(bench):
    """localhost may be 127.0.0.1 and ::1; the origin listens on the first only."""
    bench.start(config={"upstreams": {"shop-v1": {"endpoints": [f"localhost:{bench.v1.port}"]}}})
    client = bench.client()
    for _ in range(4):
        bench.exchange(client, bench.v1, answer=end(response()))


def test_name_without_an_address(bench):
    """RFC 6761: "invalid" is never one."""
    bench.start(config={"upstreams": {"shop-v1": {"endpoints": ["nobody.invalid:80"]}}})
    client = bench.client()
    client.send(request())
    assert client.read_response().status == 503
    bench.gateway.wait_line("warning: host 'nobody.invalid' cannot be resolved: .")


# ---- connections that fail


def test_stable_that_refuses(bench):
    client = bench.start(v1=[bench.refusing("a"), bench.refusing("b")]).client()
    for sent in (request(), request("POST / HTTP/1.1")):
        client.send(sent)
        answer = client.read_response()
        assert answer.status == 502 and not answer.has("Connection")
    bench.canary.expect_untouched()


def test_refused_upload_ends_the_connection(bench):
    bench.start(v1=[bench.refusing()])
    answer = bench.refused(request("PUT / HTTP/1.1", body=request("GET /smuggled HTTP/1.1")))
    assert answer.status == 502


def test_canary_that_refuses_falls_back(bench):
    client = bench.start(rules=TO_CANARY, canary=[bench.refusing()]).client()
    for method in ("GET", "POST"):
        _, got, answer = bench.exchange(
            client, bench.v1, request(f"{method} / HTTP/1.1", "X-Beta: 1", body=b"body"), end(response()))
        assert got.body == b"body"
        assert got.one("X-Adit-Variant") == b"v1" and got.one("X-Adit-Rule") == b"beta"
        assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"


def test_fall_back_sets_no_cookie(bench):
    bench.start(rules={**EXPOSED, "default": {"split": {"canary": 100}}}, canary=[bench.refusing()])
    _, _, answer = bench.exchange(bench.client(), bench.v1)
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
    assert not answer.has("Set-Cookie") and not answer.has("Cache-Control")
    bench.stop()
    assert "cookies_set" not in bench.gateway.lines[-1]


def test_canary_with_one_endpoint_left_does_not_fall_back(bench):
    bench.start(rules=TO_CANARY, canary=[bench.refusing(), bench.canary])
    client = bench.client()
    for _ in range(4):
        answer = bench.exchange(client, bench.canary, BETA, end(response()))[2]
        assert answer.one("X-Adit-Decision") == b"variant=canary; reason=rule"


def test_forced_canary_that_refuses(bench):
    client = bench.start(canary=[bench.refusing()]).client()
    client.send(request("GET / HTTP/1.1", "X-Canary: always"))
    assert client.read_response().status == 503
    bench.v1.expect_untouched()
    bench.exchange(client, bench.v1, request("GET / HTTP/1.1", "X-Canary: never"))


def test_forced_stable_that_refuses(bench):
    client = bench.start(v1=[bench.refusing()]).client()
    client.send(request("GET / HTTP/1.1", "X-Canary: never"))
    assert client.read_response().status == 502
    bench.canary.expect_untouched()


def test_canary_and_stable_that_refuse(bench):
    client = bench.start(
        rules=TO_CANARY, canary=[bench.refusing("a")], v1=[bench.refusing("b")]).client()
    client.send(BETA)
    assert client.read_response().status == 502


def test_stable_that_does_not_accept(bench):
    client = bench.start(v1=[bench.full()], config={"upstreams": {"shop-v1": QUICK}}).client()
    for _ in range(2):  # the second one, too, has nowhere else to go
        client.send(request())
        assert client.read_response().status == 504


def test_canary_that_does_not_accept_falls_back(bench):
    bench.start(rules=TO_CANARY, canary=[bench.full()], config={"upstreams": {"shop-canary": QUICK}})
    client = bench.client()
    for _ in range(2):
        answer = bench.exchange(client, bench.v1, BETA, end(response()))[2]
        assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"


def test_endpoint_that_does_not_accept_is_passed_over(bench):
    bench.start(v1=[bench.full(), bench.v1], config={"upstreams": {"shop-v1": QUICK}})
    client = bench.client()
    for _ in range(3):
        bench.exchange(client, bench.v1, answer=end(response()))


def test_forced_canary_that_does_not_accept(bench):
    bench.start(canary=[bench.full()], config={"upstreams": {"shop-canary": QUICK}})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "X-Canary: always"))
    assert client.read_response().status == 503
    bench.v1.expect_untouched()


# ---- once more


def close_reused(bench, client, sent, how="close", before=b""):
    """The origin's kept connection gets a request and ends without a whole response."""
    kept = bench.exchange(client, bench.v1)[0]
    client.send(sent)
    head = kept.read_request()
    kept.send(before)
    getattr(kept, how)()
    return head


def test_reused_connection_that_closes(bench):
    client = bench.start().client()
    for how in ("close", "reset"):
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE"):
            sent = request(f"{method} /{how} HTTP/1.1", "X-A: 1")
            first = close_reused(bench, client, sent, how)
            origin = bench.v1.accept()
            assert origin.read_request().head == first.head
            origin.send(message("HTTP/1.1 204 No Content", "Connection: close"))
            assert client.read_response().status == 204, (method, how)


def test_small_body_is_sent_again(bench):
    client = bench.start().client()
    for framing in ("length", "chunked"):
        body = bytes(range(256)) * 16
        sent = request("PUT / HTTP/1.1", body=body) if framing == "length" else (
            request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + b"fff;x\r\n" + body[:4095]
            + b"\r\n1\r\n" + body[4095:] + b"\r\n0\r\n\r\n")
        first = close_reused(bench, client, sent)
        origin = bench.v1.accept()
        again = origin.read_request()
        assert first.body == again.body == body, framing
        assert first.head == again.head
        origin.send(message("HTTP/1.1 204 No Content", "Connection: close"))
        assert client.read_response().status == 204


def test_body_that_is_still_coming_is_sent_again(bench):
    client = bench.start().client()
    kept = bench.exchange(client, bench.v1)[0]
    client.send(request("PUT / HTTP/1.1", "Content-Length: 10") + b"hello")
    assert kept.read_head().framing() == 10
    assert kept.read_exact(5) == b"hello"
    kept.close()
    origin = bench.v1.accept()
    assert origin.read_head().framing() == 10
    assert origin.read_exact(5) == b"hello"
    client.send("world")
    assert origin.read_exact(5) == b"world"
    origin.send(response())
    assert client.read_response().status == 200


def test_long_body_is_not_sent_again(bench):
    """Only a bounded copy is kept; a body that is not there any more cannot be sent."""
    client = bench.start().client()
    body = b"x" * 100_000
    close_reused(bench, client, request("PUT / HTTP/1.1", body=body))
    assert client.read_response().status == 502
    bench.v1.expect_untouched()


def test_what_is_not_idempotent_is_not_sent_again(bench):
    client = bench.start().client()
    for method in ("POST", "PATCH", "get", "LOCK"):
        close_reused(bench, client, request(f"{method} / HTTP/1.1"))
        assert client.read_response().status == 502, method
        bench.v1.expect_untouched()


def test_once_is_enough(bench):
    """The second connection is a new one: what it ends is not sent a third time."""
    client = bench.start().client()
    close_reused(bench, client, request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.close()
    assert client.read_response().status == 502
    bench.v1.expect_untouched()


def test_second_attempt_takes_no_idle_connection(bench):
    """Where one was dead the others may be, too."""
    bench.start()
    first, second = bench.client(), bench.client()
    first.send(request())
    second.send(request())
    kept = [bench.v1.accept(), bench.v1.accept()]
    for peer in kept:
        peer.read_request()
        peer.send(response())
    first.read_response()
    second.read_response()
    first.send(request("GET /again HTTP/1.1"))
    # The connection that was used last is taken; both are idle, so see which one it is.
    used = select.select([peer.sock for peer in kept], [], [], DEADLINE)[0][0]
    peer = next(each for each in kept if each.sock is used)
    peer.read_request()
    peer.close()
    fresh = bench.v1.accept()
    assert fresh.read_request().target == b"/again"
    fresh.send(response())
    assert first.read_response().status == 200


def test_new_connection_that_closes_is_not_tried_again(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.close()
    assert client.read_response().status == 502
    bench.v1.expect_untouched()


def test_begun_response_is_not_asked_for_again(bench):
    client = bench.start().client()
    for before in (b"H", b"HTTP/1.1 200 OK\r\nX-A:", b"HTTP/1.1 100 Continue\r\n\r\n"):
        close_reused(bench, client, request(), before=before)
        if before.endswith(b"\r\n\r\n"):
            assert client.read_head().status == 100
        assert client.read_response().status == 502, before
        bench.v1.expect_untouched()


def test_second_attempt_that_cannot_connect_falls_back(bench):
    """The canary closed its listener and its idle connection: stable answers."""
    bench.start(rules=TO_CANARY)
    client = bench.client()
    kept = bench.exchange(client, bench.canary, BETA)[0]
    client.send(BETA)
    kept.read_request()
    bench.canary.close()
    stable = bench.v1.accept()
    assert stable.read_request().one("X-Adit-Variant") == b"v1"
    stable.send(response())
    answer = client.read_response()
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
