"""Connections are kept on both sides, and given up when they are not sure to be clean."""
from harness import chunked, message, request, response


def test_both_sides_are_kept(bench):
    client = bench.start().client()
    origin, _, answer = bench.exchange(client, bench.v1)
    assert not answer.has("Connection")
    for body in (b"", b"two", b"three"):
        got = bench.exchange(client, origin, answer=response(body=body))[2]
        assert got.body == body
    bench.v1.expect_untouched()


def test_origin_connection_serves_another_client(bench):
    bench.start()
    origin, _, _ = bench.exchange(bench.client(), bench.v1)
    bench.exchange(bench.client(), origin)
    bench.v1.expect_untouched()


def test_client_that_wants_to_close(bench):
    client = bench.start().client()
    origin, got, answer = bench.exchange(
        client, bench.v1, request("GET / HTTP/1.1", "Connection: close"))
    assert not got.has("Connection")
    assert answer.one("Connection") == b"close"
    client.expect_end()
    bench.exchange(bench.client(), origin)


def test_close_among_other_options(bench):
    client = bench.start().client()
    bench.exchange(client, bench.v1, request("GET / HTTP/1.1", "Connection: foo , CLOSE,", "Foo: 1"))
    client.expect_end()


def test_origin_that_wants_to_close(bench):
    client = bench.start().client()
    origin, _, answer = bench.exchange(
        client, bench.v1, answer=response("200 OK", "Connection: close"))
    assert not answer.has("Connection")
    origin.expect_end()
    bench.exchange(client, bench.v1)


def test_origin_of_http_10(bench):
    client = bench.start().client()
    old = message("HTTP/1.0 200 OK", "Content-Length: 3", body="old")
    origin, _, answer = bench.exchange(client, bench.v1, answer=old)
    assert answer.first == b"HTTP/1.1 200 OK" and answer.body == b"old"
    origin.expect_end()
    kept = message("HTTP/1.0 200 OK", "Connection: keep-alive", "Content-Length: 3", body="old")
    origin = bench.exchange(client, bench.v1, answer=kept)[0]
    bench.exchange(client, origin)


def test_client_of_http_10(bench):
    client = bench.start().client()
    _, got, answer = bench.exchange(client, bench.v1, request("GET / HTTP/1.0"))
    assert got.first == b"GET / HTTP/1.1"
    assert answer.one("Connection") == b"close"
    client.expect_end()


def test_client_of_http_10_that_keeps(bench):
    client = bench.start().client()
    sent = request("GET / HTTP/1.0", "Connection: Keep-Alive")
    origin, _, answer = bench.exchange(client, bench.v1, sent)
    assert answer.one("Connection") == b"keep-alive"
    bench.exchange(client, origin, sent)


def test_client_of_http_10_without_host(bench):
    client = bench.start().client()
    _, got, _ = bench.exchange(client, bench.v1, b"GET /old HTTP/1.0\r\n\r\n")
    assert got.target == b"/old" and got.one("Host") == b""


def test_body_of_unknown_length_to_http_10(bench):
    """What would be chunked ends with the connection, also where keep-alive was asked for."""
    for origins in (message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(b"a", b"bc")),
                    message("HTTP/1.1 200 OK", "Connection: close", body="abc")):
        client = bench.client() if bench.gateway else bench.start().client()
        client.send(request("GET / HTTP/1.0", "Connection: keep-alive"))
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(origins)
        origin.half_close()
        answer = client.read_response()
        assert answer.one("Connection") == b"close"
        assert not answer.has("Transfer-Encoding")
        assert answer.body == b"abc"


def test_empty_line_before_a_request(bench):
    """RFC 9112 2.2: what some old clients send after a body."""
    client = bench.start().client()
    origin, got, _ = bench.exchange(client, bench.v1, b"\r\n" + request("GET /1 HTTP/1.1"))
    assert got.target == b"/1"
    client.send("\r\n")
    got = bench.exchange(client, origin, request("GET /2 HTTP/1.1"))[1]
    assert got.target == b"/2"


# ---- pipelines


def test_pipeline_is_answered_in_order(bench):
    client = bench.start().client()
    client.send(b"".join(request(f"GET /{i} HTTP/1.1") for i in range(20)))
    origin = bench.v1.accept()
    for i in range(20):
        assert origin.read_request().target == b"/%d" % i
        assert origin.buffer == b"", "the next request came before this one's response"
        origin.send(response(body=b"answer %d" % i))
        assert client.read_response().body == b"answer %d" % i
    bench.v1.expect_untouched()


