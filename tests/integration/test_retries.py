"""Requests that are sent once more by the upstream's option: to another endpoint, and a canary's at last to stable."""
from harness import message, request, response

EXPOSED = {"expose_decision": True}
TO_CANARY = {**EXPOSED, "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}
LAST = message("HTTP/1.1 204 No Content", "Connection: close")
BETA = request("GET / HTTP/1.1", "X-Beta: 1")


def both(**retry):
    return {"upstreams": {"shop-v1": {"retry": retry}, "shop-canary": {"retry": retry}}}


def pair(bench, **retry):
    """Two endpoints of stable, the first of which is next."""
    origins = [bench.origin(f"v1-{name}") for name in "ab"]
    bench.start(v1=origins, config=both(**retry))
    return origins


def take(origin, how="close"):
    """The endpoint gets a request and answers nothing."""
    peer = origin.accept()
    got = peer.read_request()
    getattr(peer, how)()
    return got


def give(origin, answer=None):
    peer = origin.accept()
    got = peer.read_request()
    peer.send(answer or response())
    return got


def test_fresh_connection_that_ends(bench):
    first, second = pair(bench)
    client = bench.client()
    for how in ("close", "reset", "half_close"):
        client.send(request(f"DELETE /{how} HTTP/1.1"))
        failed = take(first, how)
        again = give(second, LAST)
        assert failed.head == again.head and again.one("X-Request-Id")
        assert client.read_response().status == 204
        client.send(request())
        give(second, LAST)  # whose turn it is
        assert client.read_response().status == 204
    assert bench.counters()["retries"] == 3


def test_body_and_trailers_are_whole(bench):
    """Some of it was with the client still when the first endpoint broke."""
    first, second = pair(bench)
    body = bytes(range(256)) * 200
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X-Sum"))
    client.send(b"7d00\r\n" + body[:32000] + b"\r\n")
    peer = first.accept()
    peer.read_head()
    size = 0
    while size < 32000:
        size += len(peer.read_chunk())
    peer.reset()
    client.send(b"4800\r\n" + body[32000:50432] + b"\r\n300\r\n" + body[50432:] + b"\r\n0\r\nX-Sum: 7\r\n\r\n")
    got = give(second)
    assert got.body == body
    assert client.read_response().status == 200


def test_what_may_not_be_sent_again(bench):
    first, second = pair(bench, statuses=[503])
    for method, answer in (("POST", b""), ("PATCH", b""), ("get", b""), ("GET", b"HTTP/1.1 2"),
                           ("GET", b"HTTP/1.1 100 Continue\r\n\r\n")):
        client = bench.client()
        client.send(request(f"{method} / HTTP/1.1"))
        peer = first.accept()
        peer.read_request()
        peer.send(answer)
        peer.close()
        answer = client.read_response()
        if answer.status == 100:
            answer = client.read_response()
        assert answer.status == 502, method
        second.expect_untouched()
        client.send(request())
        give(second, LAST)
        assert client.read_response().status == 204
    client.send(request("POST / HTTP/1.1"))
    give(first, response("503 Service Unavailable"))
    assert client.read_response().status == 503


def test_body_that_is_too_long(bench):
    first, second = pair(bench, body_bytes="1000B")
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", body=b"x" * 1001))
    take(first)
    assert client.read_response().status == 502
    second.expect_untouched()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", body=b"x" * 1000))
    take(second)
    assert give(first).body == b"x" * 1000
    assert client.read_response().status == 200


def test_kept_bodies_have_a_bound(bench):
    """16 MiB of a worker's requests are kept: the seventeenth MiB is not, until there is room again."""
    bench.start(config={"workers": 1, **both(body_bytes="1MiB")})
    clients, peers = [], []
    for _ in range(17):
        clients.append(bench.client())
        clients[-1].send(request("PUT / HTTP/1.1", body=b"x" * (1 << 20)))
        peers.append(bench.v1.accept())
        assert len(peers[-1].read_request().body) == 1 << 20
    peers[16].close()
    assert clients[16].read_response().status == 502
    bench.v1.expect_untouched()
    peers[0].close()
    assert len(give(bench.v1).body) == 1 << 20
    assert clients[0].read_response().status == 200


def test_statuses(bench):
    first, second = pair(bench, statuses=[503, "520-529"], attempts=2)
    client = bench.client()
    for status in (503, 520, 529):
        client.send(request())
        peer = first.accept()
        peer.read_request()
        peer.send(response(f"{status} No"))
        peer.expect_gone()
        give(second, LAST)
        assert client.read_response().status == 204
        client.send(request())
        give(second, LAST)
        assert client.read_response().status == 204
    # The last one is the client's, with its body.
    client.send(request())
    for origin in (first, second, first):
        give(origin, response("503 No", body=origin.name.encode()))
    answer = client.read_response()
    assert (answer.status, answer.body) == (503, b"v1-a")


def test_an_endpoint_that_hangs(bench):
    first, second = pair(bench, try_timeout="50ms")
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", body=b"whole"))
    hanging = first.accept()
    assert hanging.read_request().body == b"whole"
    assert give(second).body == b"whole"
    assert client.read_response().status == 200
    hanging.expect_gone()
    bench.gateway.wait_line(f"endpoint {first.address}: did not respond in time; the request is sent again")


def test_the_last_try_has_all_the_time(bench):
    """try_timeout is for those that another may follow."""
    first, second = pair(bench, try_timeout="30ms")
    client, other = bench.client(), bench.client()
    client.send(request())
    hanging = first.accept()
    hanging.read_request()
    last = second.accept()
    last.read_request()
    hanging.expect_gone()
    # The same time goes by once more, as another request shows.
    other.send(request())
    hanging = second.accept()
    hanging.read_request()
    give(first)
    hanging.expect_gone()
    assert other.read_response().status == 200
    last.send(response(body=b"late"))
    assert client.read_response().body == b"late"


def test_endpoint_that_is_left_out_gets_no_retries(bench):
    """Rather where it has been."""
    sick, well = bench.origin("v1-sick"), bench.origin("v1-well")
    more = {"outlier_detection": {"consecutive_failures": 1, "ejection_time": "1h", "max_ejection_time": "1h"},
            "retry": {"statuses": [503, 500]}}
    bench.start(v1=[sick, well], config={"upstreams": {"shop-v1": more}})
    client = bench.client()
    client.send(request())
    give(sick, response("503 No"))
    give(well, LAST)
    assert client.read_response().status == 204
    client.send(request())
    give(well, response("500 No"))
    give(well, LAST)
    assert client.read_response().status == 204
    sick.expect_untouched()


# ---- a canary's


def test_canary_that_fails_gives_way_within_the_request(bench):
    bench.start(rules=TO_CANARY, config=both())
    client = bench.client()
    for method in ("GET", "PUT"):
        client.send(request(f"{method} / HTTP/1.1", "X-Beta: 1", body=b"body"))
        take(bench.canary)
        got = give(bench.v1, LAST)
        assert got.body == b"body" and got.one("X-Adit-Variant") == b"v1" and got.one("X-Adit-Rule") == b"beta"
        answer = client.read_response()
        assert (answer.status, answer.one("X-Adit-Decision")) == (204, b"variant=v1; reason=failover")
    bench.gateway.wait_line(f"variant 'canary': endpoint {bench.canary.address}: closed the connection without a response")
    counted = bench.counters()
    assert counted["failovers"] == counted["retries"] == 2


def test_pin_is_kept(bench):
    bench.start(rules={**EXPOSED, "default": {"split": {"canary": 100}}}, config=both(statuses=[503]))
    client = bench.client()
    client.send(request())
    give(bench.canary, LAST)
    cookie = client.read_response().one("Set-Cookie").split(b";")[0].decode()
    mine = request("GET / HTTP/1.1", f"Cookie: {cookie}")
    for fail in (take, lambda origin: give(origin, response("503 No"))):
        client.send(mine)
        fail(bench.canary)
        give(bench.v1, LAST)
        answer = client.read_response()
        assert answer.one("X-Adit-Decision") == b"variant=v1; reason=failover"
        assert not answer.has("Set-Cookie") and not answer.has("Cache-Control")
    client.send(mine)
    give(bench.canary, LAST)
    assert client.read_response().one("X-Adit-Decision") == b"variant=canary; reason=pinned"


def test_forced_canary_that_fails(bench):
    bench.start(config=both())
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "X-Canary: always"))
    take(bench.canary)
    take(bench.canary)
    assert client.read_response().status == 502
    bench.v1.expect_untouched()


