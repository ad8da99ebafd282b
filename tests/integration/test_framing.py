"""Where messages end: every combination of version, method, status and framing, both ways. What follows
a message shows whether its end was found: the next exchange on whatever connection was kept."""
import itertools

from harness import chunked, message, request, response

BODY = b"\0body\r\n\r\nof 21 bytes"
DATED = "Date: Sun, 22 Nov 2026 10:00:00 GMT"


def request_framed(method, version, framing):
    line = f"{method} / HTTP/1.{version}"
    if framing == "length":
        return request(line, body=BODY), BODY, len(BODY)
    if framing == "empty":
        return request(line, body=b""), b"", 0
    if framing == "chunks":
        return request(line, "Transfer-Encoding: chunked") + chunked(BODY[:3], BODY[3:]), BODY, "chunked"
    return request(line), b"", None


def test_requests(bench):
    """The method says nothing of the framing; what comes with a length or in chunks goes on so."""
    bench.start()
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW")
    for method, version, framing in itertools.product(methods, (0, 1), ("none", "empty", "length", "chunks")):
        case = (method, version, framing)
        sent, body, expected = request_framed(*case)
        if case[1:] == (0, "chunks"):
            assert bench.refused(sent, answers=method).status == 400, case
            continue
        client = bench.client()
        reply = response(body=b"") if method == "HEAD" else response()
        origin, got, answer = bench.exchange(client, bench.v1, sent, reply, answers=method)
        assert (got.method, got.body, got.framing()) == (method.encode(), body, expected), case
        assert answer.status == 200, case
        if version == 0:
            client.expect_end()
            client = bench.client()
        bench.exchange(client, origin)
        origin.close()


def answer_framed(version, status, framing):
    first = f"HTTP/1.{version} {status} Because"
    if framing == "length":
        return message(first, DATED, f"Content-Length: {len(BODY)}", body=BODY), BODY
    if framing == "empty":
        return message(first, DATED, "Content-Length: 0"), b""
    if framing == "chunks":
        return message(first, DATED, "Transfer-Encoding: chunked", body=chunked(BODY[:3], BODY[3:])), BODY
    return message(first, DATED, body=BODY), BODY


def without_content(method, status):
    return method == "HEAD" or status in (204, 304)


def read_answer(client, client_version, method, status, framing, body, case):
    """Reads the response, whose framing must be what this client understands."""
    got = client.read_response(method)
    assert got.status == status, case
    if without_content(method, status):
        assert got.body == b"" and not got.has("Transfer-Encoding"), case
        length = {"length": [b"%d" % len(BODY)], "empty": [b"0"]}.get(framing, [])
        assert got.all("Content-Length") == ([] if status == 204 else length), case
        return
    assert got.body == body, case
    unknown_length = "chunked" if client_version == 1 else "close"
    assert got.framing(method) == {"length": len(BODY), "empty": 0}.get(framing, unknown_length), case


def test_responses(bench):
    """Of HTTP/1.0 and 1.1 origins to HTTP/1.0 and 1.1 clients."""
    bench.start()
    for case in itertools.product((0, 1), ("GET", "HEAD", "POST"), (0, 1), (200, 204, 205, 299, 304, 404, 599),
                                  ("length", "empty", "chunks", "close")):
        client_version, method, origin_version, status, framing = case
        client = bench.client()
        client.send(request(f"{method} / HTTP/1.{client_version}"))
        origin = bench.v1.accept()
        origin.read_request()
        answer, body = answer_framed(origin_version, status, framing)
        silent = without_content(method, status)
        origin.send(answer[:answer.index(b"\r\n\r\n") + 4] if silent else answer)
        if framing == "close" and not silent:
            origin.half_close()
        if (origin_version, framing) == (0, "chunks"):
            assert client.read_response(method).status == 502, case
            origin.expect_gone()
            continue
        read_answer(client, client_version, method, status, framing, body, case)
        announced = status == 204 and framing in ("length", "chunks")  # a body may follow, against the rules
        kept = origin_version == 1 and not announced and (silent or framing != "close")
        if client_version == 0:
            client.expect_end()
            client = bench.client()
        bench.exchange(client, origin if kept else bench.v1)[0].close()
        if not kept:
            origin.expect_gone()


def test_interim_responses(bench):
    """A 1xx ends with its head, whatever it says; one that announces a body is the last on its connection."""
    bench.start()
    for lines in ((), ("Content-Length: 0",), ("Content-Length: 5",), ("Transfer-Encoding: chunked",)):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(message("HTTP/1.1 103 Early Hints", *lines) + response())
        hints = client.read_head()
        assert hints.status == 103 and hints.fields == [], lines
        assert client.read_response().body == b"ok", lines
        bench.exchange(client, origin)
        origin.close()


def test_connect(bench):
    """It is refused with its head; what would go through a tunnel is nobody's request."""
    bench.start()
    for lines in ((), ("Content-Length: 5",), ("Content-Length: 0", "Connection: close")):
        client = bench.client()
        client.send(request("CONNECT shop.example.com:443 HTTP/1.1", *lines))
        answer = client.read_response()
        assert answer.status == 405 and answer.framing() == len(answer.body), lines
        client.expect_end()
    bench.v1.expect_untouched()
