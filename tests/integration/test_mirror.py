"""Mirroring: copies of requests go to another variant, and nobody who asks can tell.

Every copy that was sent is in one of agreed, differed, alone, failed and stopped: end() checks that.
"""
import select
import signal

from harness import DEADLINE, chunked, message, request, response

OUTCOMES = ("agreed", "differed", "alone", "failed", "stopped")
FORCED = request("GET /forced HTTP/1.1", "X-Canary: always")


def mirror(**more):
    return {"mirror": {"to": "canary", **more}}


def settle(bench, client, peer):
    """The copy that went over the canary's connection `peer` is over: the connection serves another
    request, or was closed."""
    bench.exchange(client, peer, FORCED)


def end(bench, **expected):
    """Stops; of the mirrors' counters there is just what is expected."""
    counters = bench.counters()
    counted = {name.removeprefix("mirrors_"): n for name, n in counters.items() if name.startswith("mirrors_")}
    times = {name: counted.pop(name) for name in ("original_us", "copy_us") if name in counted}
    assert counted == expected, counted
    assert counted.get("sent", 0) == sum(counted.get(name, 0) for name in OUTCOMES)
    assert bool(times) == any(name in counted for name in ("agreed", "differed"))
    return counters, times


def without(got, *names):
    return [(name, value) for name, value in got.fields if name.decode() not in names]


# ---- what goes out -------------------------------------------------------------------------------

def test_bytes_at_both(bench):
    """The client has its answer before the copy is looked at; the copy is the same but for what says
    whose it is."""
    bench.start(rules=mirror(), config={"trusted_proxies": ["127.0.0.1/32"]})
    client = bench.client()
    sent = request("GET /a?b=%20c HTTP/1.1", "X-One: 1", "x-two: 2", "Cookie: a=b", "X-One: 3", "X-Adit-Mirror: 9",
                   "x_adit_mirror: 8", "X-Forwarded-For: 192.0.2.1", "Connection: x-hop", "X-Hop: 1", "TE: trailers")
    _, original, answer = bench.exchange(client, bench.v1, sent, response("200 OK", "X-A: v1", body=b"from v1"))
    assert answer.status == 200 and answer.one("X-A") == b"v1" and answer.body == b"from v1"
    peer = bench.canary.accept()
    copy = peer.read_request()
    assert copy.first == original.first == b"GET /a?b=%20c HTTP/1.1"
    assert original.one("X-Adit-Variant") == b"v1" and copy.one("X-Adit-Variant") == b"canary"
    assert copy.one("X-Adit-Mirror") == b"1" and not original.has("X-Adit-Mirror")
    assert copy.one("X-Request-Id") == original.one("X-Request-Id")
    assert without(copy, "X-Adit-Variant", "X-Adit-Mirror") == without(original, "X-Adit-Variant")
    peer.send(response("200 OK", "Set-Cookie: nobody=1", body=b"nobody sees this"))
    settle(bench, client, peer)
    counters, times = end(bench, sent=1, agreed=1)
    assert counters["responses"] == counters["requests"] == 2 and set(times) == {"original_us", "copy_us"}


def test_unsafe_only_when_listed(bench):
    bench.start(rules=mirror())
    client = bench.client()
    origin, _, _ = bench.exchange(client, bench.v1, request("POST / HTTP/1.1", body=b"x"))
    for method in ("PUT", "DELETE", "PATCH"):
        bench.exchange(client, origin, request(f"{method} / HTTP/1.1"))
    for method in ("HEAD", "OPTIONS"):
        bench.exchange(client, origin, request(f"{method} /{method} HTTP/1.1"),
                       message("HTTP/1.1 204 No Content"), answers=method)
    for method in ("HEAD", "OPTIONS"):
        peer = bench.canary.accept()
        assert peer.read_request().first == f"{method} /{method} HTTP/1.1".encode()
        peer.send(message("HTTP/1.1 204 No Content"))
    bench.canary.expect_untouched()
    assert bench.counters()["mirrors_sent"] == 2


