"""What the origin gets of a request's head: the user's bytes as they are, hop-by-hop fields gone,
ours added."""
import re

from harness import message, request

TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}
OURS = re.compile(
    rb"X-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: (?P<host>[^\r]*)"
    rb"\r\nX-Request-Id: (?P<id>[0-9a-f]{32})\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\nVia: 1\.(?P<minor>[01]) adit\r\nX-Adit-Variant: v1\r\n\r\n\Z")


def theirs(head):
    """The head without the fields that are added for a client that is not trusted."""
    assert OURS.search(head.head), head.head
    return OURS.sub(b"\r\n", head.head)


def forwarded(bench, sent):
    """The head that the origin gets for a request without a body, on connections of its own."""
    peer, got, _ = bench.exchange(bench.client(), bench.v1, sent)
    peer.close()
    return got


# ---- as it was


def test_fields_stay_as_they_are(bench):
    """Order, duplicates, the case of names, empty values, octets above ASCII, blanks inside."""
    lines = [
        "GET / HTTP/1.1", "X-first: 1", "hOsT: Shop.Example.COM:8080", "x-FIRST: 2",
        "Accept: text/html;q=0.9 ,  */*", "X-Empty: ", b"X-Obs: caf\xe9 \xff\x80", "X-First: 3",
        'Cookie: a="b c"; ; d', "Cookie: e=f", "Authorization: Basic eDp5", "x_under: 1",
        "!#$%&'*+-.^_`|~09: token", "X-Tab: a\tb", "Accept: second", "Max-Forwards: 3",
        "If-None-Match: W/\"x\"", "Proxy-Authorization: Basic eDp5", "Via: 1.0 before",
    ]
    sent = message(*lines)
    assert theirs(forwarded(bench.start(), sent)) == sent


def test_what_is_meant_for_the_origin_stays(bench):
    """Conditions, ranges, credentials and what a user agent says of itself are no gateway's to judge."""
    lines = [
        "GET /a HTTP/1.1", "Host: shop.example.com", "User-Agent: Shop/1.0 (test)", "From: a@example.com",
        "Referer: http://shop.example.com/b", "Accept: */*;q=0.1", "Accept-Charset: utf-8", "Accept-Encoding: gzip, br",
        "Accept-Language: da, en;q=0.7", "Authorization: Basic eDp5", 'If-Match: "a", *', 'If-None-Match: W/"b"',
        "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT", "If-Unmodified-Since: never", 'If-Range: "c"',
        "Range: lines=1-2, -3", "Content-Range: bytes 0-1/2", "Content-Location: /c", "Date: some day",
        "Cache-Control: no-transform, only-if-cached", "Pragma: no-cache", "Trailer: X-Sum", "Close: field",
        "Content-Encoding: gzip", "Content-Type: text/plain;charset=\"utf-8\"", "Content-Language: mi, en",
    ]
    assert theirs(forwarded(bench.start(), message(*lines))) == message(*lines)


def test_only_blanks_around_values_go(bench):
    got = forwarded(bench.start(), b"GET / HTTP/1.1\r\nHost:shop.example.com\r\nA:\t 1 2 \t\r\nB:\r\n\r\n")
    assert theirs(got) == message("GET / HTTP/1.1", "Host: shop.example.com", "A: 1 2", "B: ")


def test_targets_stay_as_they_are(bench):
    bench.start()
    for target in (
            "/", "/a/../b/./c//d", "/%41%2f%2F%7e?%zz=%00&a=b?c", "/?", "//double//", "/a;b=c,d",
            "/%E4%BD%A0", "/%0d%0aX-Injected:%201", "/?q={\"a\":[1|2]}^`\\<>", "/~!$&'()*+,;=:@-._", "/a?http://x/",
            "/" + "long" * 1900):
        assert forwarded(bench, request(f"GET {target} HTTP/1.1")).target == target.encode(), target


