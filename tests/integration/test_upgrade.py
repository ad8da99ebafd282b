"""Upgrade (RFC 9110 7.8): which changes of protocol are offered to an origin, and which 101 is accepted."""
from handshakes import ACCEPT, HANDSHAKE, KEY, SWITCHING, open_tunnel
from harness import message, request, response

CANARY = {"rules": [{"id": "beta", "when": {"query.beta": "1"}, "to": "canary"}]}


def ordinary(bench, *lines, first="GET / HTTP/1.1"):
    """A request that is forwarded without an offer."""
    client = bench.client()
    client.send(request(first, *lines))
    origin = bench.v1.accept()
    got = origin.read_request()
    assert not got.has("Upgrade") and not got.has("Connection"), got.head
    origin.send(response("200 OK", "Connection: close"))
    assert client.read_response().status == 200
    return got


# ---- what is offered


def test_a_websocket_is_offered(bench):
    bench.start()
    _, _, got, answer = open_tunnel(bench)
    assert got.one("Sec-WebSocket-Key") == KEY.encode() and got.one("Sec-WebSocket-Version") == b"13"
    assert answer.one("Sec-WebSocket-Accept") == ACCEPT.split(": ")[1].encode()
    assert not answer.has("Content-Length") and not answer.has("Transfer-Encoding")


def test_its_key_cannot_be_nominated_away(bench):
    """The endpoint would get an upgrade without a key, and nothing to answer would be an answer."""
    client = bench.start().client()
    names = ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "sec-websocket-protocol")
    client.send(request("GET / HTTP/1.1", "Connection: Upgrade, " + ", ".join(names), *HANDSHAKE[1:],
                        "Sec-WebSocket-Protocol: chat"))
    origin = bench.v1.accept()
    got = origin.read_head()
    assert got.one("Upgrade") == b"websocket" and got.one("Sec-WebSocket-Key") == KEY.encode()
    assert got.one("Sec-WebSocket-Version") == b"13" and got.one("Sec-WebSocket-Protocol") == b"chat"
    origin.send(message(*SWITCHING))
    assert client.read_head().status == 101


def test_what_is_not_offered(bench):
    """It goes on as an ordinary request: the protocol need not change."""
    bench.start()
    key, version = HANDSHAKE[2:]
    cases = {
        "h2c": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        "unknown": ("Connection: Upgrade", "Upgrade: x-mux"),
        "TLS": ("Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/2.0"),
        "not nominated": ("Upgrade: websocket", key, version),
        "no protocol": ("Connection: Upgrade", key, version),
        "no key": ("Connection: Upgrade", "Upgrade: websocket", version),
        "two keys": ("Connection: Upgrade", "Upgrade: websocket", key, key, version),
        "no base64": ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: " + "*" * 22 + "==", version),
        "short key": ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: c2hvcnQ=", version),
    }
    for lines in cases.values():
        ordinary(bench, *lines)
    ordinary(bench, *HANDSHAKE, first="GET / HTTP/1.0")
    ordinary(bench, *HANDSHAKE, first="POST / HTTP/1.1")


def test_not_with_content(bench):
    bench.start()
    client = bench.client()
    client.send(request("GET / HTTP/1.1", *HANDSHAKE, body=b"body"))
    got = bench.v1.accept().read_request()
    assert not got.has("Upgrade") and got.body == b"body"


def test_the_first_allowed_one_is_offered(bench):
    bench.start(config={"upgrades": ["x-mux", "WebSocket"]})
    client = bench.client()
    for offered, chosen in (("h2c, X-Mux/3, websocket", b"X-Mux/3"), ("websocket, x-mux", b"websocket")):
        client.send(request("GET / HTTP/1.1", "Connection: upgrade", f"Upgrade: {offered}", *HANDSHAKE[2:]))
        origin = bench.v1.accept()
        assert origin.read_head().one("Upgrade") == chosen
        origin.send(response("200 OK", "Connection: close"))
        client.read_response()


def test_none_is_allowed(bench):
    bench.start(config={"upgrades": []})
    ordinary(bench, *HANDSHAKE)


# ---- what is accepted


def test_101_that_does_not_fit(bench):
    """It opens no tunnel: 502, and the origin's connection is closed."""
    status, connection, upgrade, accept = SWITCHING
    cases = {
        "no Upgrade": (status, connection, accept),
        "not nominated": (status, upgrade, accept),
        "another protocol": (status, connection, "Upgrade: h2c", accept),
        "two protocols": (status, connection, "Upgrade: websocket, h2c", accept),
        "two fields": (status, connection, upgrade, "Upgrade: h2c", accept),
        "no accept": (status, connection, upgrade),
        "another key's": (status, connection, upgrade, "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        "two accepts": (status, connection, upgrade, accept, accept),
        "HTTP/1.0": ("HTTP/1.0 101 Switching Protocols", connection, upgrade, accept),
    }
    bench.start()
    for name, lines in cases.items():
        client = bench.client()
        client.send(request("GET / HTTP/1.1", *HANDSHAKE))
        origin = bench.v1.accept()
        origin.read_head()
        origin.send(message(*lines, body=b"frames"))
        assert client.read_response().status == 502, name
        origin.expect_gone()


def test_101_that_nobody_asked_for(bench):
    client = bench.start().client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    origin.send(message(*SWITCHING))
    assert client.read_response().status == 502
    origin.expect_gone()


def test_refused_is_an_ordinary_response(bench):
    """The connection goes on, and what came early is the next request."""
    client = bench.start().client()
    client.send(request("GET / HTTP/1.1", *HANDSHAKE) + request("GET /next HTTP/1.1"))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(response("403 Forbidden", body=b"no"))
    assert client.read_response().body == b"no"
    got = origin.read_request()
    assert got.target == b"/next" and not got.has("Upgrade")
    origin.send(response())
    assert client.read_response().status == 200


def test_426_says_which(bench):
    """Of the protocols that an origin wants only one that could be offered comes through."""
    client = bench.start().client()
    for wanted, told in (("websocket", [b"websocket"]), ("h2c", []), ("h2c, WebSocket/13", [b"WebSocket/13"])):
        _, _, answer = bench.exchange(client, bench.v1, request(), response(
            "426 Upgrade Required", "Connection: upgrade, close", f"Upgrade: {wanted}"))
        assert answer.all("Upgrade") == told and answer.all("Connection") == [b"Upgrade"] * len(told), wanted


def test_the_decision_is_the_handshakes(bench):
    """Rules, force and the sticky cookie are as for any request."""
    bench.start(rules={**CANARY, "default": {"split": {"canary": 100}}})
    _, _, got, answer = open_tunnel(bench, target="/?beta=1", origin=bench.canary)
    assert got.one("X-Adit-Variant") == b"canary" and got.one("X-Adit-Rule") == b"beta"
    assert not answer.has("Set-Cookie")
    _, _, _, answer = open_tunnel(bench, origin=bench.canary)
    assert answer.one("Set-Cookie").startswith(b"adit_shop=")
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "X-Canary: never", *HANDSHAKE))
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(message(*SWITCHING))
    assert client.read_head().one("X-Adit-Decision") == b"variant=v1; reason=forced"


def test_a_dead_kept_connection_is_replaced(bench):
    client = bench.start().client()
    kept = bench.exchange(client, bench.v1)[0]
    client.send(request("GET / HTTP/1.1", *HANDSHAKE))
    kept.read_head()
    kept.close()
    origin = bench.v1.accept()
    origin.read_head()
    origin.send(message(*SWITCHING))
    assert client.read_head().status == 101
