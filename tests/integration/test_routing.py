"""Which route a request belongs to: hosts, prefixes, paths as rules see them."""
import json
import subprocess

from harness import message, request
from visitors import answer_names, ask, told_rule

def start(bench, **matches):
    """A gateway with a route for each match; a route's only rule has the route's name, so that the
    origin is told which route it was."""
    bench.write_files(config={"rules": [f"{name}.json" for name in matches]})
    for name, match in matches.items():
        bench.write(f"{name}.json", {
            "route": name, "variants": {"v1": "shop-v1"}, "stable": "v1",
            "rules": [{"id": name, "to": "v1"}], **({"match": match} if match else {})})
    answer_names(*bench.origins)
    return bench.run()


def route_of(bench, host, path="/"):
    """The name of the route that a request falls to; None when it is 404."""
    answer = ask(bench, f"Host: {host}", target=path)
    assert answer.status in (200, 404), answer.head
    assert (answer.status == 404) == (b"no route" in answer.body)
    return told_rule(answer)


def expect_routes(bench, cases):
    for host, path, expected in cases:
        assert route_of(bench, host, path) == expected, (host, path)


# ---- hosts


def test_most_specific_host_wins(bench):
    start(bench, exact={"hosts": ["shop.example.com"]}, long={"hosts": ["*.shop.example.com"]},
          short={"hosts": ["*.example.com", "other.test"]}, none=None)
    expect_routes(bench, [
        ("shop.example.com", "/", "exact"),
        ("a.shop.example.com", "/", "long"),
        ("a.b.shop.example.com", "/", "long"),
        ("help.example.com", "/", "short"),
        ("a.b.example.com", "/", "short"),
        ("xshop.example.com", "/", "short"),
        ("other.test", "/", "short"),
        # A wildcard stands for one label or more.
        ("example.com", "/", "none"),
        ("xexample.com", "/", "none"),
        ("a.other.test", "/", "none"),
        ("localhost", "/", "none"),
        ("127.0.0.1", "/", "none"),
    ])


def test_host_is_compared_without_case_port_and_last_dot(bench):
    start(bench, shop={"hosts": ["Shop.Example.COM"]}, v6={"hosts": ["[2001:db8::1]"]})
    expect_routes(bench, [
        ("shop.example.com", "/", "shop"),
        ("SHOP.example.COM", "/", "shop"),
        ("shop.example.com:80", "/", "shop"),
        ("shop.example.com:65535", "/", "shop"),
        ("shop.example.com.", "/", "shop"),
        ("shop.example.com.:8080", "/", "shop"),
        ("[2001:db8::1]", "/", "v6"),
        ("[2001:DB8::1]:8080", "/", "v6"),
        ("shop.example.com..", "/", None),
        ("shop.example", "/", None),
    ])


def test_authority_of_the_target_is_the_host(bench):
    start(bench, one={"hosts": ["one.example.com"]}, two={"hosts": ["two.example.com"]})
    assert route_of(bench, "one.example.com", "http://two.example.com/a") == "two"
    assert route_of(bench, "two.example.com", "HTTP://ONE.example.com:81") == "one"


def test_request_without_a_host(bench):
    """HTTP/1.0 may leave it out: that is a host that no route names."""
    start(bench, exact={"hosts": ["shop.example.com"]}, none={"path_prefix": "/any"})
    for path, status in (("/any", 200), ("/", 404)):
        client = bench.client()
        client.send(message(f"GET {path} HTTP/1.0"))
        assert client.read_response().status == status, path


def test_forwarded_host_is_never_followed(bench):
    """Also not when a trusted proxy says so."""
    bench.write_files(config={"rules": ["a.json"], "trusted_proxies": ["127.0.0.0/8"]})
    bench.write("a.json", {
        "route": "a", "variants": {"v1": "shop-v1"}, "stable": "v1", "match": {"hosts": ["a.test"]}})
    answer_names(bench.v1)
    bench.run()
    lines = ["X-Forwarded-Host: a.test", "Forwarded: host=a.test"]
    assert ask(bench, "Host: b.test", *lines).status == 404
    assert ask(bench, "Host: a.test", "X-Forwarded-Host: b.test").status == 200


# ---- prefixes