def test_methods_stay_as_they_are(bench):
    bench.start()
    for method in ("GET", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND", "M-SEARCH"):
        assert forwarded(bench, request(f"{method} / HTTP/1.1")).method == method.encode()


def test_absolute_form_becomes_origin_form(bench):
    """RFC 9112 3.2.2: its authority replaces Host, where Host stood."""
    bench.start()
    for target, expected, host in (
            ("http://one.example.com/a%2f?b", b"/a%2f?b", b"one.example.com"),
            ("HTTP://One.Example.com:81", b"/", b"One.Example.com:81"),
            ("http://one.example.com?x=/", b"/?x=/", b"one.example.com"),
            ("http://[::1]:8/", b"/", b"[::1]:8")):
        got = forwarded(bench, message(f"GET {target} HTTP/1.1", "A: 1", "Host: two.example.com", "B: 2"))
        assert got.target == expected, target
        assert got.fields[:3] == [(b"A", b"1"), (b"Host", host), (b"B", b"2")], target
        assert got.one("X-Forwarded-Host") == host


def test_absolute_form_in_http_1_0(bench):
    """A Host need not be there, and is told all the same."""
    bench.start()
    for lines in ((), ("Host: two.example.com",)):
        got = forwarded(bench, message("GET http://one.example.com:81/a HTTP/1.0", *lines))
        assert got.target == b"/a" and got.one("Host") == b"one.example.com:81"


def test_https_without_tls_is_misdirected(bench):
    """RFC 9110 7.4. A trusted proxy may have ended the TLS."""
    bench.start()
    for target in ("https://shop.example.com/", "HTTPS://shop.example.com"):
        client = bench.client()
        client.send(request(f"GET {target} HTTP/1.1"))
        assert client.read_response().status == 421, target
        bench.exchange(client, bench.v1)[0].close()
    bench.v1.expect_untouched()
    bench.write_files(config=TRUSTED)
    bench.gateway.reload()
    assert forwarded(bench, request("GET https://shop.example.com/a HTTP/1.1")).target == b"/a"


def test_options_of_the_server(bench):
    bench.start()
    assert forwarded(bench, request("OPTIONS * HTTP/1.1")).target == b"*"
    assert forwarded(bench, request("OPTIONS http://shop.example.com HTTP/1.1")).target == b"*"
    assert forwarded(bench, request("OPTIONS http://shop.example.com/ HTTP/1.1")).target == b"/"


def test_version_is_ours(bench):
    bench.start()
    got = forwarded(bench, request("GET / HTTP/1.0"))
    assert got.first == b"GET / HTTP/1.1" and OURS.search(got.head)["minor"] == b"0"
    got = forwarded(bench, request("GET / HTTP/1.7"))
    assert got.first == b"GET / HTTP/1.1" and OURS.search(got.head)["minor"] == b"1"


# ---- hop by hop


def test_hop_by_hop_fields_go(bench):
    got = forwarded(bench.start(), request(
        "GET / HTTP/1.1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
        "Upgrade: websocket", "HTTP2-Settings: x", "X-Kept: 1", "Connection: keep-alive"))
    assert theirs(got) == request("GET / HTTP/1.1", "X-Kept: 1")


def test_nominated_fields_go(bench):
    got = forwarded(bench.start(), request(
        "GET / HTTP/1.1", "X-Hop: 1", "Connection: X-HOP ,, foo", "x-hop: 2", "Foo: 1", "X-Hope: 1",
        "Connection: bar, X-Absent", "Bar:"))
    assert theirs(got) == request("GET / HTTP/1.1", "X-Hope: 1")


def test_close_is_a_name_too(bench):
    client = bench.start().client()
    got = bench.exchange(client, bench.v1, request("GET / HTTP/1.1", "Close: 1", "Connection: close", "A: 1"))[1]
    assert theirs(got) == request("GET / HTTP/1.1", "A: 1")
    client.expect_end()


def test_more_options_than_are_looked_at(bench):
    """None is overlooked: a longer Connection is refused, both ways."""
    many = [f"x{i}" for i in range(100)]
    bench.start()
    fields = [f"{name}: 1" for name in (many[0], many[98], many[99])]
    got = forwarded(bench, request("GET / HTTP/1.1", *fields, "Connection: " + ",".join(many)))
    assert theirs(got) == request("GET / HTTP/1.1")
    assert bench.refused(request("GET / HTTP/1.1", "Connection: " + ",".join([*many, "y"]))).status == 400
    answer = bench.exchange(bench.client(), bench.v1, answer=message(
        "HTTP/1.1 200 OK", "Connection: " + ",".join([*many, "y"]), "Content-Length: 0"))[2]
    assert answer.status == 502


def test_protected_fields_stay(bench):
    """What rules, framing and trust rest on cannot be nominated away."""
    bench.start(config={**TRUSTED, "attributes": {"region": {"type": "string", "from": [
                    {"header": "X-Region"}]}}},
                rules={"force": {"header": "X-Pick"}, "rules": [
                    {"id": "east", "when": {"region": "east"}, "to": "canary"}]})
    protected = {
        "Host": "shop.example.com", "Content-Length": "4", "Cookie": "a=b", "Authorization": "x",
        "Forwarded": "for=1.2.3.4", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "front.example.com", "X-Forwarded-Port": "443", "X-Request-Id": "r-1",
        "X-Pick": "never", "X-Region": "east", "Sec-WebSocket-Protocol": "a", "Max-Forwards": "7",
    }
    nominations = "Connection: transfer-encoding, " + ", ".join(protected).upper()
    lines = [f"{name}: {value}" for name, value in protected.items()]
    client = bench.client()
    _, got, _ = bench.exchange(client, bench.v1, message(
        "PUT / HTTP/1.1", nominations, *lines, "X-Other: 1", body="body"))
    assert got.body == b"body"
    for name, value in protected.items():
        sent = value + ", 127.0.0.1" if name == "X-Forwarded-For" else value
        assert got.one(name) == sent.encode(), name
    # Without the force header the region decides: it was read although it was nominated.
    _, got, _ = bench.exchange(bench.client(), bench.canary, request(
        "GET / HTTP/1.1", "Connection: X-Region", "X-Region: east"))
    assert got.one("X-Region") == b"east" and got.one("X-Adit-Rule") == b"east"


def test_nominated_transfer_encoding_frames_all_the_same(bench):
    client = bench.start().client()
    _, got, _ = bench.exchange(client, bench.v1, request(
        "PUT / HTTP/1.1", "Connection: Transfer-Encoding, Content-Length",
        "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n")
    assert got.body == b"abc" and got.framing() == "chunked"


def test_nominated_fields_are_not_read_by_rules(bench):
    """They are removed before anything looks at them."""
    bench.start(rules={"rules": [{"id": "x", "when": {"header.x-beta": "1"}, "to": "canary"}]})
    _, got, _ = bench.exchange(bench.client(), bench.canary, request("GET / HTTP/1.1", "X-Beta: 1"))
    assert got.one("X-Adit-Rule") == b"x"
    forwarded(bench, request("GET / HTTP/1.1", "X-Beta: 1", "Connection: x-beta"))


# ---- ours


def test_our_names_cannot_be_forged(bench):
    bench.start(config=TRUSTED, rules={
        "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]})
    forged = ["X-Adit-Variant: canary", "x-adit-variant: a", "X_Adit_Variant: b", "X-Adit_Rule: c",
              "X-Adit-Rule: d", "X-Canary-Token: secret", "x_adit_rule: e"]
    _, got, _ = bench.exchange(bench.client(), bench.v1, request("GET / HTTP/1.1", *forged))
    assert got.one("X-Adit-Variant") == b"v1"
    assert b"rule" not in got.head.lower() and b"secret" not in got.head and b"_" not in got.head
    _, got, _ = bench.exchange(
        bench.client(), bench.canary, request("GET / HTTP/1.1", *forged, "X-Beta: 1"))
    assert got.one("X-Adit-Variant") == b"canary" and got.one("X-Adit-Rule") == b"beta"


def test_via_can_be_switched_off(bench):
    got = forwarded(bench.start(config={"via": False}), request("GET / HTTP/1.1", "Via: 1.1 front"))
    assert got.all("Via") == [b"1.1 front"]


def test_request_ids_differ(bench):
    bench.start()
    ids = {OURS.search(forwarded(bench, request()).head)["id"] for _ in range(5)}
    assert len(ids) == 5


# ---- trust

CLAIMS = [
    "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: front.example.com",
    "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7", "X-Request-Id: r-1",
    "X-Forwarded-For: 203.0.113.8",
]


def test_claims_of_a_stranger_are_replaced(bench):
    got = forwarded(bench.start(), request("GET / HTTP/1.1", *CLAIMS))
    assert theirs(got) == request("GET / HTTP/1.1")


def test_claims_of_a_trusted_proxy_are_kept(bench):
    trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got = forwarded(bench.start(config=TRUSTED), request("GET / HTTP/1.1", *CLAIMS, trace))
    assert got.head == request(
        "GET / HTTP/1.1", *CLAIMS[1:6], trace, "X-Forwarded-For: 203.0.113.7, 203.0.113.8, 127.0.0.1",
        "Via: 1.1 adit", "X-Adit-Variant: v1")


def test_trusted_proxy_that_claims_nothing(bench):
    got = forwarded(bench.start(config=TRUSTED), request())
    assert theirs(got) == request()


def test_client_ip_behind_trusted_proxies(bench):
    """From the right, the first address that is not trusted."""
    bench.start(config={"trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}, rules={"rules": [
        {"id": "there", "when": {"client_ip": {"in_cidr": "203.0.113.0/24"}}, "to": "canary"}]})
    for claimed, there in (
            ("203.0.113.7", True), ("198.51.100.1, 203.0.113.7, 10.1.1.1", True),
            ("203.0.113.7, 198.51.100.1", False), ("203.0.113.7, unknown", False),
            ("203.0.113.7:4711, 10.0.0.1", True), ("::ffff:203.0.113.7", True)):
        origin = bench.canary if there else bench.v1
        peer, got, _ = bench.exchange(
            bench.client(), origin, request("GET / HTTP/1.1", f"X-Forwarded-For: {claimed}"))
        assert got.one("X-Forwarded-For") == f"{claimed}, 127.0.0.1".encode()
        peer.close()


def test_client_ip_of_a_stranger_is_the_peers(bench):
    bench.start(rules={"rules": [
        {"id": "local", "when": {"client_ip": "127.0.0.1"}, "to": "canary"}]})
    bench.exchange(bench.client(), bench.canary,
                   request("GET / HTTP/1.1", "X-Forwarded-For: 203.0.113.7"))
