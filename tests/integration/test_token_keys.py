"""Keys of tokens behind a URL: fetched beside everybody's way, renewed, and the last good ones kept."""
from tokens import OTHER_RSA, RSA, RULES, KeyServer, answer, bearer, config, jwks, takes, token

from harness import message
from visitors import answer_names, ask, served_by

CHANGED = r"adit: the keys of tokens at 'http://127.0.0.1:\d+/keys' have changed"
LOST = r"adit: warning: the keys of tokens cannot be fetched from '[^'?]*': (.*)"
OLD, NEW = answer(jwks(old=RSA)), answer(jwks(new=OTHER_RSA))


def start(bench, server, keys=None, **more):
    answer_names(bench.v1, bench.canary)
    described = config({"url": server.url, "refresh": "1h", "retry": "1ms", "timeout": "20s", **(keys or {})}, **more)
    bench.start(config=described, rules=RULES)
    return described


def test_rotation(bench):
    """A key that is not known is a reason to look for it; until it has come, and for ever if it does not, the token
    is not taken."""
    server = KeyServer(bench, OLD)
    start(bench, server)
    old, new = token(kid="old"), token(OTHER_RSA, kid="new")
    assert takes(bench, old) and takes(bench, old)
    assert not takes(bench, new)  # and has asked for it
    server.give(NEW)
    bench.gateway.wait_line(CHANGED)
    assert takes(bench, new)
    assert not takes(bench, old)  # also what was known is not any more
    server.give(NEW)
    assert served_by(bench, target="/static/x") == "v1"
    head = server.origin.requests[0]
    assert head.target == b"/keys?x=1" and not head.has("Authorization"), head
    counts = bench.counters()
    assert (counts["tokens_verified"], counts["tokens_cached"], counts["tokens_unknown_key"]) == (2, 1, 2), counts


def test_a_refresh_finds_new_keys(bench):
    server = KeyServer(bench, OLD)
    start(bench, server, {"refresh": "200ms"})
    assert takes(bench, token(kid="old"))
    server.give(OLD)  # the same: nobody is verified anew
    server.give(NEW)
    bench.gateway.wait_line(CHANGED)
    assert takes(bench, token(OTHER_RSA, kid="new"))


def test_unknown_keys_are_asked_for_once_in_a_while(bench):
    """Strangers can name as many keys as they like."""
    server = KeyServer(bench, OLD)
    start(bench, server, {"retry": "1h"})
    for i in range(30):
        assert not takes(bench, token(OTHER_RSA, kid=f"k{i}"))
    assert takes(bench, token(kid="old"))
    bench.stop()
    assert server.asked() == 1  # the start was not an hour ago


BROKEN = [
    (answer("x", status="500 Internal Server Error"), "the answer has status 500, not 200"),
    (answer("", "Location: http://127.0.0.1:1/", status="302 Found"), "the answer has status 302, not 200"),
    (answer("<html>"), "the answer is no JWKS of use: "),
    (answer("[" * 100000), "the answer is no JWKS of use: "),
    (answer('{"keys": []}'), "the answer is no JWKS of use: no key in it is of use for the algorithms allowed"),
    (answer('{"keys": [{"kty": "oct", "k": "' + "A" * 64 + '"}]}'), "the answer is no JWKS of use: no key in it"),
    (answer("{" + " " * (300 << 10)), "the answer is larger than its limit"),
    (message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n"), ""),
    (b"garbage\r\n\r\n", ""),
]


def test_the_last_good_keys_stay(bench):
    """Whatever the server says instead, it is told once, and so is that it is well again."""
    server = KeyServer(bench, OLD)
    start(bench, server)
    assert takes(bench, token(kid="old"))
    for i, (broken, why) in enumerate(BROKEN):
        since = len(bench.gateway.lines)
        assert not takes(bench, token(OTHER_RSA, kid=f"new{i}"))  # makes it ask
        server.give(broken)
        said = bench.gateway.wait_line(LOST, since)
        assert said[1].startswith(why) and said[1].endswith("; the last ones stay"), said[1]
        assert takes(bench, token(kid="old"))
        since = len(bench.gateway.lines)
        server.give(OLD)
        bench.gateway.wait_line("can be fetched from '[^']*' again", since)
    assert takes(bench, token(kid="old"))


def test_a_server_that_hangs_holds_nobody_up(bench):
    server = KeyServer(bench)
    start(bench, server, {"timeout": "300ms", "retry": "1h"})  # ready after 300 ms
    assert bench.gateway.wait_line(LOST)[1].endswith("no token is taken until they are")
    assert not takes(bench, token(kid="old"))
    assert bench.counters()["tokens_unjudged"] == 1


def test_a_stop_during_a_fetch(bench):
    server = KeyServer(bench, OLD)
    start(bench, server)
    assert not takes(bench, token(OTHER_RSA, kid="new"))
    while server.asked() < 2:  # it hangs from now on, and the bench expects a clean end
        assert takes(bench, token(kid="old"))


def test_no_keys_yet_is_not_the_clients_fault(bench):
    server = KeyServer(bench, answer("", status="503 Service Unavailable"))
    start(bench, server, {"retry": "200ms"}, on_invalid="401")
    refused = ask(bench, bearer(token(kid="old")))
    assert refused.status == 503 and b"could not be fetched" in refused.body
    assert served_by(bench) == "v1"
    server.give(OLD)
    bench.gateway.wait_line("can be fetched from '[^']*' again")
    assert takes(bench, token(kid="old"))
    assert ask(bench, bearer(token(OTHER_RSA, kid="old"))).status == 401


def test_a_reload_keeps_keys(bench):
    """They belong to the URL; a new one is fetched before anybody is judged by it."""
    server = KeyServer(bench, OLD)
    described = start(bench, server)
    described["jwt"]["audience"] = ["shop", "more"]
    bench.write_files(described, RULES)
    bench.gateway.reload()
    assert takes(bench, token(kid="old", aud="more")) and server.asked() == 1
    other = KeyServer(bench, NEW)
    described["jwt"]["keys"]["url"] = other.url
    bench.write_files(described, RULES)
    bench.gateway.reload()
    assert takes(bench, token(OTHER_RSA, kid="new")) and not takes(bench, token(kid="old"))
    bench.write_files({"attributes": described["attributes"]}, RULES)
    said = bench.gateway.reload()
    assert any("nothing answers for a 'jwt' source" in line for line in said), said
    assert takes(bench, token(OTHER_RSA, kid="new"))


def test_several_workers(bench):
    server = KeyServer(bench, OLD)
    answer_names(bench.v1, bench.canary)
    described = config({"url": server.url, "refresh": "1h", "retry": "1ms", "timeout": "20s"})
    bench.start(config={**described, "workers": 3}, rules=RULES)
    for _ in range(12):
        assert takes(bench, token(kid="old"))
    assert not takes(bench, token(OTHER_RSA, kid="new"))
    server.give(NEW)
    bench.gateway.wait_line(CHANGED)
    for _ in range(12):
        assert takes(bench, token(OTHER_RSA, kid="new")) and not takes(bench, token(kid="old"))
        server.give(NEW)
    assert server.asked() >= 2
