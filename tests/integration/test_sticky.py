"""The sticky cookie: when it is read, what it is worth, when it is set and what it says then."""
import re
import signal
import time

from harness import request, response
from visitors import (
    DAY, HOUR, SECRET, SOME_ID, Visitor, answer_names, ask, bucket, keys, parse_sticky, served_by,
    set_cookies, sign, sticky)

TTL = 7 * DAY
TRUSTED = {"trusted_proxies": ["127.0.0.1/32"]}  # and 127.0.0.2 is a stranger
USER_ID = {**TRUSTED, "attributes": {"user.id": {"type": "string", "from": [{"header": "X-User-Id"}]}}}


def start(bench, percent, config=None, **rules):
    """A gateway whose default is a split; origins say their names."""
    answer_names(*bench.origins)
    bench.start(config=config, rules={
        "expose_decision": True, "default": {"split": {"canary": percent}}, **rules})
    return bench


def reason(answer):
    return answer.one("X-Adit-Decision").decode().partition("reason=")[2]


def ask_with(bench, *values, name="adit_shop", lines=()):
    """The answer to a request with cookies of one name."""
    cookies = "; ".join(f"{name}={value}" for value in values)
    return ask(bench, *lines, f"Cookie: {cookies}")


def set_value(answer, name="adit_shop"):
    """What the answer's sticky cookie says; None when it sets none."""
    cookies = set_cookies(answer)
    assert set(cookies) <= {name}, cookies
    return parse_sticky(cookies[name], name) if cookies else None


def expect_now(cookie):
    assert abs(cookie.issued_seconds - time.time()) < 60, cookie


def counters(bench):
    """Ends the gateway; gives what it has counted."""
    bench.gateway.signal(signal.SIGTERM)
    line = bench.gateway.wait_line("adit: stopped:").string
    return {name: int(n) for name, n in re.findall(r" (\w+)=(\d+)", line)}


# ---- when it is set


def test_draw_of_canary_is_pinned(bench):
    answer = ask(start(bench, 100))
    cookie = set_value(answer)
    assert (answer.body, reason(answer)) == (b"canary", "default")
    assert (cookie.version, cookie.key_id, cookie.variant, cookie.epoch) == ("1", "test", "canary", "1")
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", cookie.id)
    expect_now(cookie)
    again = ask_with(bench, set_cookies(answer)["adit_shop"])
    assert (again.body, reason(again)) == (b"canary", "pinned")
    assert set_value(again) is None and again.all("Cache-Control") == [b"private"]


def test_draw_of_stable_sets_an_id_only(bench):
    answer = ask(start(bench, 0))
    cookie = set_value(answer)
    assert (answer.body, cookie.variant) == (b"v1", "")
    again = ask_with(bench, set_cookies(answer)["adit_shop"])
    assert (again.body, reason(again)) == (b"v1", "default")
    assert set_value(again) is None and not again.has("Cache-Control")


def test_ids_differ(bench):
    start(bench, 0)
    assert len({set_value(ask(bench)).id for _ in range(20)}) == 20


def test_anonymous_id_is_the_key(bench):
    """What stands in the cookie is what is hashed."""
    start(bench, 50)
    visitors = [Visitor() for _ in range(60)]
    for visitor in visitors:
        for expected in ("default", "again"):
            answer = visitor.ask(bench.client())
            canary = bucket("shop", visitor.sticky().id) < 5000
            assert answer.body == (b"canary" if canary else b"v1")
            assert (visitor.sticky().variant == "canary") == canary
            assert reason(answer) == ("pinned" if canary and expected == "again" else "default")
    seen = {visitor.sticky().variant for visitor in visitors}
    assert seen == {"", "canary"}


def test_user_with_a_key_and_stable_gets_no_cookie(bench):
    start(bench, 30, config=USER_ID)
    for key in keys("shop", 3000, 10000, 3):
        answer = ask(bench, f"X-User-Id: {key}")
        assert answer.body == b"v1" and set_value(answer) is None, key


