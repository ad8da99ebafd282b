"""The attributes of a decision in the access log: what it looked at, as it was, and what is hashed of that."""
import hashlib
import hmac
from datetime import datetime, timedelta

from handshakes import open_tunnel
from harness import message, request
from test_access_log import LOG, OPERATIONS, ask_many, entries, expect, fields_in, only, path_of
from test_lookups import NEW, answer, config as lookup_config
from visitors import DAY, HOUR, answer_names, ask, sticky

KEY = b"k" * 32
MEMBERS = ["now", "cookie", "pin", "decided", "decided_reason", "override", "attributes", "cut"]
ATTRIBUTES = {
    "region": {"type": "string", "from": [{"header": "X-Region", "trust": "anyone"}]},
    "user.id": {"type": "string", "from": [{"header": "X-User-Id", "trust": "anyone"}]},
    "user.since": {"type": "time", "from": [{"header": "X-Since", "trust": "anyone"}]},
    "tags": {"type": "list", "from": [{"query": "tags", "trust": "anyone"}]},
    "first": {"type": "string", "from": [{"header": "X-Text", "regex": "^(.*?)!", "trust": "anyone"}]},
}
RULES = {"rules": [
    {"id": "beta", "when": {"header.X-Beta": "1"}, "to": "canary"},
    {"id": "east", "when": {"region": "east", "user.since.age": {"gte": "1d"}}, "to": "canary"},
    {"id": "tagged", "when": {"tags": "new"}, "to": "canary"},
    {"id": "text", "when": {"cookie.plan": "gold", "path": {"under": "/p"}, "first": "x"}, "to": "canary"},
]}


def start(bench, mode="read", rules=None, attributes=None, **log):
    answer_names(*bench.origins)
    bench.start(config={"access_log": {"path": "access.log", "attributes": mode, **log},
                        "attributes": attributes or ATTRIBUTES}, rules=rules or RULES)
    return bench.client()


def get(client, *lines, target="/"):
    client.send(message(f"GET {target} HTTP/1.1", "Host: shop.example.com", *lines))
    assert client.read_response().status == 200


def hashed(value, key=KEY):
    return {"hash": hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16]}


def write_key(bench, mode=0o600):
    path = path_of(bench, "redact.key")
    with open(path, "wb") as file:
        file.write(KEY + b"\n")
    return path


# ---- what it looked at


def test_what_was_looked_at(bench):
    """No more than that, in the order of the table, as text; what the line says anyway is not said twice."""
    client = start(bench)
    get(client, "X-Beta: 1", "X-Region: east")
    get(client, "X-Region: east", "X-Since: 2020-02-03")
    get(client, "X-Beta: 0", "X-Beta: 2", "Cookie: plan=gold; other=1", "X-Text: x!y", target="/p?tags=a,%20b&tags=c")
    get(client, "X-Region: east", "X-Since: never")
    beta, east, many, bad = entries(bench)
    expect(beta, attributes={"header.x-beta": "1"}, decided="canary", decided_reason="rule", cut=False)
    expect(east, attributes={"header.x-beta": None, "region": "east", "user.since": "2020-02-03"}, rule="east")
    expect(many, rule="text", attributes={
        "header.x-beta": ["0", "2"], "region": None, "user.since": None, "tags": ["a", "b", "c"], "cookie.plan": "gold", "first": "x"})
    expect(bad, rule=None, decided="v1", decided_reason="default")
    assert bad["attributes"]["user.since"] is None and bad["attributes"]["tags"] is None
    for entry in (beta, east, many, bad):
        assert list(entry)[-len(MEMBERS):] == MEMBERS and list(entry)[-len(MEMBERS) - 1] == "trace_id"
        assert MEMBERS == fields_in(OPERATIONS.read_text(encoding="utf-8"), "### The decision in a line")
        expect(entry, cookie="not_read", pin=None)
        assert abs(datetime.fromisoformat(entry["now"]) - datetime.fromisoformat(entry["time"])) < timedelta(seconds=10)


def test_all(bench):
    """What the route's rules could have looked at; deciding is no different."""
    client = start(bench, "all")
    get(client, "X-Beta: 1", "X-Region: east", "Cookie: plan=gold")
    expect(only(bench), rule="beta", attributes={
        "header.x-beta": "1", "region": "east", "user.since": None, "tags": None, "cookie.plan": "gold", "first": None,
        "user.id": None})


