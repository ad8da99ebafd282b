"""Bodies pass through and are never collected: what the kernel says of the process's memory."""
import select
import socket

from harness import Task, message, request

MEGABYTE = 1 << 20
BLOCK = bytes(range(256)) * 4096  # one megabyte
LARGE = 256  # blocks
GROWTH_MAX_KIB = 4 * 1024
PAIRS = 20
STALL_SECONDS = 0.5


def send_blocks(peer, count):
    for _ in range(count):
        peer.sock.sendall(BLOCK)


def expect_blocks(peer, count):
    """The peer's buffer is looked at first: it may hold what came with a head."""
    got = memoryview(bytearray(MEGABYTE))
    for _ in range(count):
        had = peer.take(MEGABYTE)
        got[: len(had)] = had
        filled = len(had)
        while filled < MEGABYTE:
            n = peer.sock.recv_into(got[filled:])
            assert n > 0, f"{peer.name}: the end"
            filled += n
        assert got == BLOCK, f"{peer.name}: other bytes than were sent"


def warm(bench):
    """A first exchange, so that what is allocated once is allocated."""
    bench.exchange(bench.client(), bench.v1)[0].close()
    bench.gateway.forget_peak()
    return bench.gateway.peak_resident_kib()


def expect_little(bench, before, what):
    growth = bench.gateway.peak_resident_kib() - before
    assert growth < GROWTH_MAX_KIB, f"{what} took {growth} KiB"


def test_large_upload(bench):
    before = warm(bench.start())
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {LARGE * MEGABYTE}"))
    origin = bench.v1.accept()
    origin.read_head()
    upload = Task(send_blocks, client, LARGE)
    expect_blocks(origin, LARGE)
    upload.result()
    origin.send(message("HTTP/1.1 204 No Content"))
    assert client.read_response().status == 204
    expect_little(bench, before, f"an upload of {LARGE} MiB")


def test_large_download(bench):
    before = warm(bench.start())
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {LARGE * MEGABYTE}"))
    assert client.read_head().framing() == LARGE * MEGABYTE
    download = Task(send_blocks, origin, LARGE)
    expect_blocks(client, LARGE)
    download.result()
    bench.exchange(client, origin)
    expect_little(bench, before, f"a download of {LARGE} MiB")


def shrink(peer):
    """Small buffers of the kernel's: it is the gateway that would have to hold the bytes."""
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    return peer


def send_until_stopped(peers):
    """All send as much as is taken, until nothing has been for a while; the most that one has sent.
    Without back-pressure this would never end."""
    sent = dict.fromkeys(peers, 0)
    for peer in peers:
        peer.sock.setblocking(False)
    while ready := select.select([], [peer.sock for peer in peers], [], STALL_SECONDS)[1]:
        for peer in peers:
            if peer.sock in ready:
                sent[peer] += peer.sock.send(BLOCK)
        assert max(sent.values()) < LARGE * MEGABYTE, "nobody reads, and still it is taken"
    return max(sent.values())


def test_slow_readers_hold_blocks_only(bench):
    """Of many downloads that nobody reads the gateway holds a few blocks each."""
    before = warm(bench.start())
    origins = []
    for _ in range(PAIRS):
        client = bench.client(receive_buffer=4096)
        client.send(request())
        origins.append(shrink(bench.v1.accept()))
        origins[-1].read_request()
        origins[-1].send(message("HTTP/1.1 200 OK", f"Content-Length: {LARGE * MEGABYTE}"))
    send_until_stopped(origins)
    expect_little(bench, before, f"{PAIRS} clients that do not read")


def test_slow_origins_hold_blocks_only(bench):
    before = warm(bench.start())
    clients = []
    for _ in range(PAIRS):
        clients.append(shrink(bench.client()))
        clients[-1].send(request("PUT / HTTP/1.1", f"Content-Length: {LARGE * MEGABYTE}"))
        bench.v1.accept().read_head()
    send_until_stopped(clients)
    expect_little(bench, before, f"{PAIRS} origins that do not read")


def test_streams_in_small_chunks(bench):
    """A million small chunks: their framing costs no memory either."""
    before = warm(bench.start())
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
    chunks = b"1\r\nx\r\n" * 10_000
    stream = Task(lambda: [origin.sock.sendall(chunks) for _ in range(100)] and origin.send("0\r\n\r\n"))
    assert client.read_response().body == b"x" * 1_000_000
    stream.result()
    expect_little(bench, before, "a million chunks")
