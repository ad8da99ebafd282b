"""The tunnel behind a 101: bytes both ways, early ones too, ends one by one, no faster than they are
taken."""
import os
import signal

from handshakes import HANDSHAKE, SWITCHING, open_tunnel
from harness import Task, message, request, response
from test_back_pressure import OFFERED, TAKEN_MAX, expect_blocks, send_rest, send_until_blocked


def test_bytes_go_both_ways(bench):
    client, origin, _, _ = open_tunnel(bench.start())
    for n in (1, 2, 100, 20_000, 300_000):
        for sender, receiver in ((client, origin), (origin, client)):
            data = os.urandom(n)
            sender.send(data)
            assert receiver.read_exact(n) == data
    # What looks like HTTP is not looked at.
    client.send(request("GET /admin HTTP/1.1") + b"\0\n")
    assert origin.read_until(b"\0\n") == request("GET /admin HTTP/1.1") + b"\0\n"


def test_early_bytes_are_not_lost(bench):
    bench.start()
    client, origin, _, _ = open_tunnel(bench, early=b"early", first=b"first")
    assert origin.read_exact(5) == b"early" and client.read_exact(5) == b"first"
    large = os.urandom(15_000)
    client, origin, _, _ = open_tunnel(bench, early=large, first=large)
    assert origin.read_exact(15_000) == large and client.read_exact(15_000) == large


def test_101_behind_interim_responses(bench):
    client = bench.start().client()
    client.send(request("GET / HTTP/1.1", *HANDSHAKE))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + message(*SWITCHING, body=b"x").decode())
    assert client.read_head().status == 103 and client.read_head().status == 101
    assert client.read_exact(1) == b"x"


def test_ends_come_one_by_one(bench):
    bench.start()
    for first, second in (("client", "origin"), ("origin", "client")):
        client, origin, _, _ = open_tunnel(bench)
        peers = {"client": client, "origin": origin}
        peers[first].send(b"last of " + first.encode())
        peers[first].half_close()
        peers[second].read_until(b"last of " + first.encode())
        assert peers[second].read_to_end() == b""
        peers[second].send(b"still here" * 10_000)
        assert peers[first].read_exact(100_000) == b"still here" * 10_000
        peers[second].half_close()
        assert peers[first].read_to_end() == b""


def test_half_close_with_bytes_on_their_way(bench):
    """An end that comes right behind bytes does not overtake them, and neither does the other side's."""
    bench.start()
    for _ in range(5):
        client, origin, _, _ = open_tunnel(bench)
        bench.gateway.freeze()
        client.send(b"c" * 50_000)
        client.half_close()
        origin.send(b"o" * 50_000)
        origin.half_close()
        bench.gateway.thaw()
        assert origin.read_to_end() == b"c" * 50_000
        assert client.read_to_end() == b"o" * 50_000


def test_a_reset_reaches_the_other_side(bench):
    bench.start()
    client, origin, _, _ = open_tunnel(bench)
    client.reset()
    assert origin.expect_gone() == b""
    client, origin, _, _ = open_tunnel(bench)
    origin.reset()
    client.expect_reset()


def test_a_slow_reader_stops_the_sender(bench):
    """In both directions; then everything arrives, and no block is left in an idle tunnel."""
    bench.start()
    for receiver_name in ("client", "origin"):
        client, origin, _, _ = open_tunnel(bench, bench.client(receive_buffer=65536))
        sender, receiver = (origin, client) if receiver_name == "client" else (client, origin)
        sent = send_until_blocked(sender, OFFERED)
        assert sent < TAKEN_MAX, f"{sent} bytes were taken for a {receiver_name} that reads nothing"
        bench.exchange(bench.client(), bench.v1, answer=response("200 OK", "Connection: close"))
        rest = Task(send_rest, sender, sent, OFFERED)
        expect_blocks(receiver, OFFERED)
        rest.result()
        receiver.send(b"done")
        assert sender.read_exact(4) == b"done"