def test_longest_prefix_wins_on_segment_borders(bench):
    start(bench, root={"path_prefix": "/"}, api={"path_prefix": "/api"}, v2={"path_prefix": "/api/v2/"})
    expect_routes(bench, [("h", path, expected) for path, expected in (
        ("/", "root"), ("/x", "root"), ("/apix", "root"), ("/ap", "root"), ("/x/api", "root"),
        ("/API", "root"), ("/api", "api"), ("/api/", "api"), ("/api/x", "api"), ("/api/v2x", "api"),
        ("/api?x=/v2", "api"), ("/api/v2", "v2"), ("/api/v2/", "v2"), ("/api/v2/x/y", "v2"),
        ("/api/v2?x", "v2"), ("/api/v2/..", "api"), ("/x?/api", "root"))])


def test_prefix_is_found_in_the_normal_path(bench):
    start(bench, root=None, api={"path_prefix": "/api"}, caf={"path_prefix": "/café"})
    expect_routes(bench, [("h", path, expected) for path, expected in (
        ("/%61pi", "api"), ("/%61%70%69/x", "api"), ("//api", "api"), ("/.//./api//", "api"),
        ("/x/../api/y", "api"), ("/x/%2e%2E/api", "api"), ("/api/x%2fy", "api"), ("/x%2Fapi", "root"),
        ("/api%20", "root"), ("/api/..", "root"),
        ("/api/../x", "root"), ("/api/%2e%2e/x", "root"), ("/caf%C3%A9", "caf"), ("/caf%c3%a9/x", "caf"),
        ("/caf%C3", "root"), ("/%2561pi", "root"), ("/api;a=b", "root"), ("/api/;a=b", "api"))])


def test_path_that_has_no_normal_form(bench):
    """Nobody could say where it belongs: 400, and the origin hears nothing of it."""
    bench.start()
    for path in ("/..", "/a/../..", "/%2e%2e", "/a%", "/a%4", "/a%zz", "/a%00b", "/a/..%2fb", "/a/%2e%2e%5cb",
                 "/a/..%5Cb", "/x%2f.."):
        assert bench.refused(request(f"GET {path} HTTP/1.1")).status == 400, path
    bench.v1.expect_untouched()


def test_path_of_two_routes(bench):
    """With its encoded slashes or backslashes taken for slashes it would be another route's: 400."""
    start(bench, root=None, api={"path_prefix": "/api"})
    for path in ("/api%2fx", "/api%2Fx", "/%2fapi", "/.%2Fapi", "/api%2fx/..", "/x%2fy/../api", "/api%5cx", "/api\\x"):
        answer = bench.refused(request(f"GET {path} HTTP/1.1"))
        assert answer.status == 400 and b"ambiguous" in answer.body, path


def test_host_goes_before_prefix(bench):
    start(bench, exact={"hosts": ["a.test"], "path_prefix": "/in"}, wild={"hosts": ["*.test"]},
          none={"path_prefix": "/in/deeper"})
    expect_routes(bench, [
        ("a.test", "/in", "exact"), ("a.test", "/in/deeper", "exact"),
        # The exact host has no route for this path: the next specific one that has.
        ("a.test", "/out", "wild"), ("b.test", "/in/deeper", "wild"), ("b.other", "/in/deeper", "none"),
        ("b.other", "/in", None),
    ])


def test_one_route_of_many(bench):
    names = {f"r{i}": {"hosts": [f"h{i % 20}.test"], "path_prefix": f"/p{i // 20}"} for i in range(400)}
    start(bench, **names)
    for i in range(0, 400, 7):
        assert route_of(bench, f"h{i % 20}.test", f"/p{i // 20}/x") == f"r{i}"
    assert route_of(bench, "h0.test", "/p20") is None


def test_no_route(bench):
    """404 with a body that says so, and the connection goes on."""
    start(bench, shop={"hosts": ["shop.example.com"], "path_prefix": "/in"})
    client = bench.client()
    for line, host in (("GET /out", "shop.example.com"), ("DELETE /in", "other"), ("GET /", "shop.example.com")):
        client.send(request(f"{line} HTTP/1.1", f"Host: {host}"))
        answer = client.read_response()
        assert answer.status == 404 and b"no route" in answer.body, line
        assert answer.one("Content-Type").startswith(b"text/plain")
        assert not answer.has("X-Adit-Decision") and not answer.has("Set-Cookie")
    client.send(request("GET /in HTTP/1.1"))
    assert client.read_response().status == 200


# ---- what rules see


