"""A response that nobody asked for reaches nobody, whenever it comes: its connection is given up, and
every client gets its own answer."""
import strays
from harness import chunked, message, request, response

STRAY = response("200 OK", "X-Stray: 1", body=b"stray")
LONG = "60s"


def expect_own_answers(bench, count=3):
    """Whoever comes next gets an answer of its own, on a connection of its own."""
    for i in range(count):
        origin, _, answer = bench.exchange(
            bench.client(), bench.v1, request(f"GET /own/{i} HTTP/1.1"),
            response("200 OK", "Connection: close", body=b"own %d" % i))
        assert answer.body == b"own %d" % i and not answer.has("X-Stray")
        origin.close()


def test_behind_the_last_bytes(bench):
    """In one packet with the end of a response, of every framing."""
    bench.start()
    cases = [
        ("GET", response(body=b"x")), ("GET", response(body=b"")), ("HEAD", message("HTTP/1.1 200 OK")),
        ("GET", message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(b"x"))),
        ("HEAD", message("HTTP/1.1 200 OK", "Content-Length: 5")),
        ("HEAD", message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")),
        ("GET", message("HTTP/1.1 204 No Content")), ("PUT", message("HTTP/1.1 204 No Content")),
        ("GET", message("HTTP/1.1 304 Not Modified", "Content-Length: 5")),
        ("GET", message("HTTP/1.1 304 Not Modified")),
        ("GET", message("HTTP/1.1 103 Early Hints") + message("HTTP/1.1 204 No Content")),
    ]
    for method, answer in cases:
        client = bench.client()
        client.send(request(f"{method} / HTTP/1.1"))
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(answer + STRAY)
        while (got := client.read_response(method)).status == 103:
            continue
        assert not got.has("X-Stray"), answer
        origin.expect_gone()
        expect_own_answers(bench, 1)
        # ... the client's own next request included.
        bench.exchange(client, bench.v1, answer=response("200 OK", "Connection: close", body=b"own"))


def test_right_behind_a_response(bench):
    """In a packet of its own, that is there before the next request and that nobody waits for."""
    bench.start()
    client = bench.client()
    for _ in range(100):
        origin, _, _ = bench.exchange(client, bench.v1)
        origin.send(STRAY)
        expect_own_answers(bench, 1)


def test_in_front_of_a_pipelined_request(bench):
    """The next request waits in the gateway already, and takes its connection in the same turn."""
    bench.start()
    for size in (4000, 16384, 40_000):
        client = bench.client()
        client.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1"))
        origin = bench.v1.accept()
        assert origin.read_request().target == b"/1"
        bench.gateway.freeze()
        body = b"1" * (size - len(response(body=b"1" * 1000)) + 1000)
        origin.send(response(body=body))
        origin.send(STRAY)
        bench.gateway.thaw()
        assert client.read_response().body == body
        assert origin.expect_gone() == b"", "the second request went behind the stray"
        other = bench.v1.accept()
        assert other.read_request().target == b"/2"
        other.send(response("200 OK", "Connection: close", body=b"2"))
        assert client.read_response().body == b"2"


def test_while_many_rest(bench):
    """Half of the connections that rest get one; only the others serve on."""
    bench.start()
    clients = [bench.client() for _ in range(20)]
    for client in clients:
        client.send(request())
    origins = [bench.v1.accept() for _ in clients]
    for origin in origins:
        origin.read_request()
        origin.send(response())
    for client in clients:
        client.read_response()
    for origin in origins[::2]:
        origin.send(STRAY)
    for i, client in enumerate(clients):
        client.send(request(f"GET /{i} HTTP/1.1"))
    for origin in origins[::2]:
        origin.expect_gone()
    for origin in origins[1::2] + [bench.v1.accept() for _ in origins[::2]]:
        origin.send(response(body=origin.read_request().target))
    for i, client in enumerate(clients):
        answer = client.read_response()
        assert answer.body == b"/%d" % i and not answer.has("X-Stray")


def test_around_a_continue(bench):
    """A second answer behind 100 and the final one, or a 100 that comes too late."""
    bench.start()
    go_on = message("HTTP/1.1 100 Continue")
    for surplus in (STRAY, go_on, go_on + STRAY):
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
        origin = bench.v1.accept()
        head = origin.read_head()
        origin.send(go_on)
        assert client.read_head().status == 100
        client.send("hello")
        origin.read_body(head)
        origin.send(response(body=b"own") + surplus)
        assert client.read_response().body == b"own"
        origin.expect_gone()
        expect_own_answers(bench, 1)


def test_final_answers_in_front_of_the_body(bench):
    """Two of them to a client that asked first: one was asked for."""
    bench.start()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("417 Expectation Failed", body=b"own") + STRAY)
    assert client.read_response().body == b"own"
    client.expect_end()
    origin.expect_gone()
    expect_own_answers(bench)


def test_too_late(bench):
    """The answer to a request that was given up: after 504."""
    bench.start(config={"upstreams": {"shop-v1": {"timeout": "200ms"}}})
    kept = bench.exchange(bench.client(), bench.v1)[0]
    client = bench.client()
    client.send(request("GET /late HTTP/1.1"))
    kept.read_request()
    assert client.read_response().status == 504
    try:
        kept.send(STRAY)
    except OSError:
        pass
    expect_own_answers(bench)
    bench.exchange(client, bench.v1, answer=response("200 OK", "Connection: close", body=b"own"))


def test_to_a_client_that_has_left(bench):
    """At each point of its exchange: what was meant for it is for nobody else."""
    bench.start()
    points = {
        "before the head": lambda origin: None,
        "in the head": lambda origin: origin.send("HTTP/1.1 200 OK\r\nX-A"),
        "after an interim response": lambda origin: origin.send(message("HTTP/1.1 103 Early Hints")),
        "in the body": lambda origin: origin.send(message("HTTP/1.1 200 OK", "Content-Length: 9", body="some")),
    }
    for name, reach in points.items():
        kept = bench.exchange(bench.client(), bench.v1)[0]
        client = bench.client()
        client.send(request("GET /left HTTP/1.1"))
        kept.read_request()
        reach(kept)
        client.reset()
        kept.expect_gone()
        try:
            kept.send(STRAY)
        except OSError:
            pass
        expect_own_answers(bench, 1)


def test_after_an_upload_that_broke_off(bench):
    """The origin still waits for the rest: the next request must not become it, nor its answer theirs."""
    bench.start()
    for sent, status in ((b"some", 400), (b"", 400)):
        kept = bench.exchange(bench.client(), bench.v1)[0]
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", "Content-Length: 100") + sent)
        kept.read_head()
        client.half_close()
        assert client.read_response().status == status
        assert kept.expect_gone() in (b"", sent)
        expect_own_answers(bench, 1)


def test_many_clients_get_their_own(bench):
    """Strays at all times and of all kinds, under load; tests/soak/strays.py goes on for longer."""
    seen = strays.run(bench, seed=20261124, visitors=12, rounds=40, requests=3)
    assert seen["whole"] > 1000 and seen["broken"] > 50 and seen["strays at rest"] > 50, seen