def test_pipeline_with_bodies_and_answers_of_our_own(bench):
    client = bench.start(rules={"match": {"hosts": ["shop.example.com"]}}).client()
    client.send(
        request("PUT /1 HTTP/1.1", body=b"GET /not-a-request HTTP/1.1\r\n\r\n")
        + request("GET /2 HTTP/1.1", "Host: elsewhere.example.com")
        + request("POST /3 HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"abc", b"de")
        + request("HEAD /4 HTTP/1.1")
        + request("GET /5 HTTP/1.1", "Connection: close"))
    origin = bench.v1.accept()
    expected = {b"/1": b"GET /not-a-request HTTP/1.1\r\n\r\n", b"/3": b"abcde", b"/4": b"", b"/5": b""}
    for target, body in expected.items():
        got = origin.read_request()
        assert (got.target, got.body) == (target, body)
        origin.send(message("HTTP/1.1 200 OK", "Content-Length: 4") if target == b"/4"
                    else response(body=target))
    assert client.read_response().body == b"/1"
    assert client.read_response().status == 404
    assert client.read_response().body == b"/3"
    assert client.read_response("HEAD").one("Content-Length") == b"4"
    assert client.read_response().body == b"/5"
    client.expect_end()


def test_nothing_is_read_after_close(bench):
    """What follows a request with `Connection: close` is not a request."""
    client = bench.start().client()
    client.send(request("GET /1 HTTP/1.1", "Connection: close") + request("GET /2 HTTP/1.1"))
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(response())
    assert client.read_response().body == b"ok"
    client.expect_end()
    bench.exchange(bench.client(), origin, request("GET /3 HTTP/1.1"))
    bench.v1.expect_untouched()


def test_pieces_of_one_byte(bench):
    """Nothing depends on how the bytes were divided, on either side."""
    client = bench.start().client()
    origin = None
    for turn in (b"/1", b"/2"):
        client.send_pieces(
            request(b"POST " + turn + b" HTTP/1.1", "Transfer-Encoding: chunked")
            + chunked(b"hello, ", b"world"))
        origin = origin or bench.v1.accept()
        got = origin.read_request()
        assert (got.target, got.body) == (turn, b"hello, world")
        origin.send_pieces(
            message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(turn, b"!")))
        assert client.read_response().body == turn + b"!"


# ---- idle connections to origins


def test_origin_that_ends_while_idle(bench):
    client = bench.start().client()
    idle = bench.exchange(client, bench.v1)[0]
    idle.half_close()
    idle.expect_end()
    bench.exchange(client, bench.v1)


def test_stray_bytes_while_idle_reach_nobody(bench):
    client = bench.start().client()
    idle = bench.exchange(client, bench.v1)[0]
    idle.send(response(body=b"poison"))
    idle.expect_gone()
    assert bench.exchange(client, bench.v1, answer=response(body=b"good"))[2].body == b"good"


def whole(size):
    """A response of so many bytes, its head included."""
    pad = size - len(response("200 OK", "X-Pad: ", body=b""))
    return response("200 OK", "X-Pad: " + "x" * pad, body=b"")


def test_stray_bytes_and_a_request_at_once(bench):
    """The gateway learns of both in one look, of the request first: it must not use the connection,
    nor fail a request that was never sent."""
    client = bench.start().client()
    for stray in (response(body=b"poison"), b"x", b""):
        idle = bench.exchange(client, bench.v1)[0]
        bench.gateway.freeze()
        client.send(request("POST / HTTP/1.1", body=b"good"))
        idle.send(stray) if stray else idle.close()
        bench.gateway.thaw()
        origin = bench.v1.accept()
        assert origin.read_request().body == b"good"
        origin.send(response("200 OK", "Connection: close", body=b"good"))
        assert client.read_response().body == b"good"


def test_surplus_after_a_response_reaches_nobody(bench):
    """Bytes behind a body, or a body where there may be none: the connection is not used again."""
    poison = response(body=b"poison")
    cases = {
        "after a length": ("GET", response(body=b"x") + poison),
        "after the last chunk": ("GET", message(
            "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(b"x")) + poison),
        "one byte": ("GET", response(body=b"x") + b"\n"),
        "after 204": ("GET", message("HTTP/1.1 204 No Content") + poison),
        "after 304": ("GET", message("HTTP/1.1 304 Not Modified", "Content-Length: 9") + b"x" * 9),
        "after HEAD": ("HEAD", response(body=b"body of HEAD")),
    }
    bench.start()
    for size in (4096, 8192, 16384, 32768):  # where a read may end just before the surplus
        cases[f"{size} bytes"] = ("GET", whole(size) + poison)
    for name, (method, answer) in cases.items():
        client = bench.client()
        origin = bench.exchange(client, bench.v1, request(f"{method} / HTTP/1.1"), answer, method)[0]
        origin.expect_gone()
        clean = bench.exchange(client, bench.v1, answer=response("200 OK", "Connection: close"))
        assert clean[2].body == b"ok", name


def test_204_that_announces_a_body(bench):
    """RFC 9110 8.6: neither field may be there; the announcement goes no further."""
    client = bench.start().client()
    for line in ("Content-Length: 5", "Transfer-Encoding: chunked"):
        origin, _, answer = bench.exchange(
            client, bench.v1, answer=message("HTTP/1.1 204 No Content", line, "X-A: 1"))
        assert answer.has("X-A") and answer.framing() is None
        origin.expect_end()


def test_idle_origin_connection_is_closed_in_time(bench):
    bench.start(config={"timeouts": {"idle": "150ms"}})
    origin = bench.exchange(bench.client(), bench.v1)[0]
    origin.expect_end()