def test_stable_never_goes_to_a_canary(bench):
    bench.start(config=both())
    client = bench.client()
    client.send(request())
    take(bench.v1)
    take(bench.v1)
    assert client.read_response().status == 502
    bench.canary.expect_untouched()


# ---- the budget


def test_budget(bench):
    """One of stable's may be sent again at a time, and none of the canary's, which go to stable all the same."""
    config = both(budget_percent=0, budget_minimum=1)
    config["upstreams"]["shop-canary"] = {"retry": {"budget_percent": 0, "budget_minimum": 0}}
    bench.start(rules=TO_CANARY, config={"workers": 1, **config})
    first, second, third = bench.client(), bench.client(), bench.client()
    first.send(request())
    take(bench.v1)
    held = bench.v1.accept()
    held.read_request()
    second.send(request())
    take(bench.v1)
    assert second.read_response().status == 502
    third.send(BETA)
    take(bench.canary)
    give(bench.v1, LAST)
    assert third.read_response().one("X-Adit-Decision") == b"variant=v1; reason=failover"
    held.send(response())
    assert first.read_response().status == 200
    first.send(request())
    held.read_request()
    held.close()
    give(bench.v1)  # an idle connection was dead: that is not of the budget
    assert first.read_response().status == 200
    counted = bench.counters()
    assert counted["retries_refused"] == 2 and counted["retries"] == 3


def test_client_that_leaves_gives_its_share_back(bench):
    bench.start(config={"workers": 1, **both(budget_percent=0, budget_minimum=1)})
    first, second = bench.client(), bench.client()
    first.send(request())
    take(bench.v1)
    held = bench.v1.accept()
    held.read_request()
    first.reset()
    held.expect_gone()
    second.send(request())
    take(bench.v1)
    give(bench.v1)
    assert second.read_response().status == 200
