"""A slow reader stops the one who sends: what is on its way is bounded."""
import hashlib
import select
import socket

from harness import Task, message, request

OFFERED = 50 << 20
TAKEN_MAX = 16 << 20  # the buffers of four sockets, and the gateway's own
BLOCK = hashlib.sha256(b"x").digest() * 2048
STALL_SECONDS = 0.7


def send_until_blocked(peer, offered):
    """Sends until nothing has been taken for a while; gives the number of bytes taken. Without
    back-pressure all that is offered is taken much faster than the stall is noticed."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    peer.sock.setblocking(False)
    sent = 0
    while sent < offered and select.select([], [peer.sock], [], STALL_SECONDS)[1]:
        at = sent % len(BLOCK)
        sent += peer.sock.send(BLOCK[at : at + offered - sent])
    peer.sock.setblocking(True)
    return sent


def expect_blocks(peer, n):
    """Reads n bytes of BLOCK repeated."""
    whole = hashlib.sha256()
    left = n
    while left:
        data = peer.read_exact(min(left, len(BLOCK)))
        left -= len(data)
        whole.update(data)
    expected = hashlib.sha256()
    for at in range(0, n, len(BLOCK)):
        expected.update(BLOCK[: min(len(BLOCK), n - at)])
    assert whole.digest() == expected.digest(), "the bytes differ"


def send_rest(peer, sent, offered):
    at = sent % len(BLOCK)
    peer.sock.sendall(BLOCK[at : at + offered - sent])
    for start in range(sent + len(BLOCK) - at, offered, len(BLOCK)):
        peer.sock.sendall(BLOCK[: offered - start])


def test_client_that_does_not_read_stops_the_origin(bench):
    client = bench.start().client(receive_buffer=65536)
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {OFFERED}"))
    client.read_head()
    sent = send_until_blocked(origin, OFFERED)
    assert sent < TAKEN_MAX, f"{sent} bytes were taken for a client that reads nothing"
    # Others are served meanwhile.
    bench.exchange(bench.client(), bench.v1)
    rest = Task(send_rest, origin, sent, OFFERED)
    expect_blocks(client, OFFERED)
    rest.result()
    bench.exchange(client, origin)


def test_origin_that_does_not_read_stops_the_client(bench):
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {OFFERED}"))
    origin = bench.v1.accept()
    origin.read_head()
    sent = send_until_blocked(client, OFFERED)
    assert sent < TAKEN_MAX, f"{sent} bytes were taken for an origin that reads nothing"
    bench.exchange(bench.client(), bench.v1)
    rest = Task(send_rest, client, sent, OFFERED)
    expect_blocks(origin, OFFERED)
    rest.result()
    origin.send(message("HTTP/1.1 204 No Content"))
    assert client.read_response().status == 204


def pipeline_until_blocked(bench, one, offered):
    """A client that sends requests and reads nothing; gives it, and how many whole ones were taken."""
    client = bench.client(receive_buffer=65536)
    pipeline = one * (offered // len(one))
    client.sock.setblocking(False)
    sent = 0
    while sent < len(pipeline) and select.select([], [client.sock], [], STALL_SECONDS)[1]:
        sent += client.sock.send(pipeline[sent : sent + 65536])
    client.sock.setblocking(True)
    return client, sent // len(one)


def expect_answers(client, n, status_line):
    seen = 0
    while seen < n:
        if status_line not in client.buffer:
            client.buffer = client.buffer[-len(status_line) :]
            assert client.fill("answers"), f"the end after {seen} of {n} answers"
        seen += client.buffer.count(status_line)
        client.buffer = client.buffer[client.buffer.rfind(status_line) + len(status_line) :]


def test_pipeline_that_is_not_read_is_not_answered(bench):
    """Answers of our own need no origin: only the client's reading may set the pace."""
    bench.start(rules={"match": {"hosts": ["other.example.com"]}})
    one = request("GET / HTTP/1.1", "X-Pad: " + "p" * 100)
    client, sent = pipeline_until_blocked(bench, one, 30 << 20)
    assert sent * len(one) < TAKEN_MAX, f"{sent} requests were taken from a client that reads nothing"
    expect_answers(client, sent, b"HTTP/1.1 404 Not Found\r\n")


def test_pipeline_to_an_origin_that_is_not_read(bench):
    """Heads without a body must not pile up either."""
    bench.start()
    long = "X-Long: " + "x" * 30000
    bench.v1.serve(lambda _: message("HTTP/1.1 304 Not Modified", long))
    client, sent = pipeline_until_blocked(bench, request("GET / HTTP/1.1", "X-Pad: " + "p" * 2000), 40 << 20)
    answered = len(bench.v1.requests)
    assert answered * len(long) < TAKEN_MAX, f"{answered} answers of 30 KB wait in the gateway"
    expect_answers(client, sent, b"HTTP/1.1 304 Not Modified\r\n")
