"""What a client may hold: connections that say nothing, take nothing, are too many, or break."""
import select
import socket

from harness import Task, message, request, response
from sockets import ESTABLISHED, tcp_sockets

MEGABYTE = 1 << 20


def send_until_stuck(client, piece, most=64 * MEGABYTE):
    """Sends as long as it is taken at once; says how many bytes were."""
    sent = 0
    while sent < most and select.select([], [client.sock], [], 0.3)[1]:
        sent += client.sock.send(piece, socket.MSG_DONTWAIT)
    return sent


# ---- connections that say nothing


def test_silence_at_every_stage(bench):
    """As of a peer that has gone without a word: each stage has its end."""
    bench.start(config={"timeouts": {"header": "100ms", "idle": "150ms", "body": "200ms"}},
                rules={"match": {"hosts": ["shop.example.com"]}})
    bench.client().expect_end()
    in_a_head = bench.client()
    in_a_head.send("GET / HTTP/1.1\r\n")
    assert in_a_head.read_response().status == 408
    in_a_body = bench.client()
    in_a_body.send(request("PUT / HTTP/1.1", "Content-Length: 10") + b"some")
    assert in_a_body.read_response().status == 408
    bench.v1.accept().expect_gone()
    between_requests = bench.client()
    bench.exchange(between_requests, bench.v1)
    between_requests.expect_end()
    behind_an_answer = bench.client()
    behind_an_answer.send(request("GET / HTTP/1.1", "Host: other") + b"GET")
    assert behind_an_answer.read_response().status == 404
    assert behind_an_answer.read_response().status == 408
    counted = bench.counters()
    assert counted["idle_closed"] == 2 and counted["heads_slow"] == 2 and counted["bodies_slow"] == 1


# ---- connections that take nothing


def long_response(bench, client, size):
    """A response of which the first bytes have come; gives the origin's connection and its sender."""
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {size}"))
    client.read_head()
    return origin


def test_reader_that_takes_nothing(bench):
    bench.start(config={"timeouts": {"body": "300ms"}})
    client = bench.client(receive_buffer=4096)
    origin = long_response(bench, client, 1000 * MEGABYTE)
    origin.expect_cut_off(b"x" * 65536, 1000 * MEGABYTE)
    client.expect_reset()
    assert bench.counters()["readers_slow"] == 1


def test_reader_that_takes_a_byte_now_and_then(bench):
    """It must take a part of the rate in each window, not just something."""
    bench.start(config={"timeouts": {"body": "300ms"}, "limits": {"body_rate": "1MiB"}})
    client = bench.client(receive_buffer=4096)
    origin = long_response(bench, client, 1000 * MEGABYTE)
    sender = Task(origin.expect_cut_off, b"x" * 65536, 1000 * MEGABYTE)
    try:
        while client.sock.recv(1000):
            select.select([], [], [], 0.02)
        raise AssertionError("a clean end of a response that was cut")
    except ConnectionResetError:
        pass
    sender.result()
    assert bench.counters()["readers_slow"] == 1


def test_reader_that_is_fast_enough(bench):
    """However much the kernel holds of it: what counts is what the reader took."""
    # Of a busy machine it may get nothing for a second.
    bench.start(config={"timeouts": {"body": "3s"}, "limits": {"body_rate": "40KiB"}})
    # A kernel tells of room in steps of a sixteenth of its buffer: of megabytes that takes too long.
    client = bench.client(receive_buffer=1 << 19)
    size = 32 * MEGABYTE
    origin = long_response(bench, client, size)
    sender = Task(origin.send, b"x" * size)
    taken = len(client.buffer)
    for _ in range(300):  # two windows
        taken += len(client.sock.recv(65536))
        select.select([], [], [], 0.02)
    client.take(len(client.buffer))
    assert len(client.read_exact(size - taken)) == size - taken
    sender.result()
    assert "readers_slow" not in bench.counters()


