"""Clients that are cut off, go away, or end only their own side."""
import json
import select

from handshakes import open_tunnel
from harness import DEADLINE, Task, chunked, message, request, response
from sockets import SYN_SENT, tcp_sockets, wait_for


def test_leaving_while_the_origin_works(bench):
    """The origin sees its connection end: nobody waits for its answer."""
    bench.start()
    for how in ("close", "reset"):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        getattr(client, how)()
        assert origin.expect_gone() == b"", how
    bench.exchange(bench.client(), bench.v1)


def test_leaving_right_after_the_request(bench):
    """The request and the client's end are seen at once."""
    bench.start()
    client = bench.client()
    bench.gateway.freeze()
    client.send(request())
    client.close()
    bench.gateway.thaw()
    origin = bench.v1.accept()
    origin.read_request()
    assert origin.expect_gone() == b""


def test_leaving_in_the_middle_of_a_response(bench):
    bench.start()
    for how in ("close", "reset"):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(message("HTTP/1.1 200 OK", "Content-Length: 1000", body="some"))
        client.read_head()
        assert client.read_exact(4) == b"some"
        getattr(client, how)()
        origin.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_reset_right_after_the_request(bench):
    """Nobody is there to be answered: no origin hears of it."""
    bench.start()
    client = bench.client()
    bench.gateway.freeze()
    client.send(request("GET /gone HTTP/1.1"))
    client.reset()
    bench.gateway.thaw()
    _, got, _ = bench.exchange(bench.client(), bench.v1, request("GET /there HTTP/1.1"))
    assert got.target == b"/there"


def test_reset_behind_a_response_that_comes(bench):
    """The gateway finds out when it sends, before it is told: nothing is left of the connection."""
    bench.start()
    for answer in (message("HTTP/1.1 103 Early Hints"), response(), message("HTTP/1.1 200 OK", body="some")):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        bench.gateway.freeze()
        origin.send(answer)
        client.reset()
        bench.gateway.thaw()
        origin.close()
    bench.exchange(bench.client(), bench.v1)


def test_whoever_leaves_is_counted_so(bench):
    """However it is found out: by the client's own event, or before that with what is sent to it or read of it."""
    bench.start(config={"access_log": {"path": "access.log"}})

    def leave(client, origin, answer):
        origin.read_head()
        bench.gateway.freeze()
        origin.send(answer)  # the first that the gateway hears of when it goes on
        client.reset()
        bench.gateway.thaw()
        origin.expect_gone()
    begun = message("HTTP/1.1 200 OK", "Content-Length: 100", body="some")
    for raw in (request(), request("PUT / HTTP/1.1", "Content-Length: 100"), request("GET / HTTP/1.0")):
        client = bench.client()
        client.send(raw)
        leave(client, bench.v1.accept(), begun)
    client, tunnel, *_ = open_tunnel(bench)
    bench.gateway.freeze()
    tunnel.send(b"hello")
    client.reset()
    bench.gateway.thaw()
    tunnel.expect_gone()
    counted = bench.counters()
    assert counted["client_gone"] == 4 and "cut" not in counted and "answers" not in counted, counted
    with open(f"{bench.directory.name}/access.log", encoding="utf-8") as file:
        assert [json.loads(line)["end"] for line in file] == ["client_gone"] * 4


def test_leaving_with_an_upload_that_is_not_taken(bench):
    """Its end stands behind bytes that nobody reads, and is seen all the same."""
    bench.start()
    for how in ("close", "reset"):
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", "Content-Length: 50000000"))
        origin = bench.v1.accept()
        origin.read_head()
        client.sock.setblocking(False)
        while select.select([], [client.sock], [], 0.3)[1]:
            client.sock.send(bytes(1 << 20))
        getattr(client, how)()
        # What the kernels hold still comes, and then the end.
        assert len(origin.expect_gone()) < 50_000_000, how
    bench.exchange(bench.client(), bench.v1)


