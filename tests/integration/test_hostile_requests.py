"""What a client may send: heads and bodies that are too long, too slow, or never end.

Each case has its limit, its answer, and its counter. The limits are set low here, so that it is
clear which of them ended it.
"""
import select
import socket

from harness import Task, chunked, message, request, response

MEGABYTE = 1 << 20
CHUNKED = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked")


def trickle(client, piece, most=1000):
    """Sends a piece now and then until there is an answer, or `most` are sent; says how many were."""
    for count in range(most):
        if select.select([client.sock], [], [], 0.02)[0]:
            return count
        try:
            client.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            return count
    return most


def flood(client, piece, most=64 * MEGABYTE):
    """Sends a piece again and again until there is an answer or an end; says how many bytes went."""
    sent = 0
    while sent < most and not select.select([client.sock], [], [], 0)[0]:
        try:
            client.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            return sent
        sent += len(piece)
    return sent


# ---- heads


def test_slow_head(bench):
    bench.start(config={"timeouts": {"header": "300ms"}})
    client = bench.client()
    client.send("GET / HTTP/1.1\r\n")
    assert trickle(client, "X-Slow: 1\r\n") < 100
    assert client.read_response().status == 408
    assert bench.counters()["heads_slow"] == 1


def test_head_without_end(bench):
    bench.start()
    for piece in (b"X-More: " + b"x" * 100 + b"\r\n", b"x"):
        client = bench.client()
        client.send("GET / HTTP/1.1\r\nX-First: ")
        assert flood(client, piece) < MEGABYTE
        assert client.read_response().status == 431
    assert bench.counters()["heads_long"] == 2


def test_number_of_fields(bench):
    bench.start(config={"limits": {"header_fields": 5}})
    four = ["A: 1", "B: 2", "C: 3", "D: 4"]
    bench.exchange(bench.client(), bench.v1, request("GET / HTTP/1.1", *four))
    assert bench.refused(request("GET / HTTP/1.1", *four, "E: 5")).status == 431
    assert bench.counters()["heads_long"] == 1


def test_request_line(bench):
    bench.start(config={"limits": {"request_line_bytes": "16KiB"}})
    target = "/" + "x" * (16 * 1024 - len("GET / HTTP/1.1"))
    got = bench.exchange(bench.client(), bench.v1, request(f"GET {target} HTTP/1.1"))[1]
    assert got.target == target.encode()
    assert bench.refused(request(f"GET {target}x HTTP/1.1")).status == 414
    client = bench.client()
    client.send("GET /")
    assert flood(client, b"x" * 100) < MEGABYTE
    assert client.read_response().status == 414
    assert bench.counters()["lines_long"] == 2


# ---- bodies: how fast


def test_slow_body(bench):
    """A byte now and then does not keep an exchange: it needs a part of the rate in each window."""
    bench.start(config={"timeouts": {"body": "300ms"}, "limits": {"body_rate": "10KiB"}})
    for head, piece in ((request("PUT / HTTP/1.1", "Content-Length: 1000000"), b"x"), (CHUNKED, chunked(b"x", last=b""))):
        client = bench.client()
        client.send(head)
        origin = bench.v1.accept()
        origin.read_head()
        assert trickle(client, piece) < 100
        assert client.read_response().status == 408
        assert b"\r\n0\r\n\r\n" not in origin.expect_gone()
    assert bench.counters()["bodies_slow"] == 2


def test_slow_body_that_is_fast_enough(bench):
    """Many windows go by, and in each of them enough has come."""
    bench.start(config={"timeouts": {"body": "200ms"}, "limits": {"body_rate": "1KiB"}})
    client = bench.client()
    pieces = 40
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {pieces * 100 + 1}"))
    origin = bench.v1.accept()
    origin.read_head()
    assert trickle(client, b"x" * 100, pieces) == pieces
    client.send(b"x")
    assert len(origin.read_exact(pieces * 100 + 1)) == pieces * 100 + 1
    origin.send(response())
    assert client.read_response().status == 200
    assert "bodies_slow" not in bench.counters()


def test_slow_body_where_no_rate_is_asked(bench):
    bench.start(config={"timeouts": {"body": "200ms"}, "limits": {"body_rate": "0B"}})
    client = bench.client()
    pieces = 25
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {pieces + 1}"))
    origin = bench.v1.accept()
    origin.read_head()
    assert trickle(client, b"x", pieces) == pieces
    client.send(b"x")
    origin.read_exact(pieces + 1)
    origin.send(response())
    assert client.read_response().status == 200


def test_slow_origin_is_not_a_slow_body(bench):
    """While the origin takes nothing the client's time stands still."""
    bench.start(config={"timeouts": {"body": "200ms"}, "limits": {"body_rate": "1MiB"}})
    client = bench.client()
    size = 16 * MEGABYTE
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {size}"))
    origin = bench.v1.accept()
    origin.read_head()
    # Until nobody has taken any for more than a window.
    sent = 0
    while select.select([], [client.sock], [], 0.5)[1]:
        sent += client.sock.send(b"x" * min(65536, size - sent), socket.MSG_DONTWAIT)
        assert sent < size, "all of it was taken at once"
    rest = Task(client.send, b"x" * (size - sent))
    assert len(origin.read_exact(size)) == size
    rest.result()
    origin.send(response())
    assert client.read_response().status == 200
    assert "bodies_slow" not in bench.counters()