def test_rules_see_the_request(bench):
    """Each rule's id is in the request that it is to be found by."""
    conditions = {
        "method": {"method": "PURGE"},
        "scheme": {"scheme": "https"},
        "host": {"host": {"starts_with": "beta."}},
        "path": {"path": {"under": "/beta"}},
        "header": {"header.X-BETA": "1"},
        "cookie": {"cookie.Beta": "1"},
        "query": {"query.b c": "1 2"},
        "twice": {"query.t": "2"},
        "all-but": {"header.x-n": {"ne": "1"}},
    }
    answer_names(*bench.origins)
    bench.start(config={"trusted_proxies": ["127.0.0.0/8"]}, rules={
        "rules": [{"id": name, "when": when, "to": "canary"} for name, when in conditions.items()]})
    for expected, lines, target, method in (
            (None, [], "/", "GET"),
            ("method", [], "/", "PURGE"),
            (None, [], "/", "purge"),
            ("scheme", ["X-Forwarded-Proto: https"], "/", "GET"),
            ("host", ["Host: BETA.example.com:81"], "/", "GET"),
            ("path", [], "/x/..//b%65ta/x", "GET"),
            (None, [], "/betax", "GET"),
            ("header", ["x-beta: 1"], "/", "GET"),
            ("header", ["x-beta: 2", "X-Beta: 1"], "/", "GET"),
            (None, ["x-beta: 1,2"], "/", "GET"),
            ("cookie", ["Cookie: a=2;Beta=1"], "/", "GET"),
            ("cookie", ["Cookie: Beta=0; Beta=2", "Cookie: c; Beta=1"], "/", "GET"),
            (None, ["Cookie: beta=1; Beta=\"1\""], "/", "GET"),
            ("query", [], "/?b+c=1%202", "GET"),
            ("query", [], "/?x&b%20c=1+2", "GET"),
            (None, [], "/?B+c=1+2", "GET"),
            ("twice", [], "/?t=1&t=2&t=3", "GET"),
            ("all-but", ["X-N: 2", "X-N: 3"], "/", "GET"),
            (None, ["X-N: 2", "X-N: 1"], "/", "GET")):
        answer = ask(bench, *lines, target=target, method=method)
        assert told_rule(answer) == expected, (expected, lines, target, method)
        assert answer.body == (b"canary" if expected else b"v1")


def test_decisions_agree_with_explain(bench):
    """The gateway and `adit explain --batch` decide alike."""
    rules = {"expose_decision": True, "rules": [
        {"id": "old", "when": {"user.born": {"before": "2020-01-01"}}, "to": "v1"},
        {"id": "age", "when": {"user.born.age": {"lt": "20000d"}, "region": {"missing": True, "ne": "x"}},
         "split": {"canary": 50}},
        {"id": "not", "when": {"not": {"region": "east"}}, "to": "canary"},
        {"id": "ver", "when": {"app": {"gte": "2.10"}}, "to": "canary"}]}
    attributes = {
        "region": {"type": "string", "from": [{"header": "X-Region"}]},
        "user.born": {"type": "time", "from": [{"header": "X-Born"}]},
        "user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
        "app": {"type": "version", "from": [
            {"header": "User-Agent", "regex": "App/([0-9.]+)", "trust": "anyone"}]},
    }
    answer_names(*bench.origins)
    bench.start(config={"attributes": attributes, "trusted_proxies": ["127.0.0.1/32"]}, rules=rules)
    requests = []
    for trusted in (True, False):
        for born in (None, "2019-12-31", "2020-01-01", "junk"):
            for region in (None, "east", "x"):
                for agent in (None, "App/2.9", "App/2.10.0", "App/."):
                    headers = {"X-Region": region, "X-Born": born, "User-Agent": agent,
                               "X-User-Id": f"{born}{region}{agent}"}
                    headers = [[name, value] for name, value in headers.items() if value]
                    requests.append({
                        "url": "http://shop.example.com/", "headers": headers, "trusted": trusted,
                        "client_ip": "127.0.0.1" if trusted else "127.0.0.2"})
    done = subprocess.run(
        [bench.binary, "explain", "-c", "adit.json", "--batch"], cwd=bench.directory.name, check=True,
        input="\n".join(map(json.dumps, requests)), capture_output=True, text=True)
    decisions = list(map(json.loads, done.stdout.splitlines()))
    assert len(decisions) == len(requests)
    assert {decision["rule"] for decision in decisions} == {None, "old", "age", "not", "ver"}
    for asked, decision in zip(requests, decisions):
        if not asked["trusted"] and decision["reason"] == "rule" and decision["rule"] == "age":
            continue  # drawn by an anonymous id
        answer = ask(bench, *(f"{name}: {value}" for name, value in asked["headers"]),
                     source=asked["client_ip"])
        said = f"variant={decision['variant']}; reason={decision['reason']}"
        assert answer.one("X-Adit-Decision").decode() == said, asked
        assert told_rule(answer) == decision["rule"], asked