def test_bodies(bench):
    """They come whole, of either framing; an Expect is the original's alone."""
    bench.start(rules=mirror(methods=["POST"], body_bytes="64KiB"))
    client = bench.client()
    long, peer, origin = bytes(range(256)) * 256, None, bench.v1
    for sent, body in (
        (request("POST /1 HTTP/1.1", body=b"short"), b"short"),
        (request("POST /2 HTTP/1.1", body=long), long),
        (request("POST /3 HTTP/1.1", body=b""), b""),
        (request("POST /4 HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"one", long[:60000], b"two"),
         b"one" + long[:60000] + b"two"),
        (request("POST /5 HTTP/1.1", "Transfer-Encoding: chunked") + chunked(), b""),
        (request("POST /6 HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X-T")
         + chunked(b"x", last=b"0\r\nX-T: 1\r\n\r\n"), b"x"),
        (request("POST /7 HTTP/1.1", "Expect: 100-continue", body=b"go"), b"go"),
    ):
        origin, original, _ = bench.exchange(client, origin, sent)
        peer = peer or bench.canary.accept()
        copy = peer.read_request()
        assert copy.first == original.first and copy.body == original.body == body and not copy.has("Expect")
        assert copy.trailers == []
        peer.send(response())
        settle(bench, client, peer)
    end(bench, sent=7, agreed=7)


def test_body_that_comes_slowly(bench):
    """Nothing of the copy is sent before the original is whole; who breaks off has none."""
    bench.start(rules=mirror(methods=["POST"]))

    def begin():
        client = bench.client()
        client.send(request("POST / HTTP/1.1", "Content-Length: 6") + b"abc")
        origin = bench.v1.accept()
        assert origin.read_until(b"\r\n\r\nabc")
        return client, origin

    client, origin = begin()
    cut, cut_origin = begin()
    cut.close()
    cut_origin.expect_gone()
    bench.canary.expect_untouched()
    client.send(b"def")
    assert origin.read_exact(3) == b"def"
    peer = bench.canary.accept()
    assert peer.read_request().body == b"abcdef"
    origin.send(response())
    assert client.read_response().status == 200
    peer.send(response())
    settle(bench, client, peer)
    end(bench, sent=1, agreed=1, unfinished=1)


def test_body_over_the_limit(bench):
    bench.start(rules=mirror(methods=["POST"], body_bytes="8B"))
    client = bench.client()
    origin, got, _ = bench.exchange(client, bench.v1, request("POST / HTTP/1.1", body=b"123456789"))
    assert got.body == b"123456789"
    sent = request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"1234", b"56789")
    assert bench.exchange(client, origin, sent)[1].body == b"123456789"
    bench.exchange(client, origin, request("POST / HTTP/1.1", body=b"12345678"))
    peer = bench.canary.accept()
    assert peer.read_request().body == b"12345678"
    peer.send(response())
    settle(bench, client, peer)
    end(bench, sent=1, agreed=1, large=2)