def test_an_idle_tunnel_ends(bench):
    bench.start(config={"timeouts": {"tunnel": "200ms", "idle": "60s", "body": "60s"}})
    client, origin, _, _ = open_tunnel(bench)
    assert client.read_to_end() == b"" and origin.expect_gone() == b""


def test_bytes_keep_a_tunnel(bench):
    """Either direction does, and no time-out of requests counts."""
    bench.start(config={"timeouts": {"tunnel": "60s", "idle": "100ms", "body": "100ms", "header": "100ms"},
                        "upstreams": {"shop-v1": {"timeout": "100ms"}}})
    client, origin, _, _ = open_tunnel(bench)
    # Other connections run into each of these meanwhile: so much time has passed.
    for _ in range(3):
        other = bench.client()
        other.send("GET / HT")
        assert other.read_response().status == 408
    client.send(b"a")
    assert origin.read_exact(1) == b"a"
    origin.send(b"b")
    assert client.read_exact(1) == b"b"


def test_half_a_tunnel_has_as_long_as_a_body(bench):
    bench.start(config={"timeouts": {"tunnel": "60s", "body": "200ms"}})
    client, origin, _, _ = open_tunnel(bench)
    client.half_close()
    assert origin.read_to_end() == b"" and client.read_to_end() == b""


def test_a_tunnel_that_nobody_reads_ends(bench):
    bench.start(config={"timeouts": {"tunnel": "60s", "body": "300ms"}})
    client, origin, _, _ = open_tunnel(bench, bench.client(receive_buffer=4096))
    try:
        origin.send(b"x" * 50_000_000)
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError("all of it was taken")


def test_a_tunnel_whose_endpoint_reads_nothing_ends(bench):
    bench.start(config={"timeouts": {"tunnel": "60s", "body": "300ms"}})
    client, origin, _, _ = open_tunnel(bench)
    try:
        client.send(b"x" * 50_000_000)
    except (BrokenPipeError, ConnectionResetError):
        assert bench.counters()["origins_slow"] == 1
        return
    raise AssertionError("all of it was taken")


def test_what_an_endpoint_leaves_in_its_kernel_is_waited_for(bench):
    """It takes nothing for many times timeouts.body, but of nothing that waits: it has everything."""
    bench.start(config={"timeouts": {"tunnel": "60s", "body": "100ms", "header": "100ms"}})
    client, origin, _, _ = open_tunnel(bench)
    client.send(b"x" * 1000)
    for _ in range(5):
        other = bench.client()
        other.send("GET / HT")
        assert other.read_response().status == 408
    assert origin.read_exact(1000) == b"x" * 1000
    client.send(b"y")
    assert origin.read_exact(1) == b"y"
    assert "origins_slow" not in bench.counters()


def test_an_end_behind_bytes_that_wait(bench):
    """The end of a client that filled all buffers comes behind the last of its bytes."""
    bench.start()
    for _ in range(3):
        client, origin, _, _ = open_tunnel(bench)
        sent = send_until_blocked(client, OFFERED)
        client.half_close()
        bench.exchange(bench.client(), bench.v1, answer=response("200 OK", "Connection: close"))
        expect_blocks(origin, sent)
        assert origin.read_to_end() == b""
        origin.half_close()
        assert client.read_to_end() == b""


def test_draining_lets_tunnels_run(bench):
    bench.start(config={"timeouts": {"drain": "60s"}})
    client, origin, _, _ = open_tunnel(bench)
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("adit: draining")
    client.send(b"ping")
    assert origin.read_exact(4) == b"ping"
    origin.send(b"pong")
    assert client.read_exact(4) == b"pong"
    client.close()
    origin.expect_end()
    origin.close()
    bench.gateway.expect_clean_end()


def test_the_end_of_draining_ends_tunnels(bench):
    bench.start(config={"timeouts": {"drain": "200ms"}})
    client, origin, _, _ = open_tunnel(bench)
    bench.gateway.signal(signal.SIGTERM)
    assert client.expect_gone() == b"" and origin.expect_gone() == b""
    bench.gateway.expect_clean_end()
