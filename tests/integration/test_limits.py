"""Limits on what a client may send."""
from harness import chunked, request, response

KILOBYTE = 1024


def head_of(size, line="GET / HTTP/1.1"):
    """A request head of exactly `size` bytes, in fields of about a kilobyte."""
    lines = [line, "Host: shop.example.com"]
    left = size - len("\r\n".join(lines)) - 4
    while left > 0:
        n = left if left < 2000 else 1000
        lines.append("X: " + "x" * (n - 5))
        left -= n
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    assert len(head) == size
    return head


# ---- bodies


def test_body_limit_by_length(bench):
    bench.start(config={"limits": {"body_bytes": "10B"}})
    assert bench.refused(request("PUT / HTTP/1.1", body=b"x" * 11)).status == 413
    assert bench.refused(request("PUT / HTTP/1.1", "Content-Length: 9223372036854775807")).status == 413
    bench.v1.expect_untouched()
    client = bench.client()
    origin, got, _ = bench.exchange(client, bench.v1, request("PUT / HTTP/1.1", body=b"x" * 10))
    assert got.body == b"x" * 10
    bench.exchange(client, origin)


def test_body_limit_before_continue(bench):
    """A client that asks first need not send what would be refused."""
    bench.start(config={"limits": {"body_bytes": "10B"}})
    answer = bench.refused(request("PUT / HTTP/1.1", "Expect: 100-continue", "Content-Length: 11"))
    assert answer.status == 413
    bench.v1.expect_untouched()


def test_body_limit_in_chunks(bench):
    bench.start(config={"limits": {"body_bytes": "10B"}})
    head = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked")
    client = bench.client()
    client.send(head)
    origin = bench.v1.accept()
    origin.read_head()
    client.send(chunked(b"12345", b"67890", last=b""))
    assert origin.read_chunk() + origin.read_chunk() == b"1234567890"
    client.send(chunked(b"1"))
    answer = client.read_response()
    assert answer.status == 413 and answer.one("Connection") == b"close"
    client.expect_end()
    assert b"0\r\n\r\n" not in origin.expect_gone()
    got = bench.exchange(bench.client(), bench.v1, head + chunked(b"12345", b"67890"))[1]
    assert got.body == b"1234567890"


# ---- heads


def test_long_request_lines(bench):
    bench.start()

    def line(size):
        return "GET /" + "x" * (size - len("GET / HTTP/1.1")) + " HTTP/1.1"

    got = bench.exchange(bench.client(), bench.v1, request(line(8192)))[1]
    assert len(got.target) == 8192 - len("GET  HTTP/1.1")
    assert bench.refused(request(line(8193))).status == 414
    assert bench.refused("GET /" + "x" * 9000).status == 414
    assert bench.refused("G" * 9000).status == 414
    bench.v1.expect_untouched()


def test_long_heads(bench):
    bench.start()
    got = bench.exchange(bench.client(), bench.v1, head_of(32 * KILOBYTE))[1]
    assert len(got.head) > 32 * KILOBYTE
    assert bench.refused(head_of(32 * KILOBYTE + 1)).status == 431
    assert bench.refused(head_of(40 * KILOBYTE)).status == 431
    bench.v1.expect_untouched()


def test_head_limit_of_the_configuration(bench):
    bench.start(config={"limits": {"header_bytes": "4KiB"}})
    bench.exchange(bench.client(), bench.v1, head_of(4 * KILOBYTE))
    assert bench.refused(head_of(4 * KILOBYTE + 1)).status == 431
    assert bench.refused(request("GET /" + "x" * 5000 + " HTTP/1.1")).status == 414


def test_number_of_fields(bench):
    bench.start()
    many = [f"X-{i}: {i}" for i in range(99)]
    got = bench.exchange(bench.client(), bench.v1, request("GET / HTTP/1.1", *many))[1]
    assert got.one("X-98") == b"98"
    assert bench.refused(request("GET / HTTP/1.1", *many, "X-99: 99")).status == 431


def test_long_head_with_a_body_behind_it(bench):
    """The head stays in memory while the body goes through what room is left."""
    bench.start()
    body = bytes(range(256)) * 1000
    for size in (10, 14, 15, 16, 17, 31, 32):
        head = head_of(size * KILOBYTE, "PUT / HTTP/1.1")
        end = f"\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sent = head[: -len(end) - 500] + end + body
        peer, got, _ = bench.exchange(bench.client(), bench.v1, sent)
        assert got.body == body, size
        peer.close()


def test_long_heads_in_a_pipeline(bench):
    client = bench.start().client()
    heads = [head_of(size, f"GET /{size} HTTP/1.1") for size in (100, 30000, 200, 32768, 16384, 16383, 16385)]
    client.send_pieces(b"".join(heads), size=7919)
    origin = bench.v1.accept()
    for head in heads:
        got = origin.read_request()
        assert got.first == head.split(b"\r\n")[0]
        origin.send(response(body=got.target))
        assert client.read_response().body == got.target


# ---- connections


def test_more_connections_than_descriptors_wait(bench):
    """They are left in the kernel's queue, and served when others have gone; nothing spins."""
    bench.v1.serve(lambda _: response())
    bench.start(descriptors=100, config={"limits": {"connections_per_address": 1000}})
    clients = [bench.client() for _ in range(60)]
    for client in clients:
        client.send(request())
    bench.gateway.wait_line("accepting is paused")
    for client in clients:
        assert client.read_response().status == 200
        client.close()
    client = bench.client()
    client.send(request())
    assert client.read_response().status == 200
