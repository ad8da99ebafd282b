"""Origins that break the protocol: 502 before a byte of it went on, a visible cut afterwards; their
connection is never used again."""
import signal

from harness import chunked, message, request, response


def test_bad_heads(bench):
    """As strict as for requests: of such a response nothing reaches the client, which goes on."""
    ok = "HTTP/1.1 200 OK"
    bad = {
        "no HTTP": b"hello\r\n\r\n",
        "HTTP/0.9": b"<html>hello</html>",
        "other protocol": b"ICY 200 OK\r\n\r\n",
        "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "two-digit status": message("HTTP/1.1 20 OK", "Content-Length: 0"),
        "four-digit status": message("HTTP/1.1 2000 OK", "Content-Length: 0"),
        "status 099": message("HTTP/1.1 099 Low", "Content-Length: 0"),
        "status 600": message("HTTP/1.1 600 High", "Content-Length: 0"),
        "status of letters": message("HTTP/1.1 OK", "Content-Length: 0"),
        "two blanks": message("HTTP/1.1  200 OK", "Content-Length: 0"),
        "lower case": message("http/1.1 200 OK", "Content-Length: 0"),
        "two lengths": message(ok, "Content-Length: 5", "Content-Length: 5", body="hello"),
        "two different lengths": message(ok, "Content-Length: 5", "Content-Length: 6", body="hello"),
        "list of lengths": message(ok, "Content-Length: 5, 5", body="hello"),
        "signed length": message(ok, "Content-Length: +5", body="hello"),
        "huge length": message(ok, "Content-Length: 9223372036854775808"),
        "empty length": message(ok, "Content-Length:"),
        "length with coding": message(ok, "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
        "unknown coding": message(ok, "Transfer-Encoding: gzip, chunked", body=chunked(b"x")),
        "identity": message(ok, "Transfer-Encoding: identity", body="x"),
        "two codings": message(ok, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        "coding in HTTP/1.0": message("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", body=chunked()),
        "space before the colon": message(ok, "Content-Length : 5", body="hello"),
        "folded line": message(ok, "X-A: 1", " 2", "Content-Length: 0"),
        "no colon": message(ok, "X-A", "Content-Length: 0"),
        "bad name": message(ok, "X(A: 1", "Content-Length: 0"),
        "bare line feed": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "bare line feed inside": message(ok, "X-A: 1\nX-B: 2", "Content-Length: 0"),
        "bare carriage return": message(ok, "X-A: 1\rX-B: 2", "Content-Length: 0"),
        "NUL": message(ok, "X-A: a\0b", "Content-Length: 0"),
        "control in the reason": message("HTTP/1.1 200 O\x01K", "Content-Length: 0"),
        "too many fields": message(ok, *["X-A: 1"] * 101, "Content-Length: 0"),
        "long head": message(ok, *[f"X-{i}: " + "x" * 8000 for i in range(9)], "Content-Length: 0"),
        "bad interim response": message("HTTP/1.1 103 Hints", "X A: 1") + response(),
    }
    client = bench.start().client()
    for name, answer in bad.items():
        origin, _, got = bench.exchange(client, bench.v1, answer=answer)
        assert got.status == 502, f"{name}: {got.head!r}"
        assert not got.has("Connection"), name
        origin.expect_gone()
    bench.exchange(client, bench.v1)


def test_head_of_a_megabyte(bench):
    """The gateway reads no further than its limit, and keeps nothing of it."""
    bench.start()
    client = bench.client()
    megabyte = b"x" * (1 << 20)
    shapes = {
        "a status line": b"HTTP/1.1 200 " + megabyte,
        "a name": b"HTTP/1.1 200 OK\r\n" + megabyte,
        "a value": b"HTTP/1.1 200 OK\r\nX-A: " + megabyte,
        "values": b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (i, b"x" * 16000) for i in range(64)),
        "short fields": b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 180_000,
        "interim": b"HTTP/1.1 103 Early Hints\r\nX-A: " + megabyte,
    }
    for name, head in shapes.items():
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        try:
            origin.send(head + b"\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            pass  # the gateway has heard enough
        answer = client.read_response()
        assert answer.status == 502 and not answer.has("Connection"), name
        origin.expect_gone()
    assert bench.gateway.peak_resident_kib() - bench.gateway.resident_kib() < 2048
    bench.exchange(client, bench.v1)


def test_long_head_that_is_allowed(bench):
    lines = [f"X-{i}: " + "x" * 6000 for i in range(10)]
    answer = bench.exchange(bench.start().client(), bench.v1, answer=response("200 OK", *lines))[2]
    assert [f"{name.decode()}: {value.decode()}" for name, value in answer.fields[:10]] == lines


def test_hundred_fields_pass_both_ways(bench):
    """The most there may be, with what we add to them."""
    many = [f"X-{i}: {i}" for i in range(99)]
    bench.start(rules={"expose_decision": True, "vary": True, "default": {"split": {"canary": 100}}})
    _, got, answer = bench.exchange(
        bench.client(), bench.canary, request("GET / HTTP/1.1", *many), response("200 OK", *many))
    assert got.all("X-98") == [b"98"] and answer.all("X-98") == [b"98"]
    assert got.has("X-Adit-Variant") and answer.has("X-Adit-Decision") and answer.has("Set-Cookie")


# ---- ends


def test_end_before_a_response(bench):
    client = bench.start().client()
    for sent in (b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", message("HTTP/1.1 103 Hints")):
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(sent)
        origin.close()
        if sent.startswith(b"HTTP/1.1 103"):
            assert client.read_head().status == 103
        assert client.read_response().status == 502, sent
        bench.v1.expect_untouched()


def test_reset_before_a_response(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.reset()
    assert client.read_response().status == 502


def begin(bench, answer, sent=None):
    """The client has read all that there is of an answer; gives both sides."""
    client = bench.client()
    client.send(sent or request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(answer)
    return client, origin


def test_end_in_a_body_of_known_length(bench):
    bench.start()
    for end in ("close", "reset"):
        client, origin = begin(bench, message("HTTP/1.1 200 OK", "Content-Length: 10", body="12345"))
        assert client.read_head().framing() == 10
        assert client.read_exact(5) == b"12345"
        getattr(origin, end)()
        assert client.expect_gone() == b""


def test_end_in_a_chunked_body(bench):
    """No last chunk is ever made up."""
    bench.start()
    cut_off = {
        "between chunks": b"3\r\nabc\r\n", "in a chunk": b"3\r\nabc\r\n9\r\n", "in a size": b"3\r\nabc\r\n0",
        "before the last CRLF": b"3\r\nabc\r\n0\r\n", "in a trailer": b"3\r\nabc\r\n0\r\nX-A: 1\r\n",
    }
    for name, body in cut_off.items():
        client, origin = begin(
            bench, message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=body))
        assert client.read_head().framing() == "chunked"
        assert client.read_chunk() == b"abc", name
        origin.close()
        assert client.expect_gone() == b"", name


def test_bad_chunks(bench):
    bench.start()
    for bad in (b"x\r\n", b"3\nabc", b"3\r\nabcd\r\n", b"8000000000000000\r\n", b"0\r\nX A: 1\r\n\r\n", b"0\n\n"):
        client, origin = begin(bench, message(
            "HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"2\r\nok\r\n"))
        assert client.read_head().framing() == "chunked"
        assert client.read_chunk() == b"ok"
        origin.send(bad)
        rest = client.expect_gone()
        assert b"0\r\n\r\n" not in rest, bad
        origin.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_reset_where_close_would_end_the_body(bench):
    """HTTP/1.0 has no chunks: a clean end would lie, so the connection is reset."""
    bench.start()
    for answer in (message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
                   message("HTTP/1.0 200 OK", body="abc")):
        client, origin = begin(bench, answer, request("GET / HTTP/1.0"))
        head = client.read_head()
        assert head.framing() == "close"
        assert client.read_exact(3) == b"abc"
        origin.reset()
        client.expect_reset()


def test_reset_of_a_body_until_close(bench):
    bench.start()
    client, origin = begin(bench, message("HTTP/1.1 200 OK", body="abc"))
    assert client.read_head().framing() == "chunked"
    assert client.read_chunk() == b"abc"
    origin.reset()
    assert client.expect_gone() == b""


def test_reset_that_a_write_meets_first(bench):
    """Reading then sees an end, for the write has taken the error: it is none."""
    bench.start()
    client = bench.client()
    client.send(request("POST / HTTP/1.1", "Content-Length: 10") + b"01")
    origin = bench.v1.accept()
    origin.read_head()
    assert origin.read_exact(2) == b"01"
    origin.send(message("HTTP/1.1 200 OK", body="abc"))
    assert client.read_head().framing() == "chunked"
    assert client.read_chunk() == b"abc"
    bench.gateway.freeze()
    client.send(b"23")
    origin.reset()
    bench.gateway.thaw()
    assert client.expect_gone() == b""


def test_stop_where_close_would_end_the_body(bench):
    bench.start()
    client, _ = begin(bench, message("HTTP/1.0 200 OK", body="abc"), request("GET / HTTP/1.0"))
    assert client.read_head().framing() == "close"
    assert client.read_exact(3) == b"abc"
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    bench.gateway.signal(signal.SIGTERM)
    client.expect_reset()
    bench.gateway.expect_clean_end()


def test_pipeline_behind_a_cut_is_not_answered(bench):
    bench.start()
    client, origin = begin(bench, message("HTTP/1.1 200 OK", "Content-Length: 10", body="12345"),
                           request("GET /1 HTTP/1.1"))
    client.send(request("GET /2 HTTP/1.1"))
    client.read_head()
    origin.close()
    assert client.expect_gone() == b"12345"
    bench.v1.expect_untouched()