def test_none_without_the_option(bench):
    bench.start(config=LOG)
    bench.exchange(bench.client(), bench.v1)
    assert not set(MEMBERS) & set(only(bench))


def test_cookies_and_buckets(bench):
    """The verdict, the pin that counted, and the bucket where it was asked for; and the key that gave it."""
    answer_names(*bench.origins)
    bench.start(config={"access_log": {"path": "access.log", "attributes": "read"}, "attributes": ATTRIBUTES},
                rules={"default": {"split": {"canary": 50}}, "sticky": {"by": ["user.id"]}})
    pin = sticky(age=HOUR)
    lines = [["X-User-Id: u-1"], ["X-User-Id: u-1", f"Cookie: adit_shop={pin}"], [f"Cookie: adit_shop={pin}x"],
             [f"Cookie: adit_shop={sticky(age=40 * DAY)}"], ["Cookie: adit_shop=x"]]
    for one in lines:
        ask(bench, *one)
    new, pinned, forged, expired, malformed = entries(bench)
    expect(new, cookie="absent", pin=None, decided_reason="default", attributes={"user.id": "u-1"})
    assert 0 <= new["bucket"] < 10000 and new["decided"] == new["variant"]
    expect(pinned, cookie="valid", pin="canary", decided="canary", decided_reason="pinned", attributes={}, bucket=None)
    assert forged["cookie"] in ("forged", "malformed")
    expect(expired, cookie="expired", pin=None, attributes={"user.id": None})
    expect(malformed, cookie="malformed")
    assert malformed["bucket"] is not None  # of the id that was made for it


def test_before_a_failover(bench):
    answer_names(bench.v1)
    bench.start(canary=[bench.refusing()], config={"access_log": {"path": "access.log", "attributes": "read"}},
                rules=RULES | {"rules": RULES["rules"][:1]})
    ask(bench, "X-Beta: 1")
    expect(only(bench), variant="v1", reason="failover", decided="canary", decided_reason="rule")


def test_undecided_and_decided_again(bench):
    """Of a decision that waited for a directory the last one counts; `all` asks no directory by itself."""
    directory = bench.origin("directory")
    answer_names(*bench.origins[:2])
    bench.start(config={**lookup_config(directory), "access_log": {"path": "access.log", "attributes": "all"}},
                rules={"rules": [{"id": "new", "when": {"header.x-ask": "1", "user.registered_at":
                                                        {"after": "2026-01-01"}}, "to": "canary"}]})
    client = bench.client()
    get(client, "X-User: 42", "X-Ask: 0")
    client.send(request("GET / HTTP/1.1", "X-User: 43", "X-Ask: 1"))
    answer(directory, NEW)
    assert client.read_response().body == b"canary"
    unasked, asked = entries(bench)
    expect(unasked, attributes={"header.x-ask": "0", "user.id": "42"})
    expect(asked, rule="new", attributes={"header.x-ask": "1", "user.registered_at": "2026-03-04T00:00:00Z",
                                          "user.id": "43"})