def test_leaving_with_a_response_that_is_not_taken(bench):
    bench.start()
    for how in ("close", "reset"):
        client = bench.client(receive_buffer=4096)
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(message("HTTP/1.1 200 OK", "Content-Length: 50000000"))
        origin.sock.setblocking(False)
        while select.select([], [origin.sock], [], 0.3)[1]:
            origin.sock.send(bytes(1 << 20))
        origin.sock.settimeout(DEADLINE)
        getattr(client, how)()
        origin.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_leaving_a_long_poll(bench):
    """Of many that wait only those that leave are ended, at once and without a time-out."""
    bench.start(config={"upstreams": {"shop-v1": {"timeout": "1d"}}, "timeouts": {"body": "1d", "idle": "1d"}})
    polls = []
    for _ in range(20):
        client = bench.client()
        client.send(request())
        origin = bench.v1.accept()
        origin.read_request()
        polls.append((client, origin))
    for i, (client, origin) in enumerate(polls[::2]):
        client.close() if i % 2 else client.reset()
        assert origin.expect_gone() == b""
    for client, origin in polls[1::2]:
        origin.send(response(body=b"news"))
        assert client.read_response().body == b"news"


def test_leaving_with_a_pipeline(bench):
    """Who has left gets no further answers: the requests behind the first are asked of nobody."""
    bench.start()
    client = bench.client()
    client.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1"))
    origin = bench.v1.accept()
    assert origin.read_request().target == b"/1"
    client.reset()
    assert origin.expect_gone() == b""
    _, got, _ = bench.exchange(bench.client(), bench.v1, request("GET /3 HTTP/1.1"))
    assert got.target == b"/3"


def test_leaving_between_requests(bench):
    bench.start()
    client = bench.client()
    origin = bench.exchange(client, bench.v1)[0]
    client.close()
    bench.exchange(bench.client(), origin)


def test_leaving_without_a_word(bench):
    bench.start()
    bench.client().close()
    bench.client().reset()
    client = bench.client()
    client.half_close()
    client.expect_end()
    bench.v1.expect_untouched()