def test_user_with_a_key_and_canary_is_pinned(bench):
    start(bench, 30, config=USER_ID)
    for key in keys("shop", 0, 3000, 3):
        answer = ask(bench, f"X-User-Id: {key}")
        cookie = set_value(answer)
        assert answer.body == b"canary" and cookie.variant == "canary", key
        # The pin holds for the browser, whoever logs in.
        other = keys("shop", 3000, 10000)[0]
        again = ask_with(bench, set_cookies(answer)["adit_shop"], lines=[f"X-User-Id: {other}"])
        assert (again.body, reason(again), set_value(again)) == (b"canary", "pinned", None)


def test_key_of_a_stranger_does_not_count(bench):
    """An untrusted header is no key: the visitor is drawn by an id of our own."""
    start(bench, 30, config=USER_ID)
    key = keys("shop", 0, 3000)[0]
    answer = ask(bench, f"X-User-Id: {key}", source="127.0.0.2")
    cookie = set_value(answer)
    assert answer.body == (b"canary" if bucket("shop", cookie.id) < 3000 else b"v1")


def test_empty_key_is_no_key(bench):
    start(bench, 0, config=USER_ID)
    assert set_value(ask(bench, "X-User-Id:")).variant == ""


def test_keys_in_order_and_a_salt_of_its_own(bench):
    attributes = {name: {"type": "string", "from": [{"header": f"X-{name}"}]} for name in ("team", "phone")}
    start(bench, 50, config={**TRUSTED, "attributes": attributes},
          sticky={"by": ["team", "phone"], "salt": "spring"},
          rules=[{"id": "own", "when": {"query.own": "1"}, "split": {"canary": 50}, "by": ["phone"]}])
    low, high = keys("spring", 0, 5000)[0], keys("spring", 5000, 10000)[0]
    for lines, target, expected in (
            ([f"X-team: {low}", f"X-phone: {high}"], "/", "canary"),
            ([f"X-team: {high}", f"X-phone: {low}"], "/", "v1"),
            (["X-team:", f"X-phone: {low}"], "/", "canary"),
            ([f"X-phone: {high}"], "/", "v1"),
            ([f"X-team: {high}", f"X-phone: {low}"], "/?own=1", "canary"),
            ([f"X-team: {high}"], "/?own=1", "v1")):
        assert served_by(bench, *lines, target=target) == expected, (lines, target)


def test_cookie_is_not_read_before_a_split_is_reached(bench):
    """Nor looked at, nor set: a rule with `to`, a force, off and full are no draws."""
    start(bench, 50, rules=[{"id": "to", "when": {"path": "/to"}, "to": "canary"}])
    for value in ("forged", sticky(), sticky(age=6 * DAY)):
        answer = ask(bench, f"Cookie: adit_shop={value}", target="/to")
        assert (answer.body, reason(answer), set_value(answer)) == (b"canary", "rule", None)
        assert not answer.has("Cache-Control")
        answer = ask_with(bench, value, lines=["X-Canary: never"])
        assert (answer.body, reason(answer), set_value(answer)) == (b"v1", "forced", None)
    for state, expected in (("off", b"v1"), ("full", b"canary")):
        bench.write_files(rules={"state": state, "default": {"split": {"canary": 50}}})
        bench.gateway.reload()
        answer = ask_with(bench, "forged")
        assert (answer.body, set_value(answer)) == (expected, None)
    assert "cookies_refused" not in counters(bench)


def test_default_without_a_split_sets_nothing(bench):
    answer_names(*bench.origins)
    bench.start()
    answer = ask_with(bench, sticky())
    assert (answer.body, set_value(answer)) == (b"v1", None)


def test_route_without_a_cookie(bench):
    """A draw is made anew each time."""
    start(bench, 100, sticky={"cookie": False})
    value = sticky(age=6 * DAY)
    answer = ask_with(bench, value)
    assert (answer.body, reason(answer), set_value(answer)) == (b"canary", "default", None)
    assert not answer.has("Cache-Control")
    bench.write_files(rules={
        "expose_decision": True, "sticky": False, "default": {"split": {"canary": 50}}})
    bench.gateway.reload()
    answers = [ask_with(bench, value) for _ in range(64)]
    assert {(answer.body, reason(answer)) for answer in answers} == {
        (b"v1", "default"), (b"canary", "default")}
    assert not any(answer.has("Set-Cookie") for answer in answers)


# ---- how it is set


