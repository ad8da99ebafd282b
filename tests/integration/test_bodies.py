"""Bodies in every framing, both ways, unchanged."""
import hashlib

from harness import Task, chunked, message, request, response

MEGABYTE = 1 << 20
LARGE = 20 * MEGABYTE
BLOCK = hashlib.sha256(b"block").digest() * (MEGABYTE // 32)  # one megabyte


def large_body():
    """20 MB in which no two megabytes are the same."""
    return b"".join(bytes([i]) + BLOCK[1:] for i in range(LARGE // MEGABYTE))


# ---- small


def test_request_with_a_length(bench):
    client = bench.start().client()
    _, got, _ = bench.exchange(client, bench.v1, request("PUT / HTTP/1.1", body=b"\0\r\n\xff body"))
    assert got.body == b"\0\r\n\xff body"
    assert got.one("Content-Length") == b"9" and not got.has("Transfer-Encoding")


def test_request_in_chunks(bench):
    client = bench.start().client()
    _, got, _ = bench.exchange(
        client, bench.v1, request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"a", b"bc"))
    assert got.body == b"abc"
    assert got.one("Transfer-Encoding") == b"chunked" and not got.has("Content-Length")


def test_empty_requests(bench):
    client = bench.start().client()
    origin, got, _ = bench.exchange(client, bench.v1, request("POST / HTTP/1.1", body=b""))
    assert got.one("Content-Length") == b"0"
    _, got, _ = bench.exchange(
        client, origin, request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + chunked())
    assert got.framing() == "chunked" and got.chunks == []
    _, got, _ = bench.exchange(client, origin, request("POST / HTTP/1.1"))
    assert got.framing() is None


def test_chunk_syntax_ends_here(bench):
    """Extensions are dropped; sizes may have zeros before them and any case."""
    odd = (b'0003;name="a;b"\r\nabc\r\n' + b"00A ;x\r\n0123456789\r\n" + b"1;\r\n!\r\n"
           + b"000;last\r\n\r\n")
    client = bench.start().client()
    origin, got, answer = bench.exchange(
        client, bench.v1,
        request("PUT / HTTP/1.1", "Transfer-Encoding: CHUNKED") + odd,
        message("HTTP/1.1 200 OK", "transfer-encoding: Chunked", body=odd))
    assert got.body == answer.body == b"abc0123456789!"
    bench.exchange(client, origin)


def test_get_with_a_body(bench):
    client = bench.start().client()
    origin, got, _ = bench.exchange(client, bench.v1, request("GET / HTTP/1.1", body=b"query"))
    assert got.body == b"query"
    bench.exchange(client, origin)


def test_response_in_chunks(bench):
    client = bench.start().client()
    origin, _, answer = bench.exchange(
        client, bench.v1,
        answer=message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=chunked(b"ab", b"c")))
    assert answer.body == b"abc" and answer.framing() == "chunked"
    bench.exchange(client, origin)


def test_response_until_close(bench):
    """Its end is the origin's; the client gets chunks and keeps its connection."""
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", body="until "))
    head = client.read_head()
    assert head.framing() == "chunked"
    assert client.read_chunk() == b"until "
    origin.send("the end")
    assert client.read_chunk() == b"the end"
    origin.close()
    assert client.read_chunk() == b""
    bench.exchange(client, bench.v1)


def test_responses_without_a_body(bench):
    client = bench.start().client()
    origin = None
    cases = [
        ("HEAD", message("HTTP/1.1 200 OK", "Content-Length: 1234"), [b"1234"]),
        ("HEAD", message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), []),
        ("HEAD", message("HTTP/1.1 200 OK"), []),
        ("HEAD", message("HTTP/1.1 404 Not Found", "Content-Length: 0"), [b"0"]),
        ("GET", message("HTTP/1.1 204 No Content"), []),
        ("GET", message("HTTP/1.1 304 Not Modified", "Content-Length: 1234"), [b"1234"]),
        ("GET", message("HTTP/1.1 304 Not Modified"), []),
        ("GET", message("HTTP/1.1 200 OK", "Content-Length: 0"), [b"0"]),
        ("OPTIONS", message("HTTP/1.1 204 No Content"), []),
    ]
    for method, answer, lengths in cases:
        origin, _, got = bench.exchange(
            client, origin or bench.v1, request(f"{method} / HTTP/1.1"), answer, answers=method)
        assert got.all("Content-Length") == lengths, answer
        assert not got.has("Transfer-Encoding"), answer
    bench.v1.expect_untouched()


