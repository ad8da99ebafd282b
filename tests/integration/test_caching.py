"""Shared caches are kept out of what is one visitor's: Cache-Control, Vary; and X-Adit-Decision."""
from harness import message, request, response
from visitors import DAY, answer_names, ask, sticky

PRIVATE = [b"private"]


def answer_to(bench, answer, sent, method="GET"):
    """What becomes of an origin's answer; the origin is v1 or canary, whoever is asked."""
    bench.answer = answer
    client = bench.client()
    client.send(sent)
    return client.read_response(method)


def start(bench, **rules):
    for origin in bench.origins:
        origin.serve(lambda _: bench.answer)
    bench.start(rules=rules)


STORABLE = [
    # status line, fields, Cache-Control that is added
    ("200 OK", [], PRIVATE),
    ("200 OK", ["Cache-Control: max-age=60"], PRIVATE),
    ("200 OK", ["Cache-Control: public, max-age=60"], PRIVATE),
    ("200 OK", ["Cache-Control: no-cache"], PRIVATE),
    ("200 OK", ["Cache-Control: private=\"x-a, x-b\""], PRIVATE),
    ("200 OK", ["Cache-Control: x=\"no-store, private\""], PRIVATE),
    ("200 OK", ["Cache-Control: no-storey"], PRIVATE),
    ("200 OK", ["Expires: 0"], PRIVATE),
    ("203 Other", [], PRIVATE),
    ("206 Partial", [], PRIVATE),
    ("301 Moved", [], PRIVATE),
    ("302 Found", ["Cache-Control: s-maxage=1"], PRIVATE),
    ("307 Temporary", ["Expires: Sun, 22 Nov 2026 10:00:00 GMT"], PRIVATE),
    ("404 Not Found", [], PRIVATE),
    ("410 Gone", [], PRIVATE),
    ("500 Oops", ["Cache-Control: PUBLIC"], PRIVATE),
    # Nothing is weakened and nothing said twice.
    ("200 OK", ["Cache-Control: no-store"], []),
    ("200 OK", ["Cache-Control: max-age=60, No-Store"], []),
    ("200 OK", ["Cache-Control: max-age=60", "Cache-Control: no-store"], []),
    ("200 OK", ["Cache-Control: private"], []),
    ("200 OK", ["cache-control: Private ,max-age=60"], []),
    # No cache stores these by itself.
    ("302 Found", [], []),
    ("403 Forbidden", [], []),
    ("500 Oops", [], []),
    ("503 Busy", ["Retry-After: 1"], []),
]


def test_answers_that_set_the_cookie_are_private(bench):
    start(bench, default={"split": {"canary": 0}})
    for status, lines, added in STORABLE:
        said = [line.partition(":")[2].strip().encode() for line in lines if "ontrol" in line]
        got = answer_to(bench, response(status, *lines), request())
        assert got.has("Set-Cookie") and got.all("Cache-Control") == said + added, (status, lines)


def test_forced_and_pinned_answers_are_private(bench):
    start(bench, default={"split": {"canary": 0}})
    pin = f"Cookie: adit_shop={sticky()}"
    for line in ("X-Canary: always", "X-Canary: never", pin):
        for status, lines, added in STORABLE:
            said = [each.partition(":")[2].strip().encode() for each in lines if "ontrol" in each]
            got = answer_to(bench, response(status, *lines), request("GET / HTTP/1.1", line))
            assert not got.has("Set-Cookie"), line
            assert got.all("Cache-Control") == said + added, (line, status, lines)


def test_methods_that_caches_store(bench):
    start(bench)
    for method, lines, expected in (
            ("HEAD", [], PRIVATE), ("POST", [], []), ("PUT", [], []), ("OPTIONS", [], []),
            ("POST", ["Cache-Control: max-age=60"], [b"max-age=60", b"private"])):
        sent = request(f"{method} / HTTP/1.1", "X-Canary: never", body=b"" if method[0] == "P" else None)
        got = answer_to(bench, response("200 OK", *lines), sent, method)
        assert got.all("Cache-Control") == expected, method


def test_not_modified_freshens_what_is_stored(bench):
    """A cache copies the fields of a 304 to the response that it has (RFC 9111 3.2, 4.3.4)."""
    start(bench, default={"split": {"canary": 0}})
    sent = request("GET / HTTP/1.1", 'If-None-Match: "x"')
    got = answer_to(bench, message("HTTP/1.1 304 Not Modified", 'ETag: "x"'), sent)
    assert got.has("Set-Cookie") and got.all("Cache-Control") == PRIVATE


def test_other_answers_are_left_alone(bench):
    """A rule, a default, a draw that is known: the same for everybody, as far as we know."""
    start(bench, rules=[{"id": "x", "when": {"query.x": "1"}, "to": "canary"}],
          default={"split": {"canary": 50}})
    known = f"Cookie: adit_shop={sticky(variant='')}"
    for target, lines in (("/?x=1", []), ("/?x=1", [f"Cookie: adit_shop={sticky()}"])):
        got = answer_to(bench, response(), request(f"GET {target} HTTP/1.1", *lines))
        assert not got.has("Cache-Control") and not got.has("Set-Cookie"), (target, lines)
    bench.write_files(rules={"default": {"split": {"canary": 0}}})
    bench.gateway.reload()
    got = answer_to(bench, response(), request("GET / HTTP/1.1", known))
    assert not got.has("Cache-Control") and not got.has("Set-Cookie")
    got = answer_to(bench, response(), request("GET / HTTP/1.1", known.replace("Cookie", "X-Other")))
    assert got.all("Cache-Control") == PRIVATE and got.has("Set-Cookie")


