"""Decisions as they are seen on the wire: cookies, force, and what forged ones are worth."""
import re

from harness import request, response

HALF = {"expose_decision": True, "default": {"split": {"canary": 50}}}
ALL = {"expose_decision": True, "default": {"split": {"canary": 100}}}
ATTRIBUTES = {b"Path=/", b"HttpOnly", b"SameSite=Lax", b"Max-Age=604800"}


def ask(bench, origin, *lines):
    """One exchange on connections of its own; gives request and response."""
    peer, got, answer = bench.exchange(bench.client(), origin, request("GET / HTTP/1.1", *lines))
    peer.close()
    return got, answer


def cookie_of(answer):
    """The field that a browser sends from then on."""
    pair, *attributes = answer.one("Set-Cookie").split(b"; ")
    assert re.fullmatch(rb"adit_shop=[!-~]+", pair) and set(attributes) - {b"Secure"} == ATTRIBUTES
    return b"Cookie: " + pair


def reason(answer):
    return answer.one("X-Adit-Decision").split(b"reason=")[1].decode()


def test_pin_is_set_and_kept(bench):
    bench.start(rules=ALL)
    got, answer = ask(bench, bench.canary)
    assert got.one("X-Adit-Variant") == b"canary" and not got.has("X-Adit-Rule")
    assert reason(answer) == "default" and answer.one("Cache-Control") == b"private"
    got, answer = ask(bench, bench.canary, cookie_of(answer))
    assert reason(answer) == "pinned" and not answer.has("Set-Cookie")
    assert got.one("Cookie").startswith(b"adit_shop=")


def test_forged_cookies_count_as_none(bench):
    """And are overwritten. Every octet of the value is covered by its tag."""
    bench.start(rules=ALL)
    good = cookie_of(ask(bench, bench.canary)[1])
    name, value = good.split(b"=", 1)
    forged = [b"", b"x", value[:-1], value + b"A", value[::-1], b"." * len(value), b"x" * 4000]
    for at in range(0, len(value), 7):
        forged.append(value[:at] + (b"A" if value[at : at + 1] != b"A" else b"B") + value[at + 1 :])
    for each in forged:
        _, answer = ask(bench, bench.canary, name + b"=" + each)
        assert reason(answer) == "default", each
        assert cookie_of(answer) != good, each


def test_first_valid_cookie_of_its_name_counts(bench):
    bench.start(rules=ALL)
    good = cookie_of(ask(bench, bench.canary)[1])
    value = good.split(b": ")[1]
    _, answer = ask(bench, bench.canary, b"Cookie: adit_shop=forged; a=b; " + value)
    assert reason(answer) == "pinned"
    _, answer = ask(bench, bench.canary, "Cookie: adit_shop=forged", good)
    assert reason(answer) == "pinned"
    _, answer = ask(bench, bench.canary, b"Cookie: " + b"adit_shop=forged; " * 4 + value)
    assert reason(answer) == "default"


def test_cookie_is_secure_behind_https(bench):
    bench.start(config={"trusted_proxies": ["127.0.0.0/8"]}, rules=ALL)
    _, answer = ask(bench, bench.canary, "X-Forwarded-Proto: https")
    assert b"; Secure" in answer.one("Set-Cookie")
    _, answer = ask(bench, bench.canary)
    assert b"; Secure" not in answer.one("Set-Cookie")


def test_one_visitor_has_one_variant(bench):
    """Whoever is drawn keeps it; the share of a split is about its weight."""
    bench.v1.serve(lambda _: response())
    bench.canary.serve(lambda _: response())
    bench.start(rules=HALF)
    client = bench.client()
    pinned = 0
    for _ in range(60):
        client.send(request())
        first = client.read_response()
        cookie = cookie_of(first)
        variant = first.one("X-Adit-Decision").split(b";")[0]
        for _ in range(3):
            client.send(request("GET / HTTP/1.1", cookie))
            again = client.read_response()
            assert again.one("X-Adit-Decision").split(b";")[0] == variant
            assert not again.has("Set-Cookie")
        pinned += variant == b"variant=canary"
    assert 5 < pinned < 55  # less likely to fail than the machine