def expect_slow_end(client, take=1000):
    """It takes so much now and then, and is reset before it has everything."""
    try:
        while client.sock.recv(take):
            select.select([], [], [], 0.02)
    except ConnectionResetError:
        return
    raise AssertionError("a clean end for a client that is too slow")


def test_what_the_kernel_holds_must_be_taken_too(bench):
    """The whole response fits its buffers, so that the gateway has nothing left to send: it kept the
    connection, or ended it, or the client had ended its side before."""
    bench.start(config={"timeouts": {"body": "300ms", "idle": "60s"}, "limits": {"body_rate": "1MiB"}})
    for lines, half_closes in (((), False), (("Connection: close",), False), ((), True)):
        client = bench.client(receive_buffer=4096)
        client.send(request("GET / HTTP/1.1", *lines))
        if half_closes:
            client.half_close()
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(response("200 OK", "Connection: close", body=b"x" * 100_000))
        client.read_head()
        expect_slow_end(client)
    counted = bench.counters()
    assert counted["readers_slow"] == 3 and counted["responses"] == 3 and "idle_closed" not in counted


def test_who_takes_a_response_is_not_idle(bench):
    bench.start(config={"timeouts": {"body": "60s", "idle": "200ms"}})
    client = bench.client(receive_buffer=4096)
    bench.v1.serve(lambda _: response(body=b"x" * 100_000))
    client.send(request())
    client.read_head()
    bench.client().expect_end()  # so much time has passed
    state = {remote: state for local, remote, state in tcp_sockets() if local == bench.port}
    assert state[client.sock.getsockname()[1]] == ESTABLISHED
    client.read_exact(100_000)
    assert "readers_slow" not in bench.counters()


def test_pipeline_that_is_not_read(bench):
    """No more is read than fits; nothing piles up; in the end the connection is given up."""
    bench.start(config={"timeouts": {"body": "1s"}})
    bench.v1.serve(lambda _: response(body=b"x" * 100_000))
    before = bench.gateway.resident_bytes()
    client = bench.client(receive_buffer=4096)
    assert send_until_stuck(client, request() * 1000) < 16 * MEGABYTE
    grown = bench.gateway.resident_bytes() - before
    assert grown < 4 * MEGABYTE, f"{grown} more bytes"
    client.expect_cut_off(request(), 16 * MEGABYTE)
    assert len(bench.v1.requests) < 200, len(bench.v1.requests)
    assert bench.counters()["readers_slow"] == 1


# ---- connections that are too many


def turned_away(bench, source=None):
    client = bench.client(source=source)
    answer = client.read_response()
    client.expect_end()
    return answer.status == 503 and answer.one("Connection") == b"close"


def test_connections_of_one_address(bench):
    bench.start(config={"limits": {"connections_per_address": 3}})
    clients = [bench.client(source="127.0.0.2") for _ in range(3)]
    assert turned_away(bench, "127.0.0.2")
    other = bench.client(source="127.0.0.3")
    origin = bench.exchange(other, bench.v1)[0]
    for client in clients:
        bench.exchange(client, origin)
    # One that ends makes place for one. (Its end comes before the request behind it.)
    clients[0].close()
    bench.exchange(other, origin)
    bench.exchange(bench.client(source="127.0.0.2"), origin)
    assert turned_away(bench, "127.0.0.2")
    assert bench.counters()["address_refused"] == 2


def test_who_was_turned_away_is_not_counted(bench):
    bench.start(config={"limits": {"connections_per_address": 1}})
    first = bench.client()
    origin = bench.exchange(first, bench.v1)[0]
    for _ in range(20):
        assert turned_away(bench)
    first.close()
    bench.exchange(bench.client(source="127.0.0.2"), origin)
    bench.exchange(bench.client(), origin)


