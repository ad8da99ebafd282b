"""Interim responses, and clients that wait for one before they send a body."""
from harness import chunked, message, request, response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def ask_first(*lines, line="PUT / HTTP/1.1"):
    return request(line, "Expect: 100-continue", *lines)


def test_continue_is_the_origins_to_say(bench):
    client = bench.start().client()
    client.send(ask_first("Content-Length: 5"))
    origin = bench.v1.accept()
    assert origin.read_head().one("Expect") == b"100-continue"
    origin.send(CONTINUE)
    assert client.read_until(b"\r\n\r\n") == CONTINUE
    client.send("hello")
    assert origin.read_exact(5) == b"hello"
    origin.send(response())
    assert client.read_response().body == b"ok"
    bench.exchange(client, origin)


def test_continue_before_chunks(bench):
    client = bench.start().client()
    client.send(request("PUT / HTTP/1.1", "EXPECT: 100-Continue", "Transfer-Encoding: chunked"))
    origin = bench.v1.accept()
    head = origin.read_head()
    origin.send(CONTINUE)
    assert client.read_head().status == 100
    client.send(chunked(b"hel", b"lo"))
    assert origin.read_body(head).body == b"hello"
    origin.send(response())
    assert client.read_response().body == b"ok"
    bench.exchange(client, origin)


def test_client_that_does_not_wait(bench):
    client = bench.start().client()
    client.send(ask_first("Content-Length: 5") + b"hello")
    origin = bench.v1.accept()
    assert origin.read_request().body == b"hello"
    origin.send(response())
    assert client.read_response().body == b"ok"
    bench.exchange(client, origin)


def test_final_answer_instead_of_continue(bench):
    """Whether the client sends the body all the same cannot be known: both connections end."""
    client = bench.start().client()
    client.send(ask_first("Content-Length: 5"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("401 Unauthorized", body=b"who?"))
    answer = client.read_response()
    assert (answer.status, answer.body) == (401, b"who?")
    assert answer.one("Connection") == b"close"
    client.expect_end()
    origin.expect_gone()
    bench.exchange(bench.client(), bench.v1)


def test_body_after_a_final_answer_is_no_request(bench):
    client = bench.start().client()
    smuggled = request("GET /smuggled HTTP/1.1")
    client.send(ask_first(f"Content-Length: {len(smuggled)}"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("403 Forbidden"))
    assert client.read_response().status == 403
    client.send(smuggled)
    client.expect_end()
    bench.v1.expect_untouched()


def test_expectation_without_a_body(bench):
    client = bench.start().client()
    origin, _, answer = bench.exchange(client, bench.v1, ask_first(line="GET / HTTP/1.1"))
    assert not answer.has("Connection")
    bench.exchange(client, origin, ask_first("Content-Length: 0"))


def test_expectation_of_http_10_is_ignored(bench):
    """RFC 9110 10.1.1: it goes no further, so nobody waits for anybody."""
    client = bench.start().client()
    _, got, answer = bench.exchange(
        client, bench.v1, ask_first("Content-Length: 5", line="PUT / HTTP/1.0") + b"hello")
    assert not got.has("Expect") and got.body == b"hello"
    assert answer.status == 200


def test_other_expectations_are_refused(bench):
    bench.start()
    for line in ("Expect: 200-ok", "Expect: 100-continue, x", "Expect:", "Expect: 100-continue=1"):
        answer = bench.refused(request("PUT / HTTP/1.1", line, "Content-Length: 5"))
        assert answer.status == 417, line
    answer = bench.refused(request("PUT / HTTP/1.1", *["Expect: 100-continue"] * 2, body=b"x"))
    assert answer.status == 417
    bench.v1.expect_untouched()


def test_interim_responses_pass(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(CONTINUE)
    for i in range(3):
        origin.send(message("HTTP/1.1 103 Early Hints", f"Link: </{i}.css>; rel=preload",
                            "Connection: x-hop", "X-Hop: 1"))
    origin.send(message("HTTP/1.1 102 Processing") + response())
    assert client.read_head().status == 100
    for i in range(3):
        hints = client.read_head()
        assert hints.first == b"HTTP/1.1 103 Early Hints"
        assert hints.fields == [(b"Link", b"</%d.css>; rel=preload" % i)]
    assert client.read_head().status == 102
    answer = client.read_response()
    assert (answer.status, answer.body) == (200, b"ok")
    bench.exchange(client, origin)


def test_unknown_interim_responses_pass(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 199 Odd", "X-A: 1") + message("HTTP/1.1 104 ") + response())
    odd = client.read_head()
    assert (odd.first, odd.fields) == (b"HTTP/1.1 199 Odd", [(b"X-A", b"1")])
    assert client.read_head().first == b"HTTP/1.1 104 "
    assert client.read_response().status == 200


def test_interim_response_is_sent_at_once(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 103 Early Hints", "Link: </a.css>"))
    assert client.read_head().status == 103
    origin.send(response())
    assert client.read_response().status == 200


def test_interim_response_cannot_have_a_body(bench):
    """Its framing fields go no further; what follows it is the next response."""
    client = bench.start().client()
    _, _, hints = bench.exchange(
        client, bench.v1,
        answer=message("HTTP/1.1 103 Early Hints", "Content-Length: 0", "Link: </a.css>") + response())
    assert hints.names() == [b"Link"]
    assert client.read_response().body == b"ok"


def test_http_10_gets_no_interim_response(bench):
    client = bench.start().client()
    _, _, answer = bench.exchange(
        client, bench.v1, request("GET / HTTP/1.0"),
        CONTINUE + message("HTTP/1.1 103 Early Hints", "Link: </a.css>") + response())
    assert answer.status == 200 and not answer.has("Link")
    client.expect_end()


def test_too_many_interim_responses(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message("HTTP/1.1 103 Early Hints") * 17)
    statuses = [client.read_head().status for _ in range(17)]
    assert statuses == [103] * 16 + [502]
    origin.expect_gone()


def test_switching_protocols_that_nobody_asked_for(bench):
    client = bench.start().client()
    origin, got, answer = bench.exchange(
        client, bench.v1,
        request("GET / HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__"),
        message("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: h2c"))
    assert not got.has("Upgrade") and not got.has("HTTP2-Settings") and not got.has("Connection")
    assert answer.status == 502
    origin.expect_gone()
    bench.exchange(client, bench.v1)
