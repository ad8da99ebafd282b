"""What a client says of itself, and whom the gateway believes: 127.0.0.1 is a trusted proxy here,
127.0.0.2 a stranger."""
from visitors import answer_names, ask, told_rule

STRANGER = "127.0.0.2"
PROXIES = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48"]


def header(name, **more):
    return {"header": name, **more}


ATTRIBUTES = {
    "region": {"type": "string", "from": [header("X-Region")]},
    "open": {"type": "string", "from": [header("X-Open", trust="anyone")]},
    "either": {"type": "string", "from": [header("X-First"), header("X-Second", trust="anyone")]},
    "theme": {"type": "string", "from": [{"cookie": "theme", "trust": "anyone"}]},
    "campaign": {"type": "string", "from": [{"query": "c", "trust": "anyone"}]},
    "age": {"type": "number", "from": [header("X-Age"), header("X-Old-Age")]},
    "app": {"type": "version", "from": [header("User-Agent", regex="App/([0-9.]+)", trust="anyone")]},
    "groups": {"type": "list", "from": [header("X-Groups")]},
}


def start(bench, conditions, attributes=None, own=None, **config):
    """Rules in the order of the conditions, each named after itself."""
    answer_names(*bench.origins)
    rules = {"rules": [{"id": name, "when": when, "to": "canary"} for name, when in conditions.items()]}
    if own:
        rules["attributes"] = own
    bench.start(config={"trusted_proxies": PROXIES, "attributes": attributes or ATTRIBUTES, **config}, rules=rules)


def rule_for(bench, *lines, source=None, target="/"):
    return told_rule(ask(bench, *lines, source=source, target=target))


def expect_rules(bench, cases):
    """(lines, what a trusted proxy's request gets, what a stranger's gets)"""
    for lines, trusted, stranger in cases:
        assert rule_for(bench, *lines) == trusted, lines
        assert rule_for(bench, *lines, source=STRANGER) == stranger, lines


# ---- attributes


def test_header_counts_from_a_trusted_peer_only(bench):
    start(bench, {"there": {"region": {"exists": True}}, "gone": {"region": {"exists": False}}})
    expect_rules(bench, [
        (["X-Region: east"], "there", "gone"), ([], "gone", "gone"), (["X-Region:"], "there", "gone"),
        # A proxy appended to what its client sent: nobody knows which is which.
        (["X-Region: east", "X-Region: east"], "gone", "gone"), (["X-Region: east", "X-Region:"], "gone", "gone")])


def test_nobody_is_trusted_unless_named(bench):
    start(bench, {"there": {"region": {"exists": True}}}, trusted_proxies=[])
    assert rule_for(bench, "X-Region: east") is None


def test_header_of_anyone(bench):
    start(bench, {"one": {"open": "1"}, "no-two": {"open": {"ne": "2"}}})
    expect_rules(bench, [
        (["X-Open: 1"], "one", "one"), (["X-Open: 2", "X-Open: 1"], "one", "one"),
        (["X-Open: 3", "X-Open: 4"], "no-two", "no-two"), (["X-Open: 3", "X-Open: 2"], None, None),
        (["X-Open: 1,2"], "no-two", "no-two")])


def test_first_source_that_counts_wins(bench):
    start(bench, {"a": {"either": "a"}, "b": {"either": "b"}})
    expect_rules(bench, [
        (["X-First: a", "X-Second: b"], "a", "b"), (["X-Second: b", "X-First: a"], "a", "b"),
        (["X-Second: b"], "b", "b"), (["X-First: c", "X-Second: b"], None, "b"),
        # In two lines it is missing, and the next source is not asked: a client could choose that.
        (["X-First: a", "X-First: a", "X-Second: b"], None, "b")])


def test_first_source_that_does_not_parse(bench):
    """Then the attribute is missing; the next source is not asked."""
    start(bench, {"old": {"age": {"gte": 18}}, "unknown": {"age": {"exists": False}}})
    expect_rules(bench, [
        (["X-Age: 18"], "old", "unknown"), (["X-Old-Age: 18"], "old", "unknown"),
        (["X-Age: many", "X-Old-Age: 18"], "unknown", "unknown"), (["X-Age:", "X-Old-Age: 18"], "unknown", "unknown"),
        (["X-Age: 17", "X-Old-Age: 18"], None, "unknown"), (["X-Age: 1e2"], "old", "unknown")])


def test_cookie_and_query_are_the_clients_word(bench):
    start(bench, {"theme": {"theme": "dark"}, "campaign": {"campaign": "x y"}})
    for source in (None, STRANGER):
        assert rule_for(bench, "Cookie: theme=dark", source=source) == "theme"
        assert rule_for(bench, "Cookie: theme=light; theme=dark", source=source) == "theme"
        assert rule_for(bench, source=source, target="/?c=1&c=x+y") == "campaign"
        assert rule_for(bench, "Cookie: c=x y", source=source) is None