def test_force(bench):
    bench.start(rules={"expose_decision": False, "rules": [
        {"id": "all", "when": {"path": {"under": "/"}}, "to": "v1"}]})
    for line, origin, expected in (
            ("X-Canary: always", bench.canary, b"variant=canary; reason=forced"),
            ("x-canary: never", bench.v1, b"variant=v1; reason=forced"),
            ("X-Canary: ALWAYS", bench.v1, None), ("X-Canary: ", bench.v1, None)):
        got, answer = ask(bench, origin, line)
        assert answer.all("X-Adit-Decision") == ([expected] if expected else []), line
        assert not answer.has("Set-Cookie")
        assert got.has("X-Adit-Rule") == (expected is None)
    _, answer = ask(bench, bench.v1, "X-Canary: always", "X-Canary: always")
    assert not answer.has("X-Adit-Decision"), "a repeated force header counts as absent"


def test_requests_of_one_connection_are_strangers(bench):
    """A proxy sends many users' requests over one connection: neither force nor pin outlives its request."""
    client = bench.start(rules=ALL).client()
    origins = {}
    cookies = set()
    for line, origin, expected in (
            ("X-Canary: never", bench.v1, "forced"), ("A: 1", bench.canary, "default"),
            ("X-Canary: always", bench.canary, "forced"), ("A: 2", bench.canary, "default")):
        peer, _, answer = bench.exchange(client, origins.get(origin, origin), request("GET / HTTP/1.1", line))
        origins[origin] = peer
        assert reason(answer) == expected, line
        if expected == "default":
            cookies.add(cookie_of(answer))
    assert len(cookies) == 2


def test_force_token(bench):
    bench.write("token", "a secret of the QA team\n")
    bench.start(rules={"force": {"token_file": "token"}})
    _, answer = ask(bench, bench.v1, "X-Canary: always")
    assert not answer.has("X-Adit-Decision")
    _, answer = ask(bench, bench.v1, "X-Canary: always", "X-Canary-Token: wrong")
    assert not answer.has("X-Adit-Decision")
    got, answer = ask(bench, bench.canary, "X-Canary: always", "X-Canary-Token: a secret of the QA team",
                      "Connection: X-Canary-Token")
    assert answer.has("X-Adit-Decision") and not got.has("X-Canary-Token")


def test_untrusted_attribute_is_missing(bench):
    east = {"rules": [{"id": "east", "when": {"region": "east"}, "to": "canary"}]}
    region = {"attributes": {"region": {"type": "string", "from": [{"header": "X-Region"}]}}}
    bench.start(config=region, rules=east)
    ask(bench, bench.v1, "X-Region: east")


def test_repeated_trusted_attribute_is_missing(bench):
    east = {"rules": [{"id": "east", "when": {"region": "east"}, "to": "canary"}]}
    region = {"attributes": {"region": {"type": "string", "from": [{"header": "X-Region"}]}}}
    bench.start(config={**region, "trusted_proxies": ["127.0.0.0/8"]}, rules=east)
    ask(bench, bench.canary, "X-Region: east")
    ask(bench, bench.v1, "X-Region: east", "X-Region: east")


def test_rules_see_the_normal_path(bench):
    """The origin gets the target as it was."""
    bench.start(rules={"rules": [{"id": "api", "when": {"path": {"under": "/api"}}, "to": "canary"}]})
    for target, origin in (("/%61pi/x", bench.canary), ("//api//x", bench.canary), ("/x/../api", bench.canary),
                           ("/apix", bench.v1), ("/x%2fapi", bench.v1), ("/api/x%2fy", bench.canary)):
        peer, got, _ = bench.exchange(bench.client(), origin, request(f"GET {target} HTTP/1.1"))
        assert got.target == target.encode()
        peer.close()


def test_vary(bench):
    bench.start(rules={"vary": True, "default": {"split": {"canary": 0}},
                       "rules": [{"id": "x", "when": {"header.x-beta": "1"}, "to": "canary"}]})
    _, answer = ask(bench, bench.v1)
    fields = {each.strip().lower() for each in answer.one("Vary").split(b",")}
    assert {b"x-beta", b"x-canary", b"cookie"} <= fields