# ---- bodies: how much


def test_large_bodies(bench):
    bench.start(config={"limits": {"body_bytes": "1KiB"}})
    assert bench.refused(request("PUT / HTTP/1.1", "Content-Length: 1025")).status == 413
    client = bench.client()
    client.send(CHUNKED)
    assert flood(client, chunked(b"x", last=b"")) < 8 * MEGABYTE
    assert client.read_response().status == 413
    assert bench.counters()["bodies_large"] == 2


def test_chunk_extensions_without_end(bench):
    """Neither one that does not end, nor one at each of many small chunks."""
    bench.start()
    for start, piece in ((b"1;", b"x" * 100), (b"", b"1;" + b"x" * 200 + b"\r\ny\r\n")):
        client = bench.client()
        client.send(CHUNKED + start)
        assert flood(client, piece) < 8 * MEGABYTE
        assert client.read_response().status == 413
        assert b"\r\n0\r\n\r\n" not in bench.v1.accept().expect_gone()
    assert bench.counters()["extensions_long"] == 2


def test_chunk_extensions_that_data_outweighs(bench):
    """A signature at each chunk, as some send it, may go on for ever."""
    bench.start(config={"limits": {"chunk_extension_bytes": "0B"}})
    client = bench.client()
    piece = b"64;signature=" + b"f" * 64 + b"\r\n" + b"x" * 100 + b"\r\n"
    got = bench.exchange(client, bench.v1, CHUNKED + piece * 2000 + b"0\r\n\r\n")[1]
    assert got.body == b"x" * 200_000
    assert "extensions_long" not in bench.counters()


def test_trailers_without_end(bench):
    bench.start(config={"limits": {"trailer_bytes": "1KiB"}})
    for piece in (b"X-Trailer: 1\r\n", b"x"):
        client = bench.client()
        client.send(CHUNKED + b"0\r\nX: ")
        assert flood(client, piece) < 8 * MEGABYTE
        assert client.read_response().status == 431
        assert b"\r\n0\r\n" not in bench.v1.accept().expect_gone()
    assert bench.refused(CHUNKED + b"0\r\nX: " + b"x" * 1024 + b"\r\n\r\n").status == 431
    assert bench.counters()["trailers_long"] == 3


# ---- bodies that nobody asked for


def test_bodies_of_any_method(bench):
    """Framed and forwarded: what stands in them is never the next request."""
    bench.start(config={"limits": {"body_bytes": "100B"}})
    inner = request("GET /inner HTTP/1.1")
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        client = bench.client()
        answer = message("HTTP/1.1 200 OK", "Content-Length: 2", body="" if method == "HEAD" else "ok")
        peer, got, _ = bench.exchange(
            client, bench.v1, request(f"{method} / HTTP/1.1", body=inner), answer, method)
        assert got.body == inner, method
        bench.exchange(client, peer)
        peer.close()
        long = request(f"{method} / HTTP/1.1", "Content-Length: 101")
        client = bench.client()
        client.send(long)
        assert client.read_response(method).status == 413, method


def test_body_behind_an_answer(bench):
    """What still comes behind an answer that did not wait for it is read, but not for ever."""
    bench.start(rules={"match": {"hosts": ["shop.example.com"]}})
    for head in ("Content-Length: 10000000000", "Transfer-Encoding: chunked"):
        client = bench.client()
        client.send(message("POST / HTTP/1.1", "Host: other", head))
        assert client.read_response().status == 404
        client.expect_cut_off(b"400\r\n" + b"x" * 1024 + b"\r\n", 64 * MEGABYTE)
    assert bench.counters()["bodies_unwanted"] == 2


def test_body_behind_a_response(bench):
    """The same where it was the origin that did not wait."""
    bench.start()
    client = bench.client()
    client.send(request("POST / HTTP/1.1", "Content-Length: 10000000000"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("403 Forbidden", "Connection: close"))
    answer = client.read_response()
    assert answer.status == 403 and answer.one("Connection") == b"close"
    client.expect_cut_off(b"x" * 65536, 64 * MEGABYTE)
    assert bench.counters()["bodies_unwanted"] == 1


def test_client_that_asks_first(bench):
    """The gateway never says 100 of itself: the origin does, or there is no body."""
    bench.start(config={"upstreams": {"shop-v1": {"timeout": "300ms"}}})
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 4"))
    origin = bench.v1.accept()
    assert origin.read_head().one("Expect") == b"100-continue"
    origin.send("HTTP/1.1 100 Continue\r\n\r\n")
    assert client.read_head().status == 100
    client.send("body")
    assert origin.read_exact(4) == b"body"
    origin.send(response())
    assert client.read_response().status == 200
    assert bench.refused(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 4")).status == 504