def test_trusted_proxies_bring_everybody(bench):
    bench.start(config={"limits": {"connections_per_address": 1}, "trusted_proxies": ["127.0.0.2/32"]})
    origin = bench.exchange(bench.client(source="127.0.0.2"), bench.v1)[0]
    for _ in range(10):
        bench.exchange(bench.client(source="127.0.0.2"), origin)
    bench.exchange(bench.client(), origin)
    assert turned_away(bench)


def test_limit_of_an_address_after_a_reload(bench):
    bench.start(config={"limits": {"connections_per_address": 1}})
    origin = bench.exchange(bench.client(), bench.v1)[0]
    assert turned_away(bench)
    bench.write_files({"limits": {"connections_per_address": 2}})
    bench.gateway.reload()
    bench.exchange(bench.client(), origin)
    assert turned_away(bench)


def test_one_address_does_not_take_all(bench):
    """Without a word in the configuration: half of the places."""
    bench.start(config={"limits": {"connections": 10}})
    origin = None
    for _ in range(5):
        origin = bench.exchange(bench.client(), origin or bench.v1)[0]
    assert turned_away(bench)
    bench.exchange(bench.client(source="127.0.0.2"), origin)


def test_idle_connections_give_way(bench):
    """A flood of connections that say nothing does not keep out those that have something to say."""
    bench.start(config={"limits": {"connections": 8, "connections_per_address": 8}})
    flood = [bench.client(source="127.0.0.2") for _ in range(8)]
    origin = None
    for _ in range(4):
        origin = bench.exchange(bench.client(), origin or bench.v1)[0]
    gone = [client for client in flood if select.select([client.sock], [], [], 0)[0]]
    assert len(gone) == 4, f"{len(gone)} gave way"
    for client in gone:
        client.expect_gone()
    counted = bench.counters()
    assert counted["idle_shed"] == 4 and "idle_closed" not in counted


def test_busy_connections_do_not(bench):
    """Who comes then waits in the kernel's queue; nothing spins; and is served in the end."""
    bench.start(config={"limits": {"connections": 4, "connections_per_address": 4}})
    busy = [bench.client() for _ in range(4)]
    origins = []
    for client in busy:
        client.send(request())
        origins.append(bench.v1.accept())
        origins[-1].read_request()
    late = bench.client()
    late.send(request("GET /late HTTP/1.1"))
    bench.gateway.wait_line("accepting is paused")
    before = bench.gateway.cpu_seconds()
    assert not select.select([late.sock, bench.v1.sock], [], [], 1)[0]
    assert bench.gateway.cpu_seconds() - before < 0.3
    origins[0].send(response())
    assert busy[0].read_response().status == 200
    busy[0].close()
    assert origins[0].read_request().target == b"/late"
    origins[0].send(response())
    assert late.read_response().status == 200
    for client, origin in zip(busy[1:], origins[1:]):
        origin.send(response())
        assert client.read_response().status == 200
    counted = bench.counters()
    assert counted["accept_pauses"] == 1 and "idle_shed" not in counted


# ---- connections that break


def test_resets_at_every_stage(bench):
    """None of them leaves anything behind."""
    bench.start()
    client = bench.client()
    kept = bench.exchange(client, bench.v1)[0]
    before = bench.gateway.descriptors()
    for _ in range(5):
        bench.client().reset()
        in_a_head = bench.client()
        in_a_head.send("GET / HT")
        in_a_head.reset()
        in_a_body = bench.client()
        in_a_body.send(request("PUT / HTTP/1.1", "Content-Length: 10") + b"some")
        kept.read_head()
        in_a_body.reset()
        kept.expect_gone()
        while_waiting = bench.client()
        while_waiting.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        while_waiting.reset()
        origin.expect_gone()
        in_a_response = bench.client()
        origin = long_response(bench, in_a_response, 1000)
        in_a_response.reset()
        origin.expect_gone()
        kept = bench.exchange(client, bench.v1)[0]
    assert bench.gateway.descriptors() == before
    counted = bench.counters()
    assert counted["client_gone"] == 15 and counted["connections"] == 26