def test_streaming_both_ways(bench):
    """No part waits for the next one: neither side's body is collected."""
    client = bench.start().client()
    client.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
    origin = bench.v1.accept()
    head = origin.read_head()
    assert head.framing() == "chunked"
    for part in (b"one", b"two"):
        client.send(chunked(part, last=b""))
        assert origin.read_chunk() == part
    origin.send(message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
    assert client.read_head().framing() == "chunked"
    for part in (b"three", b"four"):
        client.send(chunked(part, last=b""))
        assert origin.read_chunk() == part
        origin.send(chunked(part.upper(), last=b""))
        assert client.read_chunk() == part.upper()
    client.send(chunked())
    assert origin.read_chunk() == b""
    origin.send(chunked())
    assert client.read_chunk() == b""


# ---- large


def echo_large(bench, sent_head, answer_head, framed):
    """Sends 20 MB, which the origin answers with 20 MB of its own."""
    body = large_body()
    answer_body = body[::-1]
    client = bench.start().client()

    def serve():
        origin = bench.v1.accept()
        got = origin.read_request()
        origin.send(answer_head + framed(answer_body))
        return got.body

    origin = Task(serve)
    client.send(sent_head + framed(body))
    answer = client.read_response()
    assert origin.result() == body, "the request's body differs"
    assert answer.body == answer_body, "the response's body differs"
    bench.exchange(client, bench.v1.peers[0])


def test_large_with_a_length(bench):
    echo_large(bench,
               request("PUT /large HTTP/1.1", f"Content-Length: {LARGE}"),
               message("HTTP/1.1 200 OK", f"Content-Length: {LARGE}"),
               framed=bytes)


def test_large_in_chunks(bench):
    def framed(body):
        sizes = (1, 10, 1000, 16384, 65536, 1000003)  # in turn
        pieces, at = [], 0
        while at < len(body):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(body[at : at + size])
            at += size
        return chunked(*pieces)

    echo_large(bench,
               request("PUT /large HTTP/1.1", "Transfer-Encoding: chunked"),
               message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
               framed=framed)


def test_large_until_close(bench):
    body = large_body()
    client = bench.start().client()
    client.send(request())

    def serve():
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(message("HTTP/1.1 200 OK", body=body))
        origin.close()

    origin = Task(serve)
    assert client.read_response().body == body
    origin.result()


def test_upload_and_download_at_once(bench):
    """An origin that answers while it reads: each byte comes back before the next is read."""
    body = large_body()
    client = bench.start().client()

    def serve():
        origin = bench.v1.accept()
        assert origin.read_head().framing() == LARGE
        origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {LARGE}"))
        left = LARGE
        while left:
            data = origin.read_exact(min(left, 65536))
            origin.send(data)
            left -= len(data)

    origin = Task(serve)
    upload = Task(lambda: client.send(request("PUT / HTTP/1.1", body=body)))
    # The answer begins before the request is complete, so the connection cannot be promised.
    answer = client.read_response()
    assert answer.body == body
    upload.result()
    origin.result()


# ---- an answer before the request is complete


def test_early_response_with_a_length(bench):
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", "Content-Length: 1000", ) + b"only some")
    origin = bench.v1.accept()
    origin.read_until(b"only some")
    origin.send(response("413 Too Much", body=b"too much"))
    answer = client.read_response()
    assert answer.status == 413 and answer.body == b"too much"
    assert answer.one("Connection") == b"close"
    client.expect_end()
    origin.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_early_response_in_chunks(bench):
    """The request is not completed by the gateway: the origin sees that it was broken off."""
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"x", last=b""))
    origin = bench.v1.accept()
    origin.read_head()
    assert origin.read_chunk() == b"x"
    origin.send(response("403 Forbidden"))
    assert client.read_response().status == 403
    client.expect_end()
    assert origin.expect_gone() == b""


def test_rest_of_an_upload_is_not_a_request(bench):
    """What a client goes on sending after an early response is thrown away."""
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", "Content-Length: 1000"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("403 Forbidden"))
    assert client.read_response().status == 403
    client.send(request("GET /smuggled HTTP/1.1"))
    client.expect_end()
    bench.v1.expect_untouched()