def test_renewed_cookie_is_private_too(bench):
    start(bench, default={"split": {"canary": 0}})
    old = f"Cookie: adit_shop={sticky(variant='', age=6 * DAY)}"
    got = answer_to(bench, response(), request("GET / HTTP/1.1", old))
    assert got.has("Set-Cookie") and got.all("Cache-Control") == PRIVATE


# ---- Vary


ATTRIBUTES = {
    "region": {"type": "string", "from": [{"header": "X-Region"}, {"header": "X-Old-Region"}]},
    "user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
    "born": {"type": "time", "from": [{"header": "X-Born"}]},
    "theme": {"type": "string", "from": [{"cookie": "theme", "trust": "anyone"}]},
    "unused": {"type": "string", "from": [{"header": "X-Unused"}]},
}


def vary_of(bench, rules, lines=()):
    """The last Vary field of an answer, which is ours."""
    bench.answer = response("200 OK", "Vary: Accept-Encoding")
    bench.write_files(config={"attributes": ATTRIBUTES}, rules={"vary": True, **rules})
    assert "reloaded:" in bench.gateway.reload()[-1]
    client = bench.client()
    client.send(request("GET / HTTP/1.1", *lines))
    first, *ours = client.read_response().all("Vary")
    assert first == b"Accept-Encoding" and len(ours) <= 1
    return set(ours[0].decode().lower().split(", ")) if ours else set()


def test_vary_names_what_a_decision_can_read(bench):
    bench.write("token", "secret")
    start(bench)
    unforced = {"force": False}

    def rule(**when):
        return {**unforced, "rules": [{"id": "r", "when": when, "to": "canary"}]}

    assert vary_of(bench, unforced) == set()
    assert vary_of(bench, {}) == {"x-canary"}
    assert vary_of(bench, {"force": {"header": "X-Pick", "cookie": "pick"}}) == {"x-pick", "cookie"}
    assert vary_of(bench, {"force": {"token_file": "token", "allow_from": ["10.0.0.0/8"]}}) == {
        "x-canary", "x-canary-token", "x-forwarded-for"}
    assert vary_of(bench, rule(region="east")) == {"x-region", "x-old-region"}
    assert vary_of(bench, rule(**{"born.age": {"lt": "30d"}})) == {"x-born"}
    assert vary_of(bench, rule(**{"header.x-beta": "1"})) == {"x-beta"}
    assert vary_of(bench, rule(theme="dark")) == {"cookie"}
    assert vary_of(bench, rule(**{"cookie.a": "1"})) == {"cookie"}
    assert vary_of(bench, rule(client_ip="10.0.0.1", scheme="https")) == {
        "x-forwarded-for", "x-forwarded-proto"}
    # Of these, a cache's key or nothing of the request.
    assert vary_of(bench, rule(path="/", method="GET", host="h", **{"query.a": "1"})) == set()
    assert vary_of(bench, rule(now={"after": "2026-01-01"})) == set()
    split = {**unforced, "default": {"split": {"canary": 5}}}
    assert vary_of(bench, split) == {"x-user-id", "cookie"}
    assert vary_of(bench, {**split, "sticky": {"by": ["region"]}}) == {"x-region", "x-old-region", "cookie"}
    assert vary_of(bench, {**split, "sticky": {"by": []}}) == {"cookie"}


def test_vary_is_not_added_unasked(bench):
    start(bench, default={"split": {"canary": 0}})
    assert answer_to(bench, response("200 OK", "Vary: Accept"), request()).all("Vary") == [b"Accept"]


# ---- X-Adit-Decision


def test_decision_is_shown_when_forced_or_asked_for(bench):
    answer_names(*bench.origins)
    rules = {"rules": [{"id": "x", "when": {"query.x": "1"}, "to": "canary"}],
             "default": {"split": {"canary": 0}}}
    bench.start(rules=rules)
    assert not ask(bench).has("X-Adit-Decision")
    assert not ask(bench, f"Cookie: adit_shop={sticky()}").has("X-Adit-Decision")
    assert ask(bench, "X-Canary: always").one("X-Adit-Decision") == b"variant=canary; reason=forced"
    bench.write_files(rules={**rules, "expose_decision": True})
    bench.gateway.reload()
    pin = f"Cookie: adit_shop={sticky()}"
    for lines, target, expected in (
            ([], "/", b"variant=v1; reason=default"), ([], "/?x=1", b"variant=canary; reason=rule"),
            ([pin], "/", b"variant=canary; reason=pinned"),
            (["X-Canary: never"], "/?x=1", b"variant=v1; reason=forced")):
        assert ask(bench, *lines, target=target).all("X-Adit-Decision") == [expected]


def test_decision_of_an_origin_is_not_ours(bench):
    """Two gateways in a row: each says what it decided."""
    start(bench, expose_decision=True)
    got = answer_to(bench, response("200 OK", "X-Adit-Decision: variant=b; reason=rule"), request())
    assert got.all("X-Adit-Decision")[-1] == b"variant=v1; reason=default"