def test_sent_again(bench):
    """A request that goes to the endpoint twice is copied once, and whole."""
    bench.start(rules=mirror(methods=["GET", "PUT"]), config={"upstreams": {"shop-canary": {"timeout": "1m"}}})
    client = bench.client()
    idle, _, _ = bench.exchange(client, bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(response())
    settle(bench, client, peer)
    client.send(request("PUT /twice HTTP/1.1", "Content-Length: 6") + b"abc")
    assert idle.read_until(b"abc").endswith(b"abc")
    idle.reset()
    origin = bench.v1.accept()
    assert origin.read_until(b"abc").endswith(b"abc")
    client.send(b"def")
    assert origin.read_exact(3) == b"def"
    assert peer.read_request().body == b"abcdef"
    origin.send(response())
    peer.send(response())
    assert client.read_response().status == 200
    settle(bench, client, peer)
    counters, _ = end(bench, sent=2, agreed=2)
    assert counters["retries"] == 1


# ---- which requests ------------------------------------------------------------------------------

def copies_of(bench, requests, percent):
    bench.v1.serve(lambda got: response())
    bench.canary.serve(lambda got: response())
    bench.start(rules=mirror(percent=percent))
    client = bench.client()
    for _ in range(0, requests, 10):
        client.send(request() * 10)
        for _ in range(10):
            assert client.read_response().status == 200
    return bench.counters().get("mirrors_sent", 0)


def test_share_of_none(bench):
    assert copies_of(bench, 50, 0) == 0


def test_share_of_all(bench):
    assert copies_of(bench, 200, 100) == 200


def test_share_of_half(bench):
    """By chance, for each request: one in a hundred million runs would be outside."""
    assert 60 < copies_of(bench, 200, 50) < 140


def test_rules_and_states(bench):
    """A rule's own instead of the route's; nothing where somebody forced, or the route is off."""
    bench.v1.serve(lambda got: response())
    rules = {
        "expose_decision": True, "sticky": False,
        "rules": [
            {"id": "plain", "when": {"path": "/plain"}, "to": "v1"},
            {"id": "without", "when": {"path": "/without"}, "to": "v1", "mirror": False},
            {"id": "other", "when": {"path": "/other"}, "split": {"canary": 0},
             "mirror": {"to": "canary", "methods": ["POST"]}},
            {"id": "same", "when": {"path": "/same"}, "to": "canary"},
        ], **mirror()}
    bench.start(rules=rules)
    client = bench.client()

    def ask(sent):
        client.send(sent)
        assert client.read_response().status == 200

    ask(request("GET /plain HTTP/1.1"))
    peer = bench.canary.accept()
    copy = peer.read_request()
    assert copy.target == b"/plain" and copy.one("X-Adit-Rule") == b"plain"
    peer.send(response())
    for target in ("/without", "/other"):
        ask(request(f"GET {target} HTTP/1.1"))
    ask(request("GET / HTTP/1.1", "X-Canary: never"))
    ask(request("POST /other HTTP/1.1", body=b"x"))
    copy = peer.read_request()
    assert copy.first == b"POST /other HTTP/1.1" and copy.body == b"x" and copy.one("X-Adit-Rule") == b"other"
    peer.send(response())
    bench.exchange(client, peer, request("GET /same HTTP/1.1"))
    bench.write_files(rules={**rules, "state": "off"})
    bench.gateway.reload()
    ask(request("GET /plain HTTP/1.1"))
    bench.write_files(rules={**rules, "state": "full", "mirror": {"to": "v1"}})
    bench.gateway.reload()
    bench.exchange(client, peer, request("GET /full HTTP/1.1"))
    while not (copies := [got.target for got in bench.v1.requests if got.has("X-Adit-Mirror")]):
        bench.exchange(client, peer, FORCED)
    assert copies == [b"/full"]
    bench.stop()


def test_upgrade_is_not_copied(bench):
    bench.start(rules=mirror(), config={"upgrades": ["x-mux"]})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: x-mux"))
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: x-mux"))
    assert client.read_head().status == 101
    # One that is not offered is an ordinary request.
    other = bench.client()
    bench.exchange(other, bench.v1, request("GET /plain HTTP/1.1", "Connection: upgrade", "Upgrade: h2c"))
    peer = bench.canary.accept()
    got = peer.read_request()
    assert got.target == b"/plain" and not got.has("Upgrade")
    peer.send(message("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: h2c"))
    peer.expect_gone()
    end(bench, sent=1, failed=1)


# ---- nobody notices ------------------------------------------------------------------------------

def test_pipelined_behind_it(bench):
    bench.start(rules=mirror())
    client = bench.client()
    client.send(b"".join(request(f"GET /{i} HTTP/1.1") for i in range(3)))
    origin = bench.v1.accept()
    for i in range(3):
        assert origin.read_request().target == b"/%d" % i
        origin.send(response(body=b"%d" % i))
        assert client.read_response().body == b"%d" % i
    peers = [bench.canary.accept() for _ in range(3)]  # nobody has answered
    assert sorted(peer.read_request().target for peer in peers) == [b"/0", b"/1", b"/2"]
    for peer in peers:
        peer.send(response())
    for _ in peers:  # any of them, as they come to rest
        client.send(FORCED)
        peer = next_with_request(peers)
        assert peer.read_request().target == b"/forced"
        peer.send(response())
        client.read_response()
    bench.stop()


def next_with_request(peers):
    """The one of these that has something to read."""
    ready, _, _ = select.select([peer.sock for peer in peers], [], [], DEADLINE)
    assert ready, "nothing came"
    return next(peer for peer in peers if peer.sock is ready[0])


def test_target_is_down(bench):
    """It refuses: logged, counted, and that is all. Users' failovers and ejections are others."""
    config = {"upstreams": {"shop-canary": {"outlier_detection": {"consecutive_failures": 1}}}}
    bench.start(rules=mirror(), config=config, canary=[bench.refusing()])
    client, origin = bench.client(), bench.v1
    for _ in range(3):
        origin, _, answer = bench.exchange(client, origin)
        assert answer.status == 200
    bench.gateway.wait_line(r"warning: route 'shop', variant 'canary': endpoint .*: Connection refused; copies of requests get no answer$")
    counters, _ = end(bench, sent=3, failed=3)
    assert not {"connect_failures", "ejections", "failovers", "answers"} & set(counters), counters


def test_failing_copies_eject_nobody(bench):
    """An endpoint that breaks every copy goes on to serve users."""
    config = {"upstreams": {"shop-canary": {"outlier_detection": {"consecutive_failures": 1}}}}
    bench.start(rules=mirror(), config=config)
    client = bench.client()
    origin, _, _ = bench.exchange(client, bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(b"this is not HTTP\r\n\r\n")
    peer.expect_gone()
    bench.exchange(client, origin)
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(response("503 Service Unavailable"))
    settle(bench, client, peer)
    counters, _ = end(bench, sent=2, failed=1, differed=1)
    assert "ejections" not in counters and "bad_responses" not in counters


def test_copies_are_not_retried(bench):
    """Though the upstream lets users' requests be."""
    bench.start(rules=mirror(), config={"upstreams": {"shop-canary": {"retry": {"statuses": [503]}}}})
    client = bench.client()
    origin, _, _ = bench.exchange(client, bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(response("503 Service Unavailable"))
    settle(bench, client, peer)
    bench.exchange(client, origin)
    peer.read_request()
    peer.close()
    bench.exchange(client, origin, request("POST / HTTP/1.1"))
    counters, _ = end(bench, sent=2, differed=1, failed=1)
    assert "retries" not in counters and "failovers" not in counters


def test_sick_target_is_left_alone(bench):
    """One that users' requests have ejected gets no copies, though it is the only one."""
    config = {"upstreams": {"shop-canary": {"outlier_detection": {"consecutive_failures": 1, "max_ejected_percent": 100}}}}
    bench.start(rules=mirror(), config=config)
    client = bench.client()
    _, _, answer = bench.exchange(client, bench.canary, FORCED, response("503 Service Unavailable"))
    assert answer.status == 503
    bench.gateway.wait_line(r"is left out for")
    bench.exchange(client, bench.v1)
    end(bench, sent=1, failed=1)


def test_target_never_answers(bench):
    config = {"upstreams": {"shop-canary": {"timeout": "100ms", "connect_timeout": "100ms"}}}
    bench.start(rules=mirror(), config=config)
    client = bench.client()
    origin, _, answer = bench.exchange(client, bench.v1)
    assert answer.status == 200
    peer = bench.canary.accept()
    peer.read_request()
    bench.exchange(client, origin, request("POST / HTTP/1.1", body=b"x"))
    peer.expect_gone()
    counters, _ = end(bench, sent=1, failed=1)
    assert counters["responses"] == 2 and "answers" not in counters


def test_target_accepts_no_connection(bench):
    config = {"upstreams": {"shop-canary": {"timeout": "100ms", "connect_timeout": "100ms"}}}
    bench.start(rules=mirror(), config=config, canary=[bench.full()])
    client = bench.client()
    origin, _, _ = bench.exchange(client, bench.v1)
    bench.gateway.wait_line(r"Connection timed out; copies of requests get no answer$")
    bench.exchange(client, origin, request("POST / HTTP/1.1", body=b"x"))
    end(bench, sent=1, failed=1)


def test_huge_answer(bench):
    """Of an answer no more than its bound is read; its status counts."""
    bench.start(rules=mirror())
    client = bench.client()
    bench.exchange(client, bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(message("HTTP/1.1 200 OK", "Content-Length: 1000000000"))
    peer.expect_cut_off(bytes(1 << 16), 64 << 20)
    end(bench, sent=1, agreed=1)


def test_endless_upload_to_nobody(bench):
    """A target that reads nothing of a large copy holds nobody up."""
    config = {"upstreams": {"shop-canary": {"timeout": "200ms", "connect_timeout": "100ms"}}}
    bench.start(rules=mirror(methods=["POST"], body_bytes="1MiB"), config=config)
    client = bench.client()
    _, got, _ = bench.exchange(client, bench.v1, request("POST / HTTP/1.1", body=bytes(1 << 20)))
    assert len(got.body) == 1 << 20
    peer = bench.canary.accept()
    assert peer.read_head().one("Content-Length") == b"1048576"
    bench.exchange(client, bench.v1.peers[0], request("POST / HTTP/1.1", body=b""))
    peer2 = bench.canary.accept()
    assert peer2.read_request().body == b""
    peer2.send(response())
    peer.expect_gone()
    settle(bench, client, peer2)
    counters, _ = end(bench, sent=2, agreed=1, failed=1)
    assert counters["responses"] == 3


# ---- bounds and ends -----------------------------------------------------------------------------

def test_so_many_under_way(bench):
    bench.start(rules=mirror(), config={"limits": {"mirrors": 2}})
    client, origin = bench.client(), bench.v1
    for _ in range(5):
        origin, _, answer = bench.exchange(client, origin)
        assert answer.status == 200
    peers = [bench.canary.accept(), bench.canary.accept()]
    for peer in peers:
        peer.read_request()
    bench.canary.expect_untouched()
    peers[0].send(response())
    settle(bench, client, peers[0])
    bench.exchange(client, origin)  # there is room again
    assert peers[0].read_request().has("X-Adit-Mirror")
    peers[0].send(response())
    settle(bench, client, peers[0])
    peers[1].close()
    end(bench, sent=3, agreed=2, failed=1, busy=3)


def test_copies_give_their_descriptors(bench):
    """To a user's request that needs one; and where clients have all places there are no copies."""
    bench.start(rules=mirror())
    clients = [bench.client(), bench.client()]
    origin = bench.v1
    for client in clients:
        origin, _, _ = bench.exchange(client, origin, request("POST / HTTP/1.1"))
    clients[0].send(request())
    origin.read_request()
    peer = bench.canary.accept()
    peer.read_request()
    bench.gateway.limit_descriptors(len(bench.gateway.descriptors()))
    bench.exchange(clients[1], bench.v1, request("POST / HTTP/1.1"))
    peer.expect_gone()
    origin.send(response())
    assert clients[0].read_response().status == 200
    counters, _ = end(bench, sent=1, failed=1)
    assert "shortages" not in counters


def test_copies_leave_clients_their_places(bench):
    bench.start(rules=mirror(), descriptors=70)  # for eight clients, the fewest that there are
    client, origin = bench.client(), bench.v1
    for _ in range(10):
        origin, _, _ = bench.exchange(client, origin)
    peers = [bench.canary.accept() for _ in range(7)]
    for peer in peers:
        peer.read_request()
        peer.close()
    end(bench, sent=7, failed=7, busy=3)


def test_none_may_be_under_way(bench):
    bench.start(rules=mirror(), config={"limits": {"mirrors": 0}})
    bench.exchange(bench.client(), bench.v1)
    end(bench, busy=1)


def test_stop_does_not_wait_for_copies(bench):
    bench.start(rules=mirror())
    bench.exchange(bench.client(), bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    waiting = bench.client()
    waiting.send(request())
    bench.v1.peers[0].read_request()
    bench.gateway.signal(signal.SIGTERM)
    peer.expect_gone()
    # What is still to be answered is; of that there is a copy no longer, and there is no new one.
    bench.canary.accept().expect_gone()
    bench.v1.peers[0].send(response())
    assert waiting.read_response().status == 200
    end(bench, sent=2, stopped=2)


def test_client_that_leaves(bench):
    """The request was on its way to both: its copy goes on."""
    bench.start(rules=mirror())
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    peer = bench.canary.accept()
    peer.read_request()
    client.reset()
    origin.expect_gone()
    peer.send(response())
    other = bench.client()
    settle(bench, other, peer)
    counters, _ = end(bench, sent=1, alone=1)
    assert counters["client_gone"] == 1


def test_copy_answers_first(bench):
    """What is compared is known when the second has answered."""
    bench.start(rules=mirror())
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    peer = bench.canary.accept()
    peer.read_request()
    peer.send(response("500 Internal Server Error"))
    settle(bench, bench.client(), peer)
    origin.send(message("HTTP/1.1 204 No Content"))
    assert client.read_response().status == 204
    end(bench, sent=1, differed=1)


def test_original_that_nobody_takes(bench):
    """Where the gateway itself has to answer there was no request to be copied."""
    bench.start(rules=mirror(), v1=[bench.refusing()])
    client = bench.client()
    client.send(request())
    assert client.read_response().status == 502
    bench.canary.expect_untouched()
    end(bench, unfinished=1)


def test_failover_to_the_mirror(bench):
    """A canary that is down has its users at stable, which gets them once."""
    rules = {"rules": [{"id": "all", "to": "canary", "mirror": {"to": "v1"}}]}
    bench.start(rules=rules, canary=[bench.refusing()])
    _, got, _ = bench.exchange(bench.client(), bench.v1)
    assert not got.has("X-Adit-Mirror")
    bench.v1.expect_untouched()
    end(bench, same=1)


def test_reload_under_it(bench):
    """A copy goes on under the rules that it began with."""
    bench.start(rules=mirror())
    client = bench.client()
    bench.exchange(client, bench.v1)
    peer = bench.canary.accept()
    peer.read_request()
    bench.write_files()
    bench.gateway.reload()
    peer.send(response())
    settle(bench, client, peer)
    end(bench, sent=1, agreed=1)


# ---- beside limits and keys ----------------------------------------------------------------------

def test_copies_take_no_places(bench):
    """Of an upstream with limits: users have all of them, and where there is none to spare there is no copy."""
    limits = {"circuit_breaker": {"max_requests": 1, "max_connections": 1, "max_pending": 0}}
    rules = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}], **mirror()}
    bench.start(rules=rules, config={"upstreams": {"shop-canary": limits}})
    client, user = bench.client(), bench.client()
    origin, _, _ = bench.exchange(client, bench.v1)
    copy = bench.canary.accept()
    assert copy.read_request().has("X-Adit-Mirror")
    user.send(request("GET / HTTP/1.1", "X-Beta: 1"))
    peer = bench.canary.accept()
    assert not peer.read_request().has("X-Adit-Mirror")
    bench.exchange(client, origin)  # the canary has as much to do as it may
    peer.send(response(body=b"whole"))
    assert user.read_response().body == b"whole"
    copy.send(response())
    copy.expect_gone()
    user.send(request("GET / HTTP/1.1", "X-Beta: 1"))
    peer.read_request()
    peer.send(response())
    assert user.read_response().status == 200
    end(bench, sent=1, agreed=1, busy=1, same=2)


def test_copies_go_where_their_user_is(bench):
    """An upstream that balances by hash does so for copies, too."""
    pods = [bench.origin(f"canary-{name}") for name in "abc"]
    for pod in pods:
        pod.serve(lambda got: response())
    bench.v1.serve(lambda got: response())
    by_hash = {"load_balancing": "hash", "hash_by": ["header.x-user", "path"]}
    bench.start(rules=mirror(), canary=pods, config={"upstreams": {"shop-canary": by_hash}})
    client = bench.client()
    for number in range(24):
        named = (f"X-User: u{number}",) if number % 2 else ()
        for _ in range(2):
            client.send(request(f"GET /{number}?x=1 HTTP/1.1", *named))
            assert client.read_response().status == 200
    bench.stop()
    places = {}
    for pod in pods:
        for got in pod.requests:
            places.setdefault(got.target, set()).add(pod.name)
    assert places and all(len(names) == 1 for names in places.values()), places
    assert len(set.union(*places.values())) == 3
