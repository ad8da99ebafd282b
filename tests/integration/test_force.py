"""Force: QA's header and cookie, and who may use them."""
from harness import request
from visitors import answer_names, ask, served_by, sticky


def start(bench, force=None, config=None, **rules):
    answer_names(*bench.origins)
    if force is not None:
        rules["force"] = force
    return bench.start(config=config, rules=rules)


def expect_all(bench, cases, **more):
    for lines, expected in cases:
        answer = ask(bench, *lines, **more)
        forced = expected.endswith("!")
        assert answer.body.decode() == expected.rstrip("!"), lines
        assert answer.has("X-Adit-Decision") == forced, lines
        if forced:
            said = f"variant={expected.rstrip('!')}; reason=forced"
            assert answer.one("X-Adit-Decision").decode() == said


def test_the_header_by_default(bench):
    start(bench)
    expect_all(bench, [
        ([], "v1"), (["X-Canary: always"], "canary!"), (["x-CANARY:  always "], "canary!"),
        (["X-Canary: never"], "v1!"), (["X-Canary: Always"], "v1"), (["X-Canary: always, always"], "v1"),
        (["X-Canary:"], "v1"), (["X-Canary: canary"], "v1"), (["X-Canary: always", "X-Canary: always"], "v1"),
        (["X-Canary: always", "X-Canary:"], "v1"), (["X_Canary: always"], "v1"),
        (["Cookie: X-Canary=always"], "v1")])


def test_the_origin_is_told(bench):
    """The force header goes on: what is the user's stays. No rule decided."""
    start(bench, rules=[{"id": "r", "to": "v1"}])
    ask(bench, "X-Canary: always")
    got = bench.canary.requests[0]
    assert got.one("X-Canary") == b"always" and got.one("X-Adit-Variant") == b"canary"
    assert not got.has("X-Adit-Rule")


def test_force_goes_before_rules_splits_and_pins(bench):
    start(bench, rules=[{"id": "r", "when": {"query.r": "1"}, "to": "v1"}],
          default={"split": {"canary": 100}})
    assert served_by(bench, "X-Canary: always", target="/?r=1") == "canary"
    pin = f"Cookie: adit_shop={sticky()}"
    assert served_by(bench, pin) == "canary"
    answer = ask(bench, pin, "X-Canary: never")
    assert answer.body == b"v1" and not answer.has("Set-Cookie")


def test_force_and_states(bench):
    start(bench, state="off")
    for state, always, never in (("off", "v1", "v1"), ("drain", "canary!", "v1!"), ("full", "canary!", "v1!")):
        bench.write_files(rules={"state": state})
        bench.gateway.reload()
        expect_all(bench, [(["X-Canary: always"], always), (["X-Canary: never"], never)])


def test_own_header_cookie_and_values(bench):
    start(bench, {"header": "X-Pick", "cookie": "pick", "values": {"new": "canary", "old one": "v1"}})
    expect_all(bench, [
        (["X-Canary: always"], "v1"), (["X-Pick: always"], "v1"), (["X-Pick: new"], "canary!"),
        (["X-Pick: old one"], "v1!"), (["Cookie: pick=new"], "canary!"), (["Cookie: a=b; pick=new ;c"], "canary!"),
        (["Cookie: Pick=new"], "v1"), (["Cookie: pick=\"new\""], "v1"), (["Cookie: pick="], "v1"),
        (["Cookie: pick=new; pick=new"], "v1"), (["Cookie: pick=new", "Cookie: pick=new"], "v1"),
        # The header, else the cookie.
        (["X-Pick: old one", "Cookie: pick=new"], "v1!"), (["X-Pick: new", "Cookie: pick=old one"], "canary!"),
        (["X-Pick: junk", "Cookie: pick=new"], "canary!"),
        (["X-Pick: new", "X-Pick: new", "Cookie: pick=old one"], "v1!")])


def test_cookie_beside_the_default_header(bench):
    start(bench, {"cookie": "pick"})
    expect_all(bench, [(["X-Canary: always"], "canary!"), (["Cookie: pick=always"], "canary!"),
                       (["Cookie: pick=never"], "v1!"), (["Cookie: pick=maybe"], "v1")])


