"""Streams pass at once: each event is with the client before the next one is sent, for as long as
they come, and the end is the one that the origin chose."""
from harness import chunked, message, request

EVENTS = [b"data: %d\n\n" % i for i in range(20)]
STREAM = ("HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Cache-Control: no-store")
LONG = "60s"


def open_stream(bench, asked, *lines):
    """A client and an origin, the head of an answer between them."""
    client = bench.client()
    client.send(asked)
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message(*STREAM, *lines))
    head = client.read_head()
    assert head.one("Content-Type") == b"text/event-stream"
    return client, origin, head


def test_events_in_chunks(bench):
    client, origin, head = open_stream(bench.start(), request(), "Transfer-Encoding: chunked")
    assert head.framing() == "chunked"
    for event in EVENTS:
        origin.send(chunked(event, last=b""))
        assert client.read_chunk() == event
    origin.send(chunked())
    assert client.read_chunk() == b""
    bench.exchange(client, origin)


def test_events_until_close(bench):
    client, origin, head = open_stream(bench.start(), request())
    assert head.framing() == "chunked"
    for event in EVENTS:
        origin.send(event)
        assert client.read_chunk() == event
    origin.close()
    assert client.read_chunk() == b""
    bench.exchange(client, bench.v1)


def test_events_of_a_known_length(bench):
    client, origin, head = open_stream(bench.start(), request(), f"Content-Length: {len(b''.join(EVENTS))}")
    for event in EVENTS:
        origin.send(event)
        assert client.read_exact(len(event)) == event
    bench.exchange(client, origin)


def test_events_to_http_10(bench):
    """The connection's end is the stream's, whatever the origin's framing."""
    bench.start()
    for lines, framed, end in (
            (["Transfer-Encoding: chunked"], lambda event: chunked(event, last=b""), chunked()),
            ([], bytes, b"")):
        client, origin, head = open_stream(bench, request("GET / HTTP/1.0"), *lines)
        assert head.framing() == "close"
        for event in EVENTS:
            origin.send(framed(event))
            assert client.read_exact(len(event)) == event
        origin.send(end)
        origin.close()
        client.expect_end()


def test_events_from_http_10(bench):
    bench.start()
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.0 200 OK"))
    assert client.read_head().framing() == "chunked"
    for event in EVENTS:
        origin.send(event)
        assert client.read_chunk() == event
    origin.close()
    assert client.read_chunk() == b""


def test_half_a_chunk_passes(bench):
    """What is there is sent, also when the origin has announced more."""
    client, origin, _ = open_stream(bench.start(), request(), "Transfer-Encoding: chunked")
    origin.send(b"10\r\nfirst ")
    assert client.read_chunk() == b"first "
    origin.send(b"and second\r\n")
    assert client.read_chunk() == b"and second"
    origin.send(chunked())
    assert client.read_chunk() == b""


def test_many_streams_side_by_side(bench):
    """Each gets its own events, and none waits for another."""
    bench.start()
    streams = [open_stream(bench, request(), "Transfer-Encoding: chunked")[:2] for _ in range(50)]
    for turn in range(3):
        for i, (client, origin) in enumerate(streams):
            origin.send(chunked(b"%d of %d" % (turn, i), last=b""))
            assert client.read_chunk() == b"%d of %d" % (turn, i)
    for client, origin in streams:
        origin.send(chunked())
        assert client.read_chunk() == b""


def test_long_polls(bench):
    """Many wait for a first byte, and each gets its own as soon as it comes, in any order."""
    bench.start(config={"upstreams": {"shop-v1": {"timeout": LONG}}})
    waiting = []
    for i in range(50):
        client = bench.client()
        client.send(request(f"GET /poll/{i} HTTP/1.1"))
        origin = bench.v1.accept()
        assert origin.read_request().target == b"/poll/%d" % i
        waiting.append((client, origin, b"news %d" % i))
    for client, origin, news in reversed(waiting):
        origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {len(news)}", body=news))
        assert client.read_response().body == news


def test_uploaded_parts_pass(bench):
    """The same the other way: an upload in parts, with and without a known length."""
    bench.start()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {len(b''.join(EVENTS))}"))
    origin = bench.v1.accept()
    origin.read_head()
    for event in EVENTS:
        client.send(event)
        assert origin.read_exact(len(event)) == event
    origin.send(message("HTTP/1.1 204 No Content"))
    assert client.read_response().status == 204
    client.send(request("PUT / HTTP/1.1", "Transfer-Encoding: chunked"))
    assert origin.read_head().framing() == "chunked"
    for event in EVENTS:
        client.send(chunked(event, last=b""))
        assert origin.read_chunk() == event
    client.send(chunked())
    assert origin.read_chunk() == b""
    origin.send(message("HTTP/1.1 204 No Content"))
    assert client.read_response().status == 204