def test_built_in_fields_always_count(bench):
    start(bench, {"h": {"header.x-region": "east"}, "c": {"cookie.a": "1"}, "q": {"query.a": "1"}})
    expect_rules(bench, [(["X-Region: east"], "h", "h"), (["Cookie: a=1"], "c", "c")])
    assert rule_for(bench, source=STRANGER, target="/?a=1") == "q"


def test_attributes_of_a_rule_file_are_anyones(bench):
    start(bench, {"own": {"beta": True}}, own={"beta": {"type": "bool", "from": [header("X-Beta")]}})
    expect_rules(bench, [(["X-Beta: true"], "own", "own"), (["X-Beta: yes"], None, None)])


def test_version_of_an_app(bench):
    start(bench, {"new": {"app": {"gte": "2.10"}}, "other": {"app": {"exists": False}}})
    expect_rules(bench, [
        (["User-Agent: Shop App/2.10.1 (x)"], "new", "new"), (["User-Agent: App/2.9"], None, None),
        (["User-Agent: App/."], "other", "other"), (["User-Agent: curl"], "other", "other"), ([], "other", "other")])


def test_list(bench):
    start(bench, {"qa": {"groups": "qa"}, "none": {"groups": {"exists": False}}})
    expect_rules(bench, [
        (["X-Groups: dev, qa"], "qa", "none"), (["X-Groups: qa,,"], "qa", "none"), (["X-Groups: , ,"], "none", "none"),
        (["X-Groups: dev qa"], None, "none"), (["X-Groups: dev", "X-Groups: qa"], "none", "none")])


# ---- client_ip