def test_one_of_several_canaries(bench):
    second = bench.origin("second")
    start(bench, {"values": {"1": "canary", "2": "second", "0": "v1"}},
          config={"upstreams": {"shop-second": {"endpoints": [second.address]}}},
          variants={"second": "shop-second"}, canaries=["second", "canary"])
    expect_all(bench, [(["X-Canary: 1"], "canary!"), (["X-Canary: 2"], "second!"), (["X-Canary: 0"], "v1!"),
                       (["X-Canary: always"], "v1")])
    bench.write_files(config={"upstreams": {"shop-second": {"endpoints": [second.address]}}}, rules={
        "variants": {"second": "shop-second"}, "canaries": ["second", "canary"]})
    bench.gateway.reload()
    expect_all(bench, [(["X-Canary: always"], "second!"), (["X-Canary: never"], "v1!")])


def test_switched_off(bench):
    start(bench, False)
    expect_all(bench, [(["X-Canary: always"], "v1")])


def test_token(bench):
    bench.write("qa.token", "a secret of QA\n")
    start(bench, {"token_file": "qa.token", "cookie": "pick"})
    good = "X-Canary-Token: a secret of QA"
    expect_all(bench, [
        (["X-Canary: always", good], "canary!"), (["Cookie: pick=always", good], "canary!"),
        (["X-Canary: always"], "v1"), ([good], "v1"), (["X-Canary: always", good.lower()], "v1"),
        (["X-Canary: always", "X-Canary-Token:"], "v1"), (["X-Canary: always", good + "x"], "v1"),
        (["X-Canary: always", good[:-1]], "v1"), (["X-Canary: always", good, good], "v1"),
        (["X-Canary: always", "Cookie: X-Canary-Token=a secret of QA"], "v1")])
    requests = bench.canary.requests + bench.v1.requests
    assert len(requests) == 10 and not any(b"ecret" in got.head.replace(b"Cookie: X-Canary-Token=a secret", b"")
                                           for got in requests), "the token went on"


def test_allowed_addresses(bench):
    """The client's, as trusted proxies tell it."""
    start(bench, {"allow_from": ["127.0.0.2", "10.1.0.0/16", "2001:db8::/32"]},
          config={"trusted_proxies": ["127.0.0.1/32"]})
    force = "X-Canary: always"
    expect_all(bench, [
        ([force], "v1"), ([force, "X-Forwarded-For: 10.1.2.3"], "canary!"),
        ([force, "X-Forwarded-For: 10.2.0.1"], "v1"), ([force, "X-Forwarded-For: 10.1.2.3, 10.2.0.1"], "v1"),
        ([force, "X-Forwarded-For: 2001:db8::7"], "canary!"), ([force, "X-Forwarded-For: junk"], "v1")])
    expect_all(bench, [([force], "canary!"), ([force, "X-Forwarded-For: 9.9.9.9"], "canary!")], source="127.0.0.2")
    expect_all(bench, [([force], "v1"), ([force, "X-Forwarded-For: 10.1.2.3"], "v1")], source="127.0.0.3")


def test_address_and_token_must_both_hold(bench):
    bench.write("qa.token", "a secret of QA")
    start(bench, {"allow_from": ["127.0.0.2"], "token_file": "qa.token"})
    lines = ["X-Canary: always", "X-Canary-Token: a secret of QA"]
    expect_all(bench, [(lines, "canary!"), (lines[:1], "v1")], source="127.0.0.2")
    expect_all(bench, [(lines, "v1")])


def test_forced_canary_that_is_not_there(bench):
    """503: QA is not to be shown stable in its place. Others are."""
    answer_names(bench.v1)
    bench.start(canary=[bench.refusing()], rules={"expose_decision": True, "default": {"split": {"canary": 100}}})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "X-Canary: always"))
    answer = client.read_response()
    assert answer.status == 503 and answer.one("X-Adit-Decision") == b"variant=canary; reason=forced"
    assert ask(bench).one("X-Adit-Decision") == b"variant=v1; reason=failover"
    assert [got.has("X-Canary") for got in bench.v1.requests] == [False]
    assert ask(bench, "X-Canary: never").one("X-Adit-Decision") == b"variant=v1; reason=forced"
