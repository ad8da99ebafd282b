"""Answers that come while the request is still being sent: the client gets them whole, the upload
stops, and neither connection is used again."""
import socket
import struct

from harness import Task, chunked, message, request, response

MEGABYTE = 1 << 20
LARGE_ANSWER = bytes(range(256)) * (8 * MEGABYTE // 256)


def send_until_refused(client, data):
    """Sends on as if nothing had been said, until the connection no longer takes it."""
    try:
        client.sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def begin_upload(bench, *lines, sent=b"first bytes"):
    """A client in the middle of an upload that the origin has begun to read."""
    client = bench.client()
    client.send(request("PUT / HTTP/1.1", *lines) + sent)
    origin = bench.v1.accept()
    origin.read_head()
    origin.read_until(sent)
    return client, origin


def test_response_is_whole_while_the_client_sends_on(bench):
    """Of a client that reads only when it has sent everything, too."""
    bench.start()
    client, origin = begin_upload(bench, f"Content-Length: {64 * MEGABYTE}")
    origin.send(response("413 Content Too Large", body=b"too much" * 1000))
    upload = Task(send_until_refused, client, bytes(64 * MEGABYTE - 11))
    origin.expect_gone()
    upload.result()
    answer = client.read_response()
    assert answer.status == 413 and answer.body == b"too much" * 1000
    assert answer.one("Connection") == b"close"
    client.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_response_is_whole_for_a_slow_reader(bench):
    """The gateway is done with a response that waits in its kernel, and the upload comes and comes: an
    end now would be a reset, and take away what was not read yet."""
    bench.start()
    body = LARGE_ANSWER[: 2 * MEGABYTE]
    client = bench.client(receive_buffer=65536)
    client.send(request("PUT / HTTP/1.1", f"Content-Length: {64 * MEGABYTE}"))
    origin = bench.v1.accept()
    origin.read_head()
    answer = Task(origin.send, response("413 Content Too Large", body=body))
    upload = Task(send_until_refused, client, bytes(64 * MEGABYTE))
    answer.result()
    origin.expect_gone()
    upload.result()
    assert client.read_response().body == body
    client.expect_gone()


def test_upload_goes_on_while_the_response_does(bench):
    """The origin reads on: nothing is taken away from it before its response is complete."""
    bench.start()
    client, origin = begin_upload(bench, "Content-Length: 100")
    origin.send(message("HTTP/1.1 200 OK", "Content-Length: 10", body="12345"))
    assert client.read_head().one("Connection") == b"close"
    assert client.read_exact(5) == b"12345"
    client.send(" and others")
    assert origin.read_exact(11) == b" and others"
    origin.send("67890")
    assert client.read_exact(5) == b"67890"
    client.expect_end()
    origin.expect_gone()


def test_large_response_and_slow_upload(bench):
    """A body of megabytes, of which the client reads nothing before its upload was taken. In the end
    both messages were whole, so that the origin's connection may be used again."""
    bench.start()
    client, origin = begin_upload(bench, f"Content-Length: {4 * MEGABYTE + 11}")
    origin.send(message("HTTP/1.1 200 OK", f"Content-Length: {len(LARGE_ANSWER)}"))
    assert client.read_head().one("Connection") == b"close"
    answer = Task(origin.send, LARGE_ANSWER)
    upload = Task(client.send, bytes(4 * MEGABYTE))
    origin.read_exact(4 * MEGABYTE)
    upload.result()
    assert client.read_exact(len(LARGE_ANSWER)) == LARGE_ANSWER
    answer.result()
    client.expect_end()
    bench.exchange(bench.client(), origin)


def test_origin_that_closes_behind_its_answer(bench):
    """It has not read the upload, so that its end is a reset: the answer is whole all the same."""
    bench.start()
    for answer in (response("401 Unauthorized", body=b"who?"), message(
            "HTTP/1.1 401 Unauthorized", "Transfer-Encoding: chunked", body=chunked(b"who", b"?"))):
        client = bench.client()
        client.send(request("PUT / HTTP/1.1", f"Content-Length: {64 * MEGABYTE}"))
        origin = bench.v1.accept()
        origin.read_head()
        upload = Task(send_until_refused, client, bytes(64 * MEGABYTE))
        origin.fill("the upload")
        origin.send(answer)
        origin.close()
        upload.result()
        got = client.read_response()
        assert (got.status, got.body) == (401, b"who?")
        client.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_answer_and_end_seen_at_once(bench):
    """The gateway finds out that it cannot send on before it reads what the origin has said."""
    bench.start()
    for end in ("close", "reset"):
        client, origin = begin_upload(bench, "Content-Length: 100")
        bench.gateway.freeze()
        client.send("more")
        origin.send(response("403 Forbidden", body=b"no"))
        getattr(origin, end)()
        bench.gateway.thaw()
        answer = client.read_response()
        assert (answer.status, answer.body) == (403, b"no"), end
        client.expect_end()


def test_reset_is_not_the_end_of_a_body(bench):
    """A body that only the connection's end ends was cut by a reset, also where a failed write has
    told of it first."""
    bench.start()
    client, origin = begin_upload(bench, "Content-Length: 100")
    bench.gateway.freeze()
    client.send("more")
    origin.send(message("HTTP/1.1 200 OK", body="half of"))
    origin.reset()
    bench.gateway.thaw()
    assert client.read_head().framing() == "chunked"
    assert client.read_chunk() == b"half of"
    assert client.expect_gone() == b""


def test_end_of_a_body_in_front_of_a_reset(bench):
    """An origin that ended its side has said all, whatever becomes of the upload."""
    bench.start()
    client, origin = begin_upload(bench, "Content-Length: 100")
    bench.gateway.freeze()
    client.send("more")
    origin.send(message("HTTP/1.1 200 OK", body="all of it"))
    origin.half_close()
    origin.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    origin.close()
    bench.gateway.thaw()
    answer = client.read_response()
    assert answer.body == b"all of it"
    client.expect_end()


def test_no_byte_of_the_upload_is_a_request(bench):
    """What is left of it goes to nobody: not to the origin, and not as a request of its own."""
    bench.start()
    inner = request("GET /inner HTTP/1.1") * 1000
    client, origin = begin_upload(bench, f"Content-Length: {2 * len(inner)}")
    origin.send(response("403 Forbidden"))
    send_until_refused(client, inner)
    assert client.read_response().status == 403
    client.expect_end()
    origin.expect_gone()
    bench.v1.expect_untouched()