def test_cut_off_in_a_head(bench):
    bench.start()
    for sent in (b"G", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\n", request()[:-1], request()[:-2]):
        client = bench.client()
        client.send(sent)
        client.half_close()
        assert client.read_response().status == 400, sent
        client.expect_end()
    bench.v1.expect_untouched()


def test_cut_off_in_a_body(bench):
    """The origin never sees an end that was not sent, and its connection is not used again
    (CVE-2026-33555: an early end with Content-Length and no body)."""
    bench.start()
    length = request("PUT / HTTP/1.1", "Content-Length: 100")
    coding = request("PUT / HTTP/1.1", "Transfer-Encoding: chunked")
    cases = {
        "no byte": (length, b""), "some bytes": (length, b"x" * 99), "no chunk": (coding, b""),
        "in a size": (coding, b"3\r\nabc\r\n5"), "in a chunk": (coding, b"3\r\nab"),
        "before the last chunk": (coding, b"3\r\nabc\r\n"),
        "before the last CRLF": (coding, b"3\r\nabc\r\n0\r\n"),
    }
    for name, (head, body) in cases.items():
        client = bench.client()
        client.send(head)
        origin = bench.v1.accept()
        framing = origin.read_head().framing()
        client.send(body)
        client.half_close()
        rest = origin.expect_gone()
        assert len(rest) < 100 and (framing == 100 or b"0\r\n\r\n" not in rest), f"{name}: {rest!r}"
        answer = client.read_response()
        assert answer.status == 400 and answer.one("Connection") == b"close", name
        client.expect_end()
    bench.exchange(bench.client(), bench.v1)


def test_cut_off_behind_a_kept_connection(bench):
    """The next user's request is not eaten by a body that never came."""
    bench.start()
    for at_once in (False, True):
        kept = bench.exchange(bench.client(), bench.v1)[0]
        client = bench.client()
        client.send(request("POST / HTTP/1.1", "Content-Length: 100"))
        if not at_once:
            kept.read_head()
        client.half_close()
        kept.expect_gone()
        assert client.read_response().status == 400
        peer, got, _ = bench.exchange(bench.client(), bench.v1)
        assert got.first == b"GET / HTTP/1.1"
        peer.close()


def test_reset_in_a_body(bench):
    bench.start()
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", "Transfer-Encoding: chunked") + chunked(b"abc", last=b""))
    origin = bench.v1.accept()
    origin.read_head()
    assert origin.read_chunk() == b"abc"
    client.reset()
    assert origin.expect_gone() == b""


def test_client_that_ends_its_side_gets_its_answer(bench):
    """As `printf … | nc` does; the request is complete."""
    bench.start()
    for sent in (request(), request("PUT / HTTP/1.1", body=b"hello")):
        client = bench.client()
        client.send(sent)
        client.half_close()
        origin = bench.v1.accept()
        origin.read_request()
        origin.send(response("200 OK", "Connection: close", body=b"x" * 100_000))
        assert client.read_response().body == b"x" * 100_000
        client.expect_end()


def test_slow_reader_that_ended_its_side(bench):
    """Nothing can be sent to it for seconds at a time, as the kernels hold megabytes: what counts is
    that it takes some of them."""
    bench.start()
    client = bench.client(receive_buffer=65536)
    client.send(request())
    client.half_close()
    origin = bench.v1.accept()
    origin.read_request()
    size = 12_000_000
    sender = Task(origin.send, message("HTTP/1.1 200 OK", f"Content-Length: {size}", body=b"x" * size))
    client.read_head()
    taken = len(client.take(len(client.buffer)))
    for _ in range(90):  # three seconds at 300 KB a second
        taken += len(client.read_exact(9000))
        select.select([], [], [], 1 / 30)
    assert len(client.read_exact(size - taken)) == size - taken
    sender.result()
    assert "client_gone" not in bench.counters()


def test_origin_that_pauses_for_a_client_that_ended_its_side(bench):
    """It has taken the beginning behind its end, so it is there; and when it leaves then, the next
    bytes tell."""
    bench.start()
    for leaves in (False, True):
        client = bench.client()
        client.send(request())
        client.half_close()
        origin = bench.v1.accept()
        origin.read_request()
        size = 100 << 20 if leaves else 8
        origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {size}", body="some"))
        client.read_head()
        assert client.read_exact(4) == b"some"
        # Meanwhile one that shows nothing of the kind is given up, twice.
        for _ in range(2):
            gone = bench.client()
            gone.send(request())
            gone.half_close()
            unwanted = bench.v1.accept()
            unwanted.read_request()
            assert unwanted.expect_gone() == b""
        if leaves:
            client.close()
            origin.expect_cut_off(b"m" * 1000, size - 4)
        else:
            origin.send("more")
            assert client.read_exact(4) == b"more"
            origin.close()
    counted = bench.counters()  # the last is noticed by the event or by a write
    assert counted["client_gone"] == 5 and counted["responses"] == 1


def test_pipeline_of_a_client_that_ends_its_side(bench):
    bench.start()
    client = bench.client()
    client.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1") + request("GET /3 HTTP/1.1"))
    client.half_close()
    origin = bench.v1.accept()
    for target in (b"/1", b"/2", b"/3"):
        assert origin.read_request().target == target
        origin.send(response(body=target))
        assert client.read_response().body == target
    client.expect_end()


def connecting(port):
    """How many connects to the port are under way."""
    return sum(remote == port and state == SYN_SENT for _, remote, state in tcp_sockets())


def test_leaving_while_a_connect_hangs(bench):
    """The connect is given up, too."""
    full = bench.full()
    bench.start(v1=[full], config={"upstreams": {"shop-v1": {"connect_timeout": "60s"}}})
    for how in ("reset", "close"):
        client = bench.client()
        client.send(request())
        wait_for(lambda: connecting(full.port) == 1, "there is no connect")
        getattr(client, how)()
        wait_for(lambda: connecting(full.port) == 0, f"{how}: the connect is still under way")
    # The gateway goes on, and can stop at once: nothing is left of it.
    other = bench.client()
    other.send(request("CONNECT a:1 HTTP/1.1"))
    assert other.read_response().status == 405