def test_client_ip(bench):
    """From the right, the first address of X-Forwarded-For that is not trusted."""
    addresses = [
        "203.0.113.7", "203.0.113.8", "127.0.0.1", "127.0.0.2", "10.0.0.1", "10.0.0.2", "2001:db8::7",
        "2001:db8:1::1"]
    start(bench, {address.replace(":", "_"): {"client_ip": address} for address in addresses})
    for lines, expected in (
            ([], "127.0.0.1"),
            ([""], "127.0.0.1"),
            ([" , "], "127.0.0.1"),
            (["203.0.113.7"], "203.0.113.7"),
            (["203.0.113.7, 203.0.113.8"], "203.0.113.8"),
            (["203.0.113.7", "203.0.113.8"], "203.0.113.8"),
            (["203.0.113.8,203.0.113.7 ,  10.0.0.1"], "203.0.113.7"),
            (["203.0.113.8", "203.0.113.7", "10.0.0.1, 10.0.0.2"], "203.0.113.7"),
            (["203.0.113.7,,10.0.0.1,"], "203.0.113.7"),
            # All are trusted: the leftmost.
            (["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            (["10.0.0.2", "10.0.0.1"], "10.0.0.2"),
            # At one that does not parse: the last good one.
            (["203.0.113.7, junk"], "127.0.0.1"),
            (["203.0.113.7, junk, 10.0.0.2"], "10.0.0.2"),
            (["junk, 10.0.0.2, 10.0.0.1"], "10.0.0.2"),
            (["203.0.113.7, 10.0.0.256"], "127.0.0.1"),
            (["unknown"], "127.0.0.1"),
            (["junk, 203.0.113.7"], "203.0.113.7"),
            # In every form that proxies write.
            (["203.0.113.7:4711"], "203.0.113.7"),
            (["::ffff:203.0.113.7"], "203.0.113.7"),
            (["2001:DB8::7"], "2001:db8::7"),
            (["2001:db8:0:0::7"], "2001:db8::7"),
            (["[2001:db8::7]:443"], "2001:db8::7"),
            (["2001:db8::7, 2001:db8:1::1"], "2001:db8::7"),
            (["2001:db8:1::1"], "2001:db8:1::1"),
            (["2001:db8::7, ::ffff:10.0.0.1"], "2001:db8::7")):
        claims = [f"X-Forwarded-For: {line}" for line in lines]
        assert rule_for(bench, *claims) == expected.replace(":", "_"), lines
        # A stranger's claims are worth nothing.
        assert rule_for(bench, *claims, source=STRANGER) == STRANGER, lines


def test_networks(bench):
    start(bench, {
        "bare": {"client_ip": {"in_cidr": "203.0.113.7"}}, "v6": {"client_ip": {"in_cidr": "2001:db8::/64"}},
        "list": {"client_ip": {"in_cidr": ["198.51.100.0/25", "203.0.113.128/25"]}},
        "local": {"client_ip": {"in_cidr": "127.0.0.0/8"}}})
    for address, expected in (
            ("203.0.113.7", "bare"), ("203.0.113.8", None), ("203.0.113.127", None), ("203.0.113.128", "list"),
            ("203.0.113.255", "list"), ("198.51.100.127", "list"), ("198.51.100.128", None),
            ("2001:db8::ffff", "v6"), ("2001:db8:0:1::", None), ("::ffff:198.51.100.1", "list"), ("junk", "local")):
        assert rule_for(bench, f"X-Forwarded-For: {address}") == expected, address


def test_other_fields_say_nothing_of_the_client(bench):
    start(bench, {"there": {"client_ip": "203.0.113.7"}})
    for line in ("X-Real-IP: 203.0.113.7", "Forwarded: for=203.0.113.7", "X_Forwarded_For: 203.0.113.7",
                 "True-Client-IP: 203.0.113.7"):
        assert rule_for(bench, line) is None, line


# ---- scheme


def test_scheme(bench):
    start(bench, {"https": {"scheme": "https"}, "http": {"scheme": "http"}})
    for lines, trusted in (
            ([], "http"), (["https"], "https"), (["HTTPS"], "https"), (["http"], "http"), (["wss"], "http"),
            (["https, http"], "http"), (["https", "https"], "http"), ([""], "http")):
        claims = [f"X-Forwarded-Proto: {line}" for line in lines]
        assert rule_for(bench, *claims) == trusted, lines
        assert rule_for(bench, *claims, source=STRANGER) == "http", lines


# ---- what goes on


def test_what_the_next_service_is_told(bench):
    """The same rules of trust: appended or kept from a proxy, replaced from a stranger."""
    start(bench, {})
    claims = ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: front.test",
              "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7", "X-Request-Id: r-1", "X-Region: east",
              "X-Forwarded-Port: 443"]
    ask(bench, *claims)
    ask(bench, *claims, source=STRANGER)
    from_proxy, from_stranger = bench.v1.requests

    def told(got, *names):
        return [got.all(name) for name in names]

    names = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP")
    assert told(from_proxy, *names) == [
        [b"203.0.113.7, 127.0.0.1"], [b"https"], [b"front.test"], [b"for=203.0.113.7"], [b"203.0.113.7"]]
    assert told(from_stranger, *names) == [[b"127.0.0.2"], [b"http"], [b"shop.example.com"], [], []]
    assert from_proxy.one("X-Request-Id") == b"r-1" and from_stranger.one("X-Request-Id") != b"r-1"


def test_what_is_not_believed_goes_on_unless_it_is_to_be_dropped(bench):
    """Headers of trusted attributes, also as CGI spells them. What anyone may say stays, and what no attribute is."""
    attributes = {**ATTRIBUTES, "cautious": {"type": "string", "from": [header("X-Open")]}}
    lines = ["X-Region: east", "x-region: west", "X_REGION: south", "X-Groups: staff", "x_old-Age: 7", "X-First: 1",
             "X-Second: 2", "X-Open: o", "X-Regions: 3", "User-Agent: App/5.0"]
    names = ("X-Region", "X_REGION", "X-Groups", "x_old-Age", "X-First", "X-Second", "X-Open", "X-Regions", "User-Agent")
    everything = [[b"east", b"west"], [b"south"], [b"staff"], [b"7"], [b"1"], [b"2"], [b"o"], [b"3"], [b"App/5.0"]]

    def what_goes_on(source):
        ask(bench, *lines, source=source)
        got = bench.v1.requests[-1]
        return [got.all(name) for name in names]

    start(bench, {}, attributes)
    assert what_goes_on(None) == everything
    assert what_goes_on(STRANGER) == everything
    bench.write_files(config={"trusted_proxies": PROXIES, "attributes": attributes, "drop_untrusted_headers": True})
    bench.gateway.reload()
    assert what_goes_on(None) == everything
    assert what_goes_on(STRANGER) == [[], [], [], [], [], [b"2"], [b"o"], [b"3"], [b"App/5.0"]]


def test_who_is_trusted_changes_with_a_reload(bench):
    start(bench, {"there": {"region": "east"}})
    assert rule_for(bench, "X-Region: east") == "there"
    bench.write_files(config={"trusted_proxies": [STRANGER], "attributes": ATTRIBUTES}, rules={
        "rules": [{"id": "there", "when": {"region": "east"}, "to": "canary"}]})
    bench.gateway.reload()
    assert rule_for(bench, "X-Region: east") is None
    assert rule_for(bench, "X-Region: east", source=STRANGER) == "there"
