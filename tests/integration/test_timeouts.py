"""Deadlines. Each is set short here, the others long, so that it is clear which one ended the wait."""
import select

from harness import chunked, message, request, response

LONG = "60s"


def timeouts(upstream=LONG, **changed):
    """A configuration in which only the timeouts given are short."""
    names = ("header", "idle", "body", "drain")
    return {"timeouts": {name: changed.get(name, LONG) for name in names},
            "upstreams": {name: {"timeout": upstream} for name in ("shop-v1", "shop-canary")}}


def test_head_that_does_not_come(bench):
    bench.start(config=timeouts(header="200ms"))
    for sent in (b"G", b"GET / HTTP/1.1\r\n", request()[:-1], b"\r\n"):
        assert bench.refused(sent).status == 408, sent
    bench.v1.expect_untouched()


def test_head_that_comes_too_slowly(bench):
    """The deadline is the whole head's: a byte now and then does not move it."""
    bench.start(config=timeouts(header="300ms"))
    client = bench.client()
    client.send("GET / HTTP/1.1\r\n")
    while not select.select([client.sock], [], [], 0.02)[0]:
        client.send("X-Slow: 1\r\n")
    assert client.read_response().status == 408
    client.expect_gone()
    bench.v1.expect_untouched()


def test_second_head_that_does_not_come(bench):
    client = bench.start(config=timeouts(header="200ms")).client()
    bench.exchange(client, bench.v1)
    client.send("GET / HT")
    assert client.read_response().status == 408
    client.expect_end()


def test_idle_connections_end_silently(bench):
    bench.start(config=timeouts(idle="150ms"))
    client = bench.client()
    client.expect_end()
    client = bench.client()
    bench.exchange(client, bench.v1)
    client.expect_end()


def test_body_that_does_not_come(bench):
    bench.start(config=timeouts(body="200ms"))
    for sent in (request("PUT / HTTP/1.1", "Content-Length: 10") + b"some",
                 request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"some", last=b"")):
        answer = bench.refused(sent)
        assert answer.status == 408
        origin = bench.v1.accept()
        origin.read_head()
        assert b"0\r\n\r\n" not in origin.expect_gone()


def test_body_that_was_not_asked_for(bench):
    """Who has begun it does not wait to be asked: its rest is due as any body's is."""
    bench.start(config=timeouts(body="200ms"))
    for framing, begun in (("Content-Length: 6", b"abc"), ("Transfer-Encoding: chunked", b"6\r\nabc")):
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", "Expect: 100-continue", framing) + begun)
        assert client.read_response().status == 408
        client.expect_end()
        bench.v1.accept().expect_gone()


def test_origin_that_does_not_answer(bench):
    client = bench.start(config=timeouts(upstream="200ms")).client()
    for sent in (request(), request("POST / HTTP/1.1", body=b"once")):
        client.send(sent)
        origin = bench.v1.accept()
        origin.read_request()
        answer = client.read_response()
        assert answer.status == 504 and not answer.has("Connection")
        assert origin.expect_gone() == b""
        bench.v1.expect_untouched()
    bench.exchange(client, bench.v1)


def test_origin_that_sends_half_a_head(bench):
    """Behind its first byte a head has as long as a body may stand still, also one after interims."""
    bench.start(config=timeouts(body="200ms"))
    for before in ("", "HTTP/1.1 103 Early Hints\r\n\r\n"):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(before + "HTTP/1.1 200 OK\r\nX-A: 1\r\n")
        while (answer := client.read_response()).status == 103:
            continue
        assert answer.status == 504
        origin.expect_gone()


def test_interim_response_is_not_the_response(bench):
    """After one the final response has the whole time again, however short that of a body is."""
    bench.start(config=timeouts(body="100ms"))
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send("HTTP/1.1 103 Early Hints\r\n\r\n")
    assert client.read_response().status == 103
    # Another exchange runs into the time of a body meanwhile: so much of it has passed.
    for _ in range(2):
        assert bench.refused(request("PUT / HTTP/1.1", "Content-Length: 10") + b"some").status == 408
        bench.v1.accept()
    origin.send(response())
    assert client.read_response().status == 200


def test_kept_connection_that_does_not_answer(bench):
    """A silent origin may be working on the request: it is not sent again."""
    client = bench.start(config=timeouts(upstream="200ms")).client()
    kept = bench.exchange(client, bench.v1)[0]
    client.send(request())
    kept.read_request()
    assert client.read_response().status == 504
    kept.expect_gone()
    bench.v1.expect_untouched()


def test_origin_that_does_not_continue(bench):
    """The client waits for the origin's word, and the origin for nothing."""
    bench.start(config=timeouts(upstream="200ms"))
    answer = bench.refused(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 5"))
    assert answer.status == 504
    origin = bench.v1.accept()
    origin.read_head()
    assert origin.expect_gone() == b""


def test_origin_that_stops_in_a_body(bench):
    bench.start(config=timeouts(body="200ms"))
    for framing, body in (("Content-Length: 10", "12345"), ("Transfer-Encoding: chunked", "5\r\n12345\r\n")):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(message("HTTP/1.1 200 OK", framing, body=body))
        head = client.read_head()
        if head.framing() == "chunked":
            assert client.read_chunk() == b"12345"
        else:
            assert client.read_exact(5) == b"12345"
        assert client.expect_gone() == b""
        origin.expect_gone()


def test_client_that_stops_reading(bench):
    """A response that nobody takes does not hold the origin for ever."""
    bench.start(config=timeouts(body="300ms"))
    client = bench.client(receive_buffer=4096)
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    try:
        origin.send(message("HTTP/1.1 200 OK", "Content-Length: 50000000", body=b"x" * 50_000_000))
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("all of the response was taken")


def test_origin_that_stops_reading(bench):
    """An upload that the origin does not take ends the exchange."""
    bench.start(config=timeouts(upstream="300ms"))
    client = bench.client()
    try:
        client.send(request("PUT / HTTP/1.1", body=b"x" * 50_000_000))
    except (BrokenPipeError, ConnectionResetError):
        pass
    bench.v1.accept()
    bench.exchange(bench.client(), bench.v1)


def test_slow_upload_is_not_the_origins_fault(bench):
    """While the client is waited for the origin's clock stands still."""
    client = bench.start(config=timeouts(upstream="150ms")).client()
    client.send(request("PUT / HTTP/1.1", "Content-Length: 5"))
    origin = bench.v1.accept()
    origin.read_head()
    # Another exchange runs into the same timeout meanwhile: so much time has passed.
    other = bench.client()
    for _ in range(2):
        other.send(request())
        bench.v1.accept().read_request()
        assert other.read_response().status == 504
    client.send("hello")
    assert origin.read_exact(5) == b"hello"
    origin.send(response())
    assert client.read_response().status == 200


def test_timeouts_start_anew_with_each_request(bench):
    """An exchange that took long leaves no deadline behind."""
    client = bench.start(config=timeouts(upstream="150ms")).client()
    for _ in range(3):
        client.send(request())
        bench.v1.accept().read_request()
        assert client.read_response().status == 504