def test_attributes_of_the_cookie(bench):
    for options, expected in (
            ({}, "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"),
            ({"ttl": "1500ms"}, "; Path=/; Max-Age=2; HttpOnly; SameSite=Lax"),
            ({"ttl": "12h", "same_site": "Strict"}, "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
            # Browsers refuse None without Secure.
            ({"same_site": "None"}, "; Path=/; Max-Age=604800; HttpOnly; SameSite=None; Secure"),
            ({"domain": "example.com"},
             "; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Domain=example.com")):
        rules = {"sticky": options, "default": {"split": {"canary": 100}}}
        if bench.gateway:
            bench.write_files(rules=rules)
            bench.gateway.reload()
        else:
            answer_names(*bench.origins)
            bench.start(rules=rules)
        line = ask(bench).one("Set-Cookie").decode()
        assert re.fullmatch(r"adit_shop=[\w~.-]+" + re.escape(expected), line), line


def test_secure_where_the_visitor_came_by_https(bench):
    start(bench, 100, config=TRUSTED)
    for lines, source, secure in (
            ([], None, False),
            (["X-Forwarded-Proto: https"], None, True),
            (["X-Forwarded-Proto: HTTPS"], None, True),
            (["X-Forwarded-Proto: http"], None, False),
            (["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"], None, False),
            (["X-Forwarded-Proto: https, http"], None, False),
            (["X-Forwarded-Proto: https"], "127.0.0.2", False)):
        line = ask(bench, *lines, source=source).one("Set-Cookie")
        assert line.endswith(b"; SameSite=Lax; Secure") == secure, (lines, source)
        assert secure or line.endswith(b"; SameSite=Lax"), line


def test_other_cookies_pass_both_ways(bench):
    bench.v1.serve(lambda head: response("200 OK", "Set-Cookie: a=1", "Set-Cookie: b=2"))
    bench.start(rules={"default": {"split": {"canary": 0}}})
    value = sticky(variant="", age=4 * DAY)
    answer = ask(bench, f"Cookie: x=1; adit_shop={value}; y=\"2\"")
    assert list(set_cookies(answer)) == ["a", "b", "adit_shop"]
    assert bench.v1.requests[0].all("Cookie") == [f"x=1; adit_shop={value}; y=\"2\"".encode()]


def test_any_response_carries_it(bench):
    bench.canary.serve(lambda head: response(head.one("X-Status").decode()))
    bench.start(rules={"default": {"split": {"canary": 100}}})
    for status in ("404 Not Found", "500 Oops", "302 Found", "201 Created"):
        for method in ("GET", "HEAD", "POST"):
            lines = [f"X-Status: {status}"] + (["Content-Length: 0"] if method == "POST" else [])
            assert set_value(ask(bench, *lines, method=method)).variant == "canary", status


# ---- what it is worth


def damaged(value):
    """Values that are not what we wrote, each with a reason."""
    version, key_id, variant, epoch, some_id, issued, tag = value.split("~")
    fields = [version, key_id, variant, epoch, some_id, issued]

    def signed(**changes):
        names = ["version", "key_id", "variant", "epoch", "id", "issued"]
        changed = [changes.get(name, field) for name, field in zip(names, fields)]
        return "~".join([*changed, sign("adit_shop", changed)])

    yield "empty", ""
    yield "text", "canary"
    yield "only separators", "~~~~~~"
    yield "no tag", "~".join(fields)
    yield "empty tag", "~".join([*fields, ""])
    yield "short tag", value[:-1]
    yield "long tag", value + "A"
    yield "tag of nothing", "~".join([*fields, "A" * 43])
    yield "padded tag", value + "="
    yield "tag in the other case", "~".join([*fields, tag.swapcase()])
    yield "field too many", value + "~x"
    yield "quoted", f'"{value}"'
    yield "variant changed", value.replace("canary", "canarx")
    yield "variant added", "~".join([version, key_id, "", epoch, some_id, issued, tag])
    yield "epoch changed", "~".join([version, key_id, variant, "2", some_id, issued, tag])
    yield "issued changed", "~".join([*fields[:5], str(int(issued) + 1), tag])
    yield "id changed", value.replace(some_id, some_id[::-1])
    yield "unknown key", signed(key_id="other")
    yield "empty key", signed(key_id="")
    yield "other version", signed(version="2")
    yield "epoch that is no number", signed(epoch="x")
    yield "negative epoch", signed(epoch="-1")
    yield "huge epoch", signed(epoch="4294967296")
    yield "signed number", signed(epoch="+1")
    yield "issued that is no number", signed(issued="now")
    yield "huge issued", signed(issued="9" * 30)
    yield "issued tomorrow and later", signed(issued=str(int(issued) + 2 * DAY * 1000))
    yield "short id", signed(id=some_id[:-1])
    yield "long id", signed(id=some_id + "AA")
    yield "id that is no base64url", signed(id=some_id[:-2] + "+/")
    yield "id with bits to spare", signed(id=some_id[:-1] + "x")
    yield "very long", signed(variant="x" * 4000)
    yield "signed by another secret", sticky(secret=b"x" * 32)
    yield "of another route", sticky(name="adit_other")
    yield "expired", sticky(age=TTL + 5)


def test_bad_cookies_count_as_none_and_are_overwritten(bench):
    start(bench, 0)
    cases = list(damaged(sticky()))
    for name, value in cases:
        answer = ask_with(bench, value)
        assert (answer.body, reason(answer)) == (b"v1", "default"), name
        cookie = set_value(answer)
        assert cookie and cookie.variant == "" and cookie.id != SOME_ID, name
    # The good one is good.
    assert reason(ask_with(bench, sticky())) == "pinned"
    counted = counters(bench)
    assert counted["cookies_refused"] == len(cases) and counted["pinned"] == 1, counted


def test_bad_cookie_stays_where_there_is_nothing_to_say(bench):
    """It is overwritten when one is next set, and not for its own sake."""
    start(bench, 30, config=USER_ID)
    stable, canary = keys("shop", 3000, 10000)[0], keys("shop", 0, 3000)[0]
    answer = ask_with(bench, "forged", lines=[f"X-User-Id: {stable}"])
    assert (answer.body, set_value(answer)) == (b"v1", None)
    answer = ask_with(bench, "forged", lines=[f"X-User-Id: {canary}"])
    assert (answer.body, set_value(answer).variant) == (b"canary", "canary")


def test_pin_just_before_it_expires(bench):
    start(bench, 0)
    assert reason(ask_with(bench, sticky(age=TTL - 60))) == "pinned"
    # A clock that is ahead by less than a day.
    assert reason(ask_with(bench, sticky(age=-HOUR))) == "pinned"


def test_ttl_of_now_counts(bench):
    """A shorter ttl ends the cookies that are older."""
    start(bench, 0, sticky={"ttl": "2d"})
    assert reason(ask_with(bench, sticky(age=DAY - 60))) == "pinned"
    assert reason(ask_with(bench, sticky(age=2 * DAY + 60))) == "default"


def test_first_of_several_that_verifies_counts(bench):
    start(bench, 0)
    pin, other = sticky(), sticky(variant="")
    bad = "forged"
    for values, expected in (
            ([bad, pin], "pinned"), ([pin, bad], "pinned"), ([bad, bad, bad, pin], "pinned"),
            ([bad, bad, bad, bad, pin], "default"), ([other, pin], "default"), ([pin, other], "pinned")):
        assert reason(ask_with(bench, *values)) == expected, values
    answer = ask(bench, "Cookie: a=b", f"Cookie: c=d;adit_shop={pin} ; e", "Cookie: adit_shop=x")
    assert reason(answer) == "pinned"
    # Names are case-sensitive.
    assert reason(ask_with(bench, pin, name="Adit_shop")) == "default"


def test_pin_must_name_a_canary_of_the_file(bench):
    start(bench, 0)
    for variant in ("v1", "other", "Canary"):
        answer = ask_with(bench, sticky(variant=variant))
        # The id stays, and there is nothing new to say.
        assert (answer.body, reason(answer), set_value(answer)) == (b"v1", "default", None), variant


def test_pin_to_one_of_several_canaries(bench):
    second = bench.origin("second")
    start(bench, 0, config={"upstreams": {"shop-second": {"endpoints": [second.address]}}},
          variants={"second": "shop-second"}, canaries=["canary", "second"])
    for variant, expected in (("canary", "canary"), ("second", "second"), ("v1", "v1")):
        assert ask_with(bench, sticky(variant=variant)).body.decode() == expected


# ---- renewal


def test_cookie_is_renewed_in_the_second_half_of_its_life(bench):
    start(bench, 0)
    for variant in ("canary", ""):
        young = ask_with(bench, sticky(variant=variant, age=TTL / 2 - 60))
        assert set_value(young) is None
        old = ask_with(bench, sticky(variant=variant, age=TTL / 2 + 60))
        cookie = set_value(old)
        assert (cookie.variant, cookie.epoch, cookie.id) == (variant, "1", SOME_ID)
        assert old.all("Cache-Control") == [b"private"]
        expect_now(cookie)


def test_renewed_pin_keeps_its_epoch(bench):
    """It is still the draw of then."""
    start(bench, 0, sticky={"epoch": 2})
    answer = ask_with(bench, sticky(epoch=3, age=5 * DAY))
    assert (reason(answer), set_value(answer).epoch) == ("pinned", "3")


def test_void_pin_is_left_out_when_the_cookie_is_renewed(bench):
    start(bench, 0, sticky={"epoch": 2})
    for void in ({"epoch": 1}, {"epoch": 2, "variant": "gone"}):
        assert set_value(ask_with(bench, sticky(**void))) is None
        cookie = set_value(ask_with(bench, sticky(**void, age=5 * DAY)))
        assert (cookie.variant, cookie.epoch, cookie.id) == ("", "2", SOME_ID), void


# ---- keys


def write_keys(bench, *ids):
    """Their files; gives what adit.json says of them."""
    for key_id in ids:
        bench.write(f"{key_id}.key", f"{key_id}-{'x' * 40}")
    return {"sticky": {"keys": [{"id": key_id, "file": f"{key_id}.key"} for key_id in ids]}}


def secret_of(key_id):
    return f"{key_id}-{'x' * 40}".encode()


def test_keys_rotate(bench):
    """The first signs, all verify; one that was signed by another is renewed when it is time."""
    start(bench, 0, config=write_keys(bench, "new", "old"))
    old = {"key_id": "old", "secret": secret_of("old")}
    answer = ask_with(bench, sticky(**old))
    assert (reason(answer), set_value(answer)) == ("pinned", None)
    value = set_cookies(ask_with(bench, sticky(**old, age=5 * DAY)))["adit_shop"]
    cookie = parse_sticky(value, secret=secret_of("new"))
    assert (cookie.key_id, cookie.variant, cookie.id) == ("new", "canary", SOME_ID)
    # The id says which key: another key's tag is forged.
    for key_id, secret in (("new", "old"), ("old", "new"), ("gone", "old"), ("old", "gone")):
        forged = sticky(key_id=key_id, secret=secret_of(secret))
        assert reason(ask_with(bench, forged)) == "default", (key_id, secret)
    # The old key is removed.
    bench.write_files(config=write_keys(bench, "new"), rules={
        "expose_decision": True, "default": {"split": {"canary": 0}}})
    bench.gateway.reload()
    assert reason(ask_with(bench, sticky(**old))) == "default"
    assert reason(ask_with(bench, value)) == "pinned"


def test_newline_at_the_end_of_a_key_is_dropped(bench):
    bench.write("a.key", "x" * 32 + "\n")
    bench.write("b.key", "y" * 32 + "\n\n")
    start(bench, 0, config={"sticky": {"keys": [{"id": "a", "file": "a.key"}, {"id": "b", "file": "b.key"}]}})
    assert reason(ask_with(bench, sticky(key_id="a", secret=b"x" * 32))) == "pinned"
    assert reason(ask_with(bench, sticky(key_id="b", secret=b"y" * 32 + b"\n"))) == "pinned"
    assert reason(ask_with(bench, sticky(key_id="a", secret=b"x" * 32 + b"\n"))) == "default"


def test_random_key_holds_over_reloads(bench):
    start(bench, 100, config={"sticky": None})
    bench.gateway.wait_line("adit.json: warning: no sticky keys")
    value = set_cookies(ask(bench))["adit_shop"]
    assert value.split("~")[1] == "random"
    for _ in range(2):
        bench.gateway.reload()
        assert reason(ask_with(bench, value)) == "pinned"


# ---- epochs, groups, states


def test_epoch_voids_older_pins(bench):
    start(bench, 100, sticky={"epoch": 2})
    for epoch, expected in ((0, "default"), (1, "default"), (2, "pinned"), (3, "pinned")):
        answer = ask_with(bench, sticky(epoch=epoch))
        assert reason(answer) == expected, epoch
        cookie = set_value(answer)
        # A new draw, by the same id.
        assert (cookie and (cookie.variant, cookie.epoch, cookie.id)) == (
            ("canary", "2", SOME_ID) if expected == "default" else None), epoch


def test_group_shares_cookie_and_salt(bench):
    grouped = {"sticky": {"group": "release"}}
    bench.write("cart.json", {
        "route": "cart", "match": {"path_prefix": "/cart"}, "expose_decision": True,
        "variants": {"v1": "shop-v1", "canary": "shop-canary"}, "stable": "v1",
        "default": {"split": {"canary": 0}}, **grouped})
    start(bench, 50, config={"rules": ["shop.json", "cart.json"]}, **grouped)
    visitors = [Visitor() for _ in range(30)]
    for visitor in visitors:
        first = visitor.ask(bench.client()).body
        cookie = visitor.sticky("adit_release")
        assert first == (b"canary" if bucket("release", cookie.id) < 5000 else b"v1")
        # The other route has another weight, and the same pins.
        answer = visitor.ask(bench.client(), "/cart")
        assert answer.body == first and not answer.has("Set-Cookie")
        assert reason(answer) == ("pinned" if first == b"canary" else "default")
    assert {visitor.sticky("adit_release").variant for visitor in visitors} == {"", "canary"}
    assert reason(ask_with(bench, sticky())) == "default"


def test_routes_without_a_group_do_not_share(bench):
    bench.write("cart.json", {
        "route": "cart", "match": {"path_prefix": "/cart"},
        "variants": {"v1": "shop-v1", "canary": "shop-canary"}, "stable": "v1",
        "default": {"split": {"canary": 0}}})
    start(bench, 100, config={"rules": ["shop.json", "cart.json"]})
    visitor = Visitor()
    assert visitor.ask(bench.client()).body == b"canary"
    assert visitor.ask(bench.client(), "/cart").body == b"v1"
    assert (visitor.sticky().variant, visitor.sticky("adit_cart").variant) == ("canary", "")
    # Another route's cookie under this route's name.
    assert ask_with(bench, sticky("adit_shop"), name="adit_cart").body == b"canary"
    answer = ask(bench, f"Cookie: adit_cart={sticky('adit_shop')}", target="/cart")
    assert answer.body == b"v1" and set_value(answer, "adit_cart").variant == ""


def test_drain_sets_nothing(bench):
    start(bench, 100, state="drain")
    for values, expected in (
            ([], (b"v1", "default")), (["forged"], (b"v1", "default")), ([sticky()], (b"canary", "pinned")),
            ([sticky(age=6 * DAY)], (b"canary", "pinned")), ([sticky(variant="", age=6 * DAY)], (b"v1", "default"))):
        answer = ask_with(bench, *values)
        assert (answer.body, reason(answer), set_value(answer)) == (*expected, None), values


def test_failover_sets_nothing(bench):
    """Nor is the answer private: stable answered, and nobody was drawn."""
    answer_names(bench.v1)
    bench.start(canary=[bench.refusing()], rules={
        "expose_decision": True, "default": {"split": {"canary": 100}}})
    for values in ([], [sticky()], [sticky(age=6 * DAY)], [sticky(variant="", age=6 * DAY)]):
        answer = ask_with(bench, *values)
        assert (answer.body, reason(answer), set_value(answer)) == (b"v1", "failover", None), values
        assert not answer.has("Cache-Control")


def test_visitor_who_keeps_no_cookie_is_drawn_anew(bench):
    start(bench, 50)
    client = bench.client()
    seen = set()
    for _ in range(64):
        client.send(request())
        seen.add(client.read_response().body)
    assert seen == {b"v1", b"canary"}


def test_secret_is_the_file_of_the_harness(bench):
    """What these tests sign is what the gateway verifies, and nothing else is."""
    start(bench, 0)
    assert reason(ask_with(bench, sticky(secret=SECRET))) == "pinned"
    assert reason(ask_with(bench, sticky(secret=SECRET + b"\n"))) == "default"
