"""Max-Forwards (RFC 9110 7.6.2): OPTIONS and TRACE count down, and end here at 0."""
from harness import request, response


def forwarded(bench, client, *lines, method="OPTIONS", target="/"):
    client.send(request(f"{method} {target} HTTP/1.1", *lines))
    origin = bench.v1.accept()
    got = origin.read_request()
    origin.send(response("200 OK", "Connection: close"))
    assert client.read_response().status == 200
    return got


def test_counts_down(bench):
    client = bench.start().client()
    for method in ("OPTIONS", "TRACE"):
        for value, left in (("1", b"0"), ("10", b"9"), ("007", b"6"), ("18446744073709551616", b"18446744073709551614")):
            assert forwarded(bench, client, f"Max-Forwards: {value}", method=method).one("Max-Forwards") == left
    assert not forwarded(bench, client).has("Max-Forwards")


def test_other_methods_do_not_count(bench):
    client = bench.start().client()
    for method, value in (("GET", "0"), ("POST", "3"), ("options", "0"), ("GET", "some")):
        got = forwarded(bench, client, f"Max-Forwards: {value}", method=method)
        assert got.one("Max-Forwards") == value.encode()


def test_options_ends_here(bench):
    client = bench.start().client()
    for target in ("/", "*", "http://other.example.com/"):
        client.send(request(f"OPTIONS {target} HTTP/1.1", "Max-Forwards: 0", 'If-Match: "no"', "If-None-Match: *"))
        answer = client.read_response()
        assert answer.status == 200 and b"OPTIONS" in answer.one("Allow"), target
    bench.v1.expect_untouched()


def test_it_cannot_be_nominated_away(bench):
    client = bench.start().client()
    for method in ("OPTIONS", "TRACE"):
        client.send(request(f"{method} / HTTP/1.1", "Connection: Max-Forwards", "Max-Forwards: 0"))
        assert client.read_response().status == 200
        assert forwarded(bench, client, "Connection: max-forwards", "Max-Forwards: 2",
                         method=method).one("Max-Forwards") == b"1"


def test_trace_ends_here(bench):
    """What comes back is what came, without what is secret (RFC 9110 9.3.8)."""
    bench.start(config={"trusted_proxies": ["127.0.0.1"], "attributes": {
        "user": {"type": "string", "from": [{"header": "X-User"}]}}})
    client = bench.client()
    client.send(request(
        "TRACE /a?b HTTP/1.1", "Host: shop.example.com", "X-B: 2", "Max-Forwards: 0", "x-b:  3", "Cookie: secret",
        "Authorization: secret", "Proxy-Authorization: secret", "X-User: secret", "X-Canary-Token: secret",
        "X-Canary: secret", "X-Forwarded-For: 10.9.9.9", "Connection: X-Hop", "X-Hop: 1"))
    answer = client.read_response()
    assert answer.status == 200 and answer.one("Content-Type") == b"message/http"
    assert answer.body == (b"TRACE /a?b HTTP/1.1\r\nHost: shop.example.com\r\nX-B: 2\r\nMax-Forwards: 0\r\n"
                           b"x-b: 3\r\n\r\n")
    bench.v1.expect_untouched()


def test_trace_of_http_1_0(bench):
    client = bench.start().client()
    client.send("TRACE /old HTTP/1.0\r\nMax-Forwards: 0\r\n\r\n")
    assert client.read_response().body == b"TRACE /old HTTP/1.0\r\nMax-Forwards: 0\r\n\r\n"
    client.expect_end()


def test_trace_has_no_content(bench):
    """RFC 9110 9.3.8: an origin is sent none."""
    bench.start()
    for lines in (("Content-Length: 1",), ("Transfer-Encoding: chunked",), ("Max-Forwards: 0", "Content-Length: 1")):
        assert bench.refused(request("TRACE / HTTP/1.1", *lines)).status == 400, lines
    bench.v1.expect_untouched()
    assert forwarded(bench, bench.client(), "Content-Length: 0", method="TRACE").framing() == 0


def test_long_trace(bench):
    """Fields that make the answer too long are left out; it is whole all the same."""
    client = bench.start().client()
    client.send(request("TRACE / HTTP/1.1", "Max-Forwards: 0", "X-Long: " + "x" * 9000, "X-Short: 1"))
    answer = client.read_response()
    assert answer.body.endswith(b"Max-Forwards: 0\r\nX-Short: 1\r\n\r\n") and b"X-Long" not in answer.body


def test_no_number(bench):
    bench.start()
    for value in ("", "-1", "1.0", "x", "1, 2"):
        assert bench.refused(request("TRACE / HTTP/1.1", f"Max-Forwards: {value}")).status == 400, value
    bench.v1.expect_untouched()


def test_the_least_of_several(bench):
    client = bench.start().client()
    client.send(request("OPTIONS / HTTP/1.1", "Max-Forwards: 3", "Max-Forwards: 0"))
    assert client.read_response().has("Allow")
    bench.v1.expect_untouched()
