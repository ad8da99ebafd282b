"""Requests that are malformed, ambiguous or not for us: answered by the gateway, the connection is
closed, and the origin sees nothing of them."""
from harness import chunked, message, request

HOST = b"Host: shop.example.com\r\n"


def head(*lines, line=b"POST / HTTP/1.1"):
    """A head of exactly these lines, Host among them."""
    return b"\r\n".join((line, b"Host: shop.example.com", *lines)) + b"\r\n\r\n"


def expect_all(bench, status, cases):
    """Each alone, each in pieces, and each behind a good request on one connection."""
    bench.start()
    for name, sent in cases.items():
        answer = bench.refused(sent)
        assert answer.status == status, f"{name}: {answer.head!r}"
    bench.v1.expect_untouched()
    origin = None
    for name, sent in cases.items():
        client = bench.client()
        client.send(request("GET /good HTTP/1.1") + sent)
        origin = origin or bench.v1.accept()
        assert origin.read_request().target == b"/good"
        origin.send(message("HTTP/1.1 204 No Content"))
        assert client.read_response().status == 204
        assert client.read_response().status == status, name
        client.expect_end()
    bench.v1.expect_untouched()
    assert not origin.buffer


def test_framing(bench):
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
    cases = {
        "length with coding": head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + smuggled,
        "coding with length": head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + smuggled,
        "two lengths": head(b"Content-Length: 0", b"Content-Length: 30") + smuggled,
        "two equal lengths": head(b"Content-Length: 5", b"content-length: 5") + b"hello",
        "list of lengths": head(b"Content-Length: 5, 5") + b"hello",
        "two codings": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + smuggled,
        "chunked twice": head(b"Transfer-Encoding: chunked, chunked") + smuggled,
        "chunked not last": head(b"Transfer-Encoding: chunked, identity") + smuggled,
        "chunked with a parameter": head(b"Transfer-Encoding: chunked;q=1") + smuggled,
        "gzip": head(b"Transfer-Encoding: gzip") + smuggled,
        "identity": head(b"Transfer-Encoding: identity") + smuggled,
        "coding that only ends in chunked": head(b"Transfer-Encoding: xchunked") + smuggled,
        "coding that only begins as chunked": head(b"Transfer-Encoding: chunke") + smuggled,
        "quoted coding": head(b'Transfer-Encoding: "chunked"') + smuggled,
        "empty coding": head(b"Transfer-Encoding: ") + smuggled,
        "only commas": head(b"Transfer-Encoding: ,") + smuggled,
        "coding with a control": head(b"Transfer-Encoding: \x0bchunked") + smuggled,
        "coding in HTTP/1.0": head(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0") + smuggled,
    }
    lengths = [b"", b"+5", b"-5", b"5 5", b"5,", b"0x5", b"5a", b"5.0", b"1e1", b"\xb2", b"1_0",
               b"9223372036854775808", b"18446744073709551621", b"99999999999999999999"]
    for length in lengths:
        cases[f"length {length!r}"] = head(b"Content-Length: " + length) + b"hello"
    expect_all(bench, 400, cases)


def test_field_lines(bench):
    cases = {
        "space before the colon": head(b"X-A : 1"),
        "tab before the colon": head(b"X-A\t: 1"),
        "length with a space before the colon": head(b"Content-Length : 5") + b"hello",
        "coding with a space before the colon": head(b"Transfer-Encoding : chunked") + chunked(),
        "folded line": head(b"X-A: 1", b" 2"),
        "folded with a tab": head(b"X-A: 1", b"\t2"),
        "folded first line": b"GET / HTTP/1.1\r\n X: 1\r\n" + HOST + b"\r\n",
        "blank line of a space": head(b"X-A: 1", b" "),
        "no colon": head(b"X-A"),
        "no name": head(b": 1"),
        "name with a blank": head(b"X A: 1"),
        "name with a bracket": head(b"X(A: 1"),
        "name above ASCII": head(b"X-\xc3\xa9: 1"),
        "name with a slash": head(b"X/A: 1"),
        "bare line feed": head(b"X-A: 1\nX-B: 2"),
        "bare line feed at the end": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
        "only line feeds": b"GET / HTTP/1.1\nHost: shop.example.com\n\n",
        "bare carriage return": head(b"X-A: 1\rX-B: 2"),
        "carriage return twice": b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n",
        "NUL in a value": head(b"X-A: a\0b"),
        "NUL in a name": head(b"X-\0A: b"),
        "control in a value": head(b"X-A: a\x01b"),
        "DEL in a value": head(b"X-A: a\x7fb"),
        "bell at the end": head(b"X-A: a\x07"),
    }
    expect_all(bench, 400, cases)


def test_hosts(bench):
    def with_hosts(*hosts, line=b"GET / HTTP/1.1"):
        return b"\r\n".join((line, *(b"Host: " + host for host in hosts))) + b"\r\n\r\n"

    cases = {
        "none": with_hosts(),
        "two": with_hosts(b"shop.example.com", b"other.example.com"),
        "two equal": with_hosts(b"shop.example.com", b"shop.example.com"),
        "two in HTTP/1.0": with_hosts(b"a.example.com", b"a.example.com", line=b"GET / HTTP/1.0"),
        "none, absolute-form": with_hosts(line=b"GET http://shop.example.com/ HTTP/1.1"),
        "invalid, absolute-form": with_hosts(b"a b", line=b"GET http://shop.example.com/ HTTP/1.1"),
    }
    for host in (b"", b"a b", b"a/b", b"a?b", b"a@b", b"a#b", b"user:pass@a", b"a:b", b"a:80:80",
                 b"a:99999", b"[::1", b"::1", b"[::g]", b"[fe80::1%25eth0]", b"a%zz", b":80", b"a\\b",
                 b"a\xe9", b"http://a"):
        cases[f"host {host!r}"] = with_hosts(host)
    expect_all(bench, 400, cases)


def test_request_lines(bench):
    lines = [
        b"GET /", b"GET", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET /  HTTP/1.1", b" GET / HTTP/1.1",
        b"GET\t/\tHTTP/1.1", b"GET / http/1.1", b"GET / HTTP/1", b"GET / HTTP/11.1", b"GET / HTTP/1.10",
        b"GET / HTTP/1,1", b"GET / HTTP/ 1.1", b"GET / FTP/1.1", b"GET / HTTP/1.1.1", b"G(T / HTTP/1.1",
        b"GET /a b HTTP/1.1", b"GET /\xe9 HTTP/1.1", b"GET /# HTTP/1.1", b"GET /\x7f HTTP/1.1",
        b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"GET shop.example.com:80 HTTP/1.1", b"GET  HTTP/1.1",
        b"GET ftp://shop.example.com/ HTTP/1.1", b"GET http:///x HTTP/1.1", b"GET https:///x HTTP/1.1",
        b"GET http:// HTTP/1.1", b"GET http://user@shop.example.com/ HTTP/1.1", b"GET //\x00 HTTP/1.1",
        b"GET ?a HTTP/1.1", b"CONNECT / HTTP/1.1", b"CONNECT shop.example.com HTTP/1.1", b"\xff\xfe / HTTP/1.1",
    ]
    expect_all(bench, 400, {repr(line): line + b"\r\n" + HOST + b"\r\n" for line in lines})


def test_what_is_no_http(bench):
    expect_all(bench, 400, {
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "a control": b"\x01",
        "many empty lines": b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
        "a PROXY header": b"PROXY TCP4 203.0.113.7 203.0.113.8 1 2\r\n",
    })


def test_paths(bench):
    """Paths that the next server could see differently than the rules do."""
    targets = [
        b"/..", b"/../", b"/a/../../b", b"/%2e%2e/", b"/a/%2E./../..", b"/%00", b"/a%0", b"/%", b"/%zz",
        b"/%u0041", b"/a%2f../b", b"/a/..%2fb", b"/..%5cb", b"/a%5c..%5cb", b"/a/..\\b", b"/%2e%2e%2fb",
        b"http://shop.example.com/a/../../b",
    ]
    expect_all(bench, 400, {
        repr(target): b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n" for target in targets})


def test_versions(bench):
    expect_all(bench, 505, {
        version: f"GET / HTTP/{version}\r\n".encode() + HOST + b"\r\n"
        for version in ("2.0", "0.9", "3.0", "9.9", "0.0")})


def test_http_2_preface(bench):
    expect_all(bench, 505, {"preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"})


def test_transfer_codings(bench):
    expect_all(bench, 501, {
        coding: head(f"Transfer-Encoding: {coding}".encode()) + chunked(b"x")
        for coding in ("gzip, chunked", "gzip;q=1, chunked", "cow, chunked", "identity, chunked",
                       "gzip,, deflate , chunked")})


def test_connect(bench):
    client = bench.start().client()
    client.send(request("CONNECT shop.example.com:443 HTTP/1.1") + request("GET /meant-for-the-tunnel HTTP/1.1"))
    answer = client.read_response()
    client.expect_end()
    assert answer.status == 405 and b"GET" in answer.one("Allow") and b"CONNECT" not in answer.one("Allow")
    bench.v1.expect_untouched()


def test_refused_as_soon_as_it_is_seen(bench):
    """Nothing more is waited for: not for the rest of the head."""
    bench.start()
    for sent in (b"GET / HTTP/1.1\r\nX-A: 1\n", b"GET / HTTP/2.0\r\n", b"GET /\r\n", b"\x16", b"GET / HTTP/1.1\nX"):
        assert bench.refused(sent).status in (400, 505), sent


def test_refused_in_pieces_of_one_byte(bench):
    """What is refused does not depend on how the bytes come. Only the last byte is the wrong one,
    so that all of it is sent before the answer."""
    bench.start()
    for sent in (
            head(b"Content-Length: 5", b"Transfer-Encoding: chunked"), head(b"X-A : 1"),
            b"GET / HTTP/1.1\r\n\r\n", head(b"Content-Length: 5", b"Content-Length: 5")):
        client = bench.client()
        client.send_pieces(sent)
        assert client.read_response().status == 400, sent
        client.expect_end()
    bench.v1.expect_untouched()


# ---- bodies


def test_bad_chunks(bench):
    """The head went on already: the origin must see that the body broke off, whatever came."""
    bench.start()
    bad = {
        "no size": b"\r\n", "not a digit": b"x\r\n", "sign": b"+1\r\na\r\n", "minus": b"-1\r\na\r\n",
        "0x": b"0x1\r\na\r\n", "17 digits": b"00000000000000001\r\na\r\n",
        "over 2^63": b"8000000000000000\r\n", "all ones": b"ffffffffffffffff\r\n",
        "line feed alone after size": b"1\na\r\n0\r\n\r\n", "carriage return alone": b"1\rXa\r\n",
        "blank before size": b" 1\r\na\r\n", "blank after size": b"1 \r\na\r\n",
        "line feed alone after data": b"1\r\na\n0\r\n\r\n", "nothing after data": b"1\r\na0\r\n\r\n",
        "data longer than its size": b"1\r\nab\r\n0\r\n\r\n",
        "control in an extension": b"1;a=\x00\r\na\r\n", "line feed in an extension": b"1;a\nb\r\na\r\n",
        "long extension": b"1;" + b"x" * 300 + b"\r\n", "endless zeros": b"0" * 20,
        "bad trailer": b"0\r\nX A: 1\r\n\r\n", "folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n",
        "line feed ends the trailers": b"0\r\n\n", "line feed in a trailer": b"0\r\nX: 1\n\r\n",
        "long trailers": b"0\r\n" + b"X: 1234567890\r\n" * 700,
    }
    for name, sent in bad.items():
        client = bench.client()
        client.send(head(b"Transfer-Encoding: chunked"))
        origin = bench.v1.accept()
        assert origin.read_head().framing() == "chunked"
        client.send(chunked(b"good", last=b""))
        assert origin.read_chunk() == b"good", name
        client.send(sent)
        answer = client.read_response()
        status = {"long extension": 413, "long trailers": 431}.get(name, 400)
        assert answer.status == status and answer.one("Connection") == b"close", name
        client.expect_end()
        rest = origin.expect_gone()
        assert b"0\r\n" not in rest, f"{name}: the origin got an end: {rest!r}"


def test_next_request_after_bad_chunks_is_clean(bench):
    """The half-fed connection is not used again (CVE-2026-33555)."""
    bench.start()
    client = bench.client()
    origin = bench.exchange(client, bench.v1)[0]
    client.send(head(b"Transfer-Encoding: chunked") + b"5\r\nab")
    origin.read_head()
    client.close()
    origin.expect_gone()
    assert bench.exchange(bench.client(), bench.v1)[1].first == b"GET / HTTP/1.1"


def test_no_content_for_head(bench):
    """Nor where the head is malformed behind its method, or never whole (RFC 9110 9.3.2)."""
    bench.start()
    malformed = head(b"A : b", line=b"HEAD / HTTP/1.1")
    for sent in (malformed, b"\r\n" + malformed, head(line=b"HEAD / HTTP/2.0"), malformed[:40]):
        client = bench.client()
        client.send(sent)
        client.half_close()
        answer = client.read_response("HEAD")
        assert answer.status in (400, 505), answer.head
        client.expect_end()
