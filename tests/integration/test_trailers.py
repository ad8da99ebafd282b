"""Trailers: passed on where the recipient may have them, dropped elsewhere, never merged into a head."""
from harness import chunked, message, request, response

TRAILERS = b"0\r\nX-Sum:  1 \r\nx-list: a\r\nX-List: b\r\nX-Empty:\r\n\r\n"
PASSED = [(b"X-Sum", b"1"), (b"x-list", b"a"), (b"X-List", b"b"), (b"X-Empty", b"")]
CHUNKED = "Transfer-Encoding: chunked"
WELCOME = ("TE: gzip, trailers", "Connection: close, TE")

# What would frame, route, guard or describe a message that was acted upon already; and what rules and
# the next service are told by a head only.
FORBIDDEN = """Content-Length Transfer-Encoding Host Trailer TE Connection Upgrade Keep-Alive
    Content-Type Content-Encoding Content-Range Cache-Control Expect Max-Forwards Range If-Match If-None-Match
    Authorization Proxy-Authorization Cookie Set-Cookie WWW-Authenticate Date Expires Location Vary Age
    X-Forwarded-For x-forwarded-proto Forwarded Via X-Real-IP X-Request-Id X-Adit-Variant X_Adit_Rule
    x_forwarded_for COOKIE""".split()


def respond(bench, client, *lines, last=TRAILERS):
    """A chunked response with trailers; gives what the origin got, and what the client."""
    client.send(request("GET / HTTP/1.1", *lines))
    origin = bench.v1.accept()
    got = origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", CHUNKED, "Connection: close", body=chunked(b"body", last=last)))
    return got, client.read_response()


def test_of_a_request(bench):
    client = bench.start().client()
    for how in (client.send, client.send_pieces):
        how(request("POST / HTTP/1.1", CHUNKED, "Trailer: X-Sum") + chunked(b"body", last=TRAILERS))
        origin = bench.v1.accept()
        got = origin.read_request()
        assert got.body == b"body" and got.trailers == PASSED
        assert got.one("Trailer") == b"X-Sum" and not got.has("X-Sum")
        origin.send(response("200 OK", "Connection: close"))
        assert client.read_response().status == 200


def test_of_a_response_to_a_client_that_takes_them(bench):
    got, answer = respond(bench, bench.start().client(), *WELCOME)
    assert got.one("TE") == b"trailers" and got.one("Connection") == b"TE"
    assert answer.body == b"body" and answer.trailers == PASSED and not answer.has("X-Sum")


def test_of_a_response_to_one_that_does_not(bench):
    """TE counts where Connection names it: otherwise somebody in between may not know it."""
    bench.start()
    for lines in ((), ("TE: trailers",), ("TE: gzip", "Connection: TE"), ("Connection: TE",)):
        client = bench.client()
        got, answer = respond(bench, client, *lines)
        assert not got.has("TE") and not got.has("Connection"), lines
        assert answer.body == b"body" and answer.trailers == [], lines


def test_in_http_1_0(bench):
    client = bench.start().client()
    client.send(request("GET / HTTP/1.0", *WELCOME))
    origin = bench.v1.accept()
    assert not origin.read_request().has("TE")
    origin.send(message("HTTP/1.1 200 OK", CHUNKED, body=chunked(b"body", last=TRAILERS)))
    assert client.read_response().body == b"body"


def test_what_may_not_be_one(bench):
    bench.start(config={"attributes": {"region": {"type": "string", "from": [{"header": "X-Region"}]}}})
    for name in FORBIDDEN:
        last = f"0\r\nX-A: 1\r\n{name}: 7\r\nX-B: 2\r\n\r\n".encode()
        client = bench.client()
        _, answer = respond(bench, client, *WELCOME, last=last)
        assert answer.trailers == [(b"X-A", b"1"), (b"X-B", b"2")], name
    for name in (*FORBIDDEN, "X-Region", "X-Canary", "x-canary-token"):
        last = f"0\r\nX-A: 1\r\n{name}: 7\r\nX-B: 2\r\n\r\n".encode()
        got = bench.exchange(bench.client(), bench.v1,
                             request("POST / HTTP/1.1", CHUNKED) + chunked(last=last),
                             response("200 OK", "Connection: close"))[1]
        assert got.trailers == [(b"X-A", b"1"), (b"X-B", b"2")], name


def test_nominated_ones(bench):
    """Connection names fields of the trailer section, too: a section that it may mean is dropped."""
    bench.start()
    for option in ("x-sum", "foo, X-List"):
        got = bench.exchange(
            bench.client(), bench.v1,
            request("POST / HTTP/1.1", CHUNKED, f"Connection: {option}") + chunked(b"body", last=TRAILERS),
            response("200 OK", "Connection: close"))[1]
        assert got.body == b"body" and got.trailers == [], option
        answer = bench.exchange(
            bench.client(), bench.v1, request("GET / HTTP/1.1", *WELCOME),
            message("HTTP/1.1 200 OK", CHUNKED, f"Connection: {option}, close",
                    body=chunked(b"body", last=TRAILERS)))[2]
        assert answer.body == b"body" and answer.trailers == [], option


def test_connections_go_on_behind_them(bench):
    client = bench.start().client()
    origin = None
    for _ in range(3):
        client.send(request("PUT / HTTP/1.1", CHUNKED, "Connection: TE", "TE: trailers")
                    + chunked(b"in", last=TRAILERS))
        origin = origin or bench.v1.accept()
        assert origin.read_request().trailers == PASSED
        origin.send(message("HTTP/1.1 200 OK", CHUNKED, body=chunked(b"out", last=TRAILERS)))
        assert client.read_response().trailers == PASSED


def test_long_ones_in_pieces(bench):
    """A section may be as long as its limit, and come behind a body that fills the buffer."""
    last = b"0\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"v" * 70) for i in range(99)) + b"\r\n"
    assert 7000 < len(last) < 8192
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", CHUNKED, *WELCOME) + chunked(b"x" * 16000, last=b""))
    origin = bench.v1.accept()
    got = origin.read_head()
    client.send_pieces(last, 700)
    assert origin.read_chunked(got) == b"x" * 16000 and len(got.trailers) == 99
    origin.send(message("HTTP/1.1 200 OK", CHUNKED, body=chunked(b"y" * 16000, last=b"")))
    answer = client.read_head()
    origin.send_pieces(last, 700)
    assert client.read_chunked(answer) == b"y" * 16000 and len(answer.trailers) == 99


def test_more_than_may_come(bench):
    bench.start()
    for last in (b"0\r\n" + b"a:\r\n" * 101 + b"\r\n", b"0\r\nX: " + b"x" * 8200 + b"\r\n\r\n"):
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", CHUNKED) + chunked(b"body", last=last))
        origin = bench.v1.accept()
        assert client.read_response().status == 431
        assert b"\r\n0\r\n" not in origin.expect_gone()