def test_nothing_was_decided(bench):
    answer_names(*bench.origins)
    bench.start(config={"access_log": {"path": "access.log", "attributes": "read"}},
                rules={"match": {"hosts": ["shop.example.com"]}})
    client = bench.client()
    client.send(request("GET / HTTP/1.1", "Host: unknown.example"))
    assert client.read_response().status == 404
    client.close()
    bench.refused(request("GET /../.. HTTP/1.1"))
    bench.refused(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n")
    no_route, *others = entries(bench)
    expect(no_route, decided=None, decided_reason="no_route", attributes={}, cookie="not_read")
    assert no_route["now"]
    for entry in others:
        expect(entry, now=None, cookie=None, pin=None, decided=None, decided_reason=None, attributes=None, cut=False)


def test_a_reused_exchange_does_not_remember(bench):
    """What is not decided does not have the attributes of who was here before."""
    client = start(bench)
    get(client, "X-Beta: 1")
    client.close()
    bench.refused(request("GET /../.. HTTP/1.1"))
    before, refused = entries(bench)
    assert before["attributes"] and refused["attributes"] is None


def test_under_load(bench):
    """Two workers, requests at the same time: each line has its own values."""
    answer_names(*bench.origins)
    bench.start(config={"workers": 2, "access_log": {"path": "access.log", "attributes": "all"},
                        "attributes": {"user.id": {"type": "string", "from": [{"header": "X-User-Id", "trust": "anyone"}]}}},
                rules={"rules": [{"id": "x", "when": {"user.id": "nobody", "header.user-agent": "a"}, "to": "canary"}]})
    ask_many(bench, 400, 4, lambda n: ["X-User-Id: " + f"u{n}-" * 20, f"User-Agent: u{n}"])
    found = entries(bench)
    assert len({entry["user_agent"] for entry in found}) == len(found) == 400
    for entry in found:
        name = entry["user_agent"]
        expect(entry, attributes={"user.id": f"{name}-" * 20, "header.user-agent": name})


# ---- odd values, long values


def test_odd_values(bench):
    """Every line is JSON, and what JSON cannot say is not to be taken for the value."""
    client = start(bench)
    get(client, b"X-Beta: \"\\\t\x80\xff\xc3\xa9", "X-Region: \u00e9\u2028\"".encode(), "Cookie: plan=gold", b"X-Text: \xff!",
        target="/p?tags=%00%0A%22%C3%A9,%FF")
    expect(only(bench), attributes={
        "header.x-beta": {"cut": "\"\\\t\ufffd\ufffd\u00e9"}, "region": "\u00e9\u2028\"",
        "tags": {"cut": "\x00\n\"\u00e9"}, "cookie.plan": "gold", "first": {"cut": "\ufffd"}}, cut=False)


def test_long_values(bench):
    """All attributes of a line share 8 KiB."""
    client = start(bench)
    get(client, "X-Beta: " + "b" * 5000, "X-Region: " + "r" * 5000, "Cookie: plan=" + "p" * 100)
    get(client, target="/p?tags=" + "t," * 4000)
    long, many = entries(bench)
    expect(long, cut=False, attributes={"header.x-beta": "b" * 5000, "region": {"cut": "r" * 64},
                                        "tags": None, "cookie.plan": "p" * 100})
    expect(many, cut=False)
    assert many["attributes"]["tags"] == {"cut": "t"}


# ---- hashed


def test_redacted(bench):
    """Attributes by name, by family and by what they are read from, and the fields of the line that would show them."""
    key = write_key(bench)
    client = start(bench, redact=["region", "cookie.*", "tags", "header.x-text", "client_ip"], redact_key_file=key)
    get(client, "X-Region: east", "X-Since: 2020-02-03", "User-Agent: a")
    get(client, "Cookie: plan=gold", "X-Text: x!", "User-Agent: a", target="/p?tags=a,b")
    east, gold = entries(bench)
    expect(east, client_ip=hashed("127.0.0.1"), query=None, user_agent="a", rule="east", attributes={
        "header.x-beta": None, "region": hashed("east"), "user.since": "2020-02-03"})
    expect(gold, query=hashed("tags=a,b"), path="/p", rule="text", attributes={
        "header.x-beta": None, "region": None, "user.since": None, "tags": [hashed("a"), hashed("b")], "cookie.plan": hashed("gold"),
        "first": hashed("x")})
    with open(path_of(bench), encoding="utf-8") as file:
        text = file.read()
    assert "east\"}" not in text and "127.0.0.1\",\"method" not in text


def test_redacted_fields_without_attributes(bench):
    key = write_key(bench)
    client = start(bench, "none", redact=["header.*", "path", "host", "query.t"], redact_key_file=key)
    get(client, "User-Agent: a", "Referer: b", target="/p?t=1")
    expect(only(bench), user_agent=hashed("a"), referer=hashed("b"), path=hashed("/p"), host=hashed("shop.example.com"),
           query=hashed("t=1"), client_ip=hashed("127.0.0.1"))


def test_what_a_redacted_attribute_is_read_from(bench):
    """It shows the same under its own name, and under other attributes that read it."""
    key = write_key(bench)
    client = start(bench, redact=["region", "tags", "client_ip", "os"], redact_key_file=key,
                   attributes={**ATTRIBUTES, "place": {"type": "string", "from": [{"header": "X-Region", "trust": "anyone"}]}},
                   rules={"rules": [{"id": "all", "to": "canary", "when": {
                       "header.x-region": "east", "place": "east", "query.tags": "a", "query.b": "b",
                       "header.x-forwarded-for": {"exists": True}, "header.user-agent": "a", "header.x-beta": "1",
                       "header.referer": {"exists": True}}}]})
    get(client, "X-Region: east", "X-Forwarded-For: 192.0.2.1", "User-Agent: a", "X-Beta: 1",
        "Referer: http://shop.example.com/?tags=a", target="/?tags=a&b=b")
    expect(only(bench), rule="all", client_ip=hashed("127.0.0.1"), user_agent=hashed("a"), query=hashed("tags=a&b=b"),
           referer=hashed("http://shop.example.com/?tags=a"), path="/", host="shop.example.com", attributes={
               "header.x-region": hashed("east"), "place": hashed("east"), "query.tags": hashed("a"), "query.b": "b",
               "header.x-forwarded-for": hashed("192.0.2.1"), "header.user-agent": hashed("a"), "header.x-beta": "1",
               "header.referer": hashed("http://shop.example.com/?tags=a")})


def test_cookies_of_a_redacted_header(bench):
    """It has all of them; that it is a secret by itself hides none."""
    key = write_key(bench)
    rules = {"rules": [{"id": "c", "when": {"cookie.plan": "gold"}, "to": "canary"}]}
    session = {"type": "string", "from": [{"header": "Cookie", "regex": "sid=([^;]*)", "trust": "anyone"}]}
    client = start(bench, redact=["session"], redact_key_file=key, rules=rules, attributes={**ATTRIBUTES, "session": session})
    get(client, "Cookie: plan=gold; sid=1")
    assert only(bench)["attributes"] == {"cookie.plan": hashed("gold")}


def test_what_a_redacted_agent_tells(bench):
    key = write_key(bench)
    client = start(bench, redact=["header.user-agent"], redact_key_file=key,
                   rules={"rules": [{"id": "windows", "when": {"os": "windows"}, "to": "canary"}]})
    get(client, "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/128.0")
    assert only(bench)["attributes"] == {"os": hashed("windows")}


def test_secrets_are_always_hashed(bench):
    rules = {"rules": [{"id": "s", "when": {"header.authorization": "a", "header.cookie": {"exists": True}}, "to": "canary"}]}
    client = start(bench, "all", rules=rules)
    get(client, "Authorization: Basic eDp5", "Cookie: a=b")
    get(client, "Authorization: Basic eDp5", "Cookie: a=c")
    first, second = (entry["attributes"] for entry in entries(bench))
    assert len(first["header.authorization"]["hash"]) == 16
    assert first["header.authorization"] == second["header.authorization"] and first["header.cookie"] != second["header.cookie"]


def test_a_process_has_a_key_of_its_own(bench):
    client = start(bench, redact=["header.x-beta"])
    get(client, "X-Beta: 1")
    get(client, "X-Beta: 1")
    bench.stop()
    bench.run()
    ask(bench, "X-Beta: 1")
    first, same, other = (entry["attributes"]["header.x-beta"]["hash"] for entry in entries(bench))
    assert first == same != other


def test_names_that_nobody_has(bench):
    """A slip would show what was to be hidden."""
    start(bench, redact=["regoin", "cookie.*", "cooky.*", "header.x-any"])
    bench.gateway.wait_line(r"warning: access_log: 'redact' names 'regoin', which is no attribute \(as rules name it\)")
    bench.gateway.wait_line(r"warning: access_log: 'redact' names 'cooky\.\*', which is no attribute")
    assert sum("'redact' names" in line for line in bench.gateway.lines) == 2


def test_through_a_tunnel(bench):
    """The line comes when the tunnel ends."""
    bench.start(config={"access_log": {"path": "access.log", "attributes": "read"}},
                rules={"rules": [{"id": "q", "when": {"query.q": "2"}, "to": "canary"}]})
    client, peer, _, _ = open_tunnel(bench, target="/?q=1")
    client.close()
    peer.expect_end()
    peer.close()
    expect(only(bench), status=101, query="q=1", attributes={"query.q": "1"}, decided="v1")


def test_a_reload(bench):
    """New rules are taken up at once; what is hashed waits for a start."""
    answer_names(*bench.origins)
    key = write_key(bench)
    log = {"path": "access.log", "attributes": "read", "redact": ["region"], "redact_key_file": key}
    bench.start(config={"access_log": log, "attributes": ATTRIBUTES}, rules=RULES)
    client = bench.client()
    get(client, "X-Region: west")
    bench.write_files(config={"access_log": {**log, "redact": []}, "attributes": ATTRIBUTES},
                      rules={"rules": [{"id": "r", "when": {"region": "a"}, "to": "canary"}]})
    assert any("a change of 'access_log' is taken up at the next start" in line for line in bench.gateway.reload())
    get(client, "X-Region: west")
    before, after = entries(bench)
    assert before["attributes"]["region"] == after["attributes"]["region"] == hashed("west")
