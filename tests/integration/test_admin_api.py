"""The admin API: what is served and how well, reloads, decisions."""
import json
import signal
import subprocess
import threading

from admin import ADMIN, admin_client, ask, error_of
from harness import message, request, response

RULES = {"match": {"hosts": ["shop.example.com", "*.shop.example.com"], "path_prefix": "/cart"}, "state": "drain",
         "rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"},
                   {"id": "some", "when": {"header.x-some": "1"}, "split": {"canary": 12.5}}],
         "default": {"split": {"canary": 5}}}


def get(bench, path, status=200, method="GET", body=None):
    answer = ask(bench, f"{method} /api/v1/{path}", body=body)
    assert answer.status == status, answer.body
    assert answer.one("Content-Type") == b"application/json"
    return json.loads(answer.body)


def reload(bench, status=200):
    return get(bench, "reload", status, "POST")


# ---- status


def test_routes(bench):
    bench.start(config=ADMIN, rules=RULES)
    short = {"name": "shop", "file": "shop.json", "state": "drain", "file_state": "drain", "override": None, "hosts": ["shop.example.com", "*.shop.example.com"],
             "path_prefix": "/cart", "variants": [{"name": "v1", "upstream": "shop-v1", "stable": True},
                                                  {"name": "canary", "upstream": "shop-canary", "stable": False}]}
    assert get(bench, "routes") == {"routes": [{**short, "rules": 2}]}
    whole = get(bench, "routes/shop")
    lines = [rule.pop("line") for rule in whole["rules"]]
    assert lines[0] < lines[1]
    assert whole == {**short, "rules": [{"id": "beta", "to": "canary"}, {"id": "some", "split": {"canary": 12.5}}],
                     "default": {"split": {"canary": 5}}}
    for path in ("routes/other", "routes/SHOP", "routes/shop%00", "routes/sho%70"):
        answer = ask(bench, f"GET /api/v1/{path}")
        assert answer.status == 404, path
        error_of(answer)


def test_status(bench):
    """Secrets are not in it, defaults are."""
    bench.write("admin.token", "a-secret-token")
    bench.write("jwt.secret", "a-secret-of-tokens-with-32-bytes-or-more")
    bench.write("redact.key", "a-secret-of-the-log-with-32-bytes-or-more")
    bench.v1.serve(lambda got: response())
    config = {"$schema": "https://schemas.example/adit.json?token=a-secret-of-an-editor",
              "admin": {"address": "127.0.0.1:0", "token_file": "admin.token"}, "workers": 2, "timeouts": {"drain": "7s"},
              "jwt": {"keys": {"secret_file": "jwt.secret"}, "algorithms": ["HS256"]},
              "lookups": {"users": {"url": f"http://{bench.v1.address}/u?id={{header.x-user}}&key=a-secret-key"},
                          "shops": {"url": "redis://127.0.0.1:1/0?key=a-secret-{header.x-shop}"}},
              "upstreams": {"shop-v1": {"health_check": {"path": "/healthz?key=a-secret-key"}}},
              "access_log": {"path": "access.log", "redact_key_file": "redact.key"}}
    bench.start(config=config)
    answer = ask(bench, "GET /api/v1/status", "Authorization: Bearer a-secret-token")
    assert answer.status == 200
    for secret in (b"a-secret", b"integration test's key"):
        assert secret not in answer.body
    status = json.loads(answer.body)
    assert (status["stage"], status["workers"], status["workers_asked"]) == ("serving", 2, 2)
    assert status["load"]["outcome"] == "loaded" and len(status["hash"]) == 64
    effective = status["configuration"]
    assert effective["timeouts"]["drain"] == "7s" and effective["timeouts"]["idle"] == "60s"
    assert effective["limits"]["header_fields"] == 100 and effective["via"] is True
    assert effective["jwt"]["keys"] == {"secret_file": "jwt.secret"} and effective["jwt"]["clock_skew"] == "60s"
    assert effective["lookups"]["users"]["url"].endswith("/u?hidden")
    assert effective["lookups"]["shops"]["url"] == "redis://127.0.0.1:1/0?hidden"
    assert effective["upstreams"]["shop-v1"]["health_check"]["path"] == "/healthz?hidden"
    assert effective["upgrades"] == ["websocket"] and "geoip" not in effective


def keys_with_defaults(bench):
    """{key: (type, default)}, of `adit help config`."""
    told = subprocess.run([bench.binary, "help", "config"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()[1:]]
    # A unit may have blanks in it, the other columns have none.
    return {row[0]: (row[1], row[-2]) for row in rows if row[-2] not in ("none", "required") or row[0] == "access_log.attributes"}


def members_at(tree, key):
    """What stands at the places of a key as the table has it."""
    places = [tree]
    for part in key.replace("[]", ".[]").split("."):
        if part in ("*", "[]"):
            places = [each for place in places for each in (place.values() if part == "*" else place)]
        else:
            places = [place[part] for place in places if part in place]
    return places


def test_status_has_every_default(bench):
    """Also of what is left out whole, however deep. What is there or not is there, with as little as it may have."""
    nobody = bench.refusing().address
    bench.start(config={
        **ADMIN, "watch": False, "workers": None,
        "upstreams": {"shop-v1": {"endpoints": [{"address": bench.v1.address}], "load_balancing": None, "outlier_detection": {},
                                  "circuit_breaker": {"max_requests": 1}, "health_check": {"path": "/"}, "retry": {}},
                      "shop-canary": {"circuit_breaker": {"max_connections": 1}}},
        "jwt": {"keys": {"url": f"http://{nobody}/keys"}, "algorithms": ["RS256"]},
        "lookups": {"users": {"url": f"http://{nobody}/{{header.x-user}}"}}, "access_log": {}})
    effective = get(bench, "status")["configuration"]
    expected = keys_with_defaults(bench)
    assert len(expected) > 70 and {"dns.refresh", "lookups.*.breaker.pause", "jwt.from.header"} <= set(expected)
    for key, (kind, default) in expected.items():
        got = members_at(effective, key)
        want = {"number": lambda: int(default), "boolean": lambda: default == "true", "list": lambda: [default]}.get(kind, lambda: default)()
        assert want in got, (key, want, got)
    # A default that would contradict what is there is none.
    bench.write("jwt.secret", "a-secret-of-tokens-with-32-bytes-or-more")
    bench.write_files(config={**ADMIN, "jwt": {"keys": {"secret_file": "jwt.secret"}, "algorithms": ["HS256"], "from": {"cookie": "t"}}})
    bench.gateway.reload()
    effective = get(bench, "status")["configuration"]
    assert effective["jwt"]["from"] == {"cookie": "t"} and effective["jwt"]["keys"] == {"secret_file": "jwt.secret"}
    assert "retry" not in effective["upstreams"]["shop-v1"] and "lookups" not in effective and "access_log" not in effective


def endpoints(bench):
    return {one["name"]: one["endpoints"] for one in get(bench, "status")["upstreams"]}


def until(bench, expected):
    """Asks until the endpoints are as they are to be."""
    for _ in range(1000):
        if expected(got := endpoints(bench)):
            return got
    raise AssertionError(got)


def test_endpoints(bench):
    """Over two workers: busy, idle, ejected, unhealthy, draining."""
    check = {"path": "/healthz", "interval": "100ms", "timeout": "100ms", "unhealthy": 1}
    canaries = [bench.canary, bench.origin("canary-b")]
    bench.canary.serve(lambda got: response("503 Service Unavailable"))
    canaries[1].serve(lambda got: response())
    stables = [bench.v1.address, {"address": bench.origin("leaving").address, "drain": True}]
    bench.write_files(config={**ADMIN, "workers": 2, "upstreams": {
        "shop-v1": {"endpoints": [{"address": stables[0], "weight": 3}, stables[1]], "outlier_detection": {"consecutive_failures": 1}},
        "shop-canary": {"endpoints": [one.address for one in canaries], "health_check": check}}})
    bench.run()
    bench.gateway.wait_line(r"is unhealthy")
    got = until(bench, lambda got: got["shop-canary"][0]["share"] == 0)
    assert [(one["address"], one["health"]) for one in got["shop-canary"]] == [
        (canaries[0].address, "unhealthy"), (canaries[1].address, "healthy")]
    idle = {"address": stables[0], "weight": 3, "health": "unchecked", "share": 100, "ejected_by": 0, "ejected_ms": 0,
            "active": 0, "idle": 0}
    assert got["shop-v1"] == [idle]
    configured = get(bench, "status")["upstreams"][0]["configured"]
    assert configured == [{"address": stables[0], "weight": 3, "drain": False},
                          {"address": stables[1]["address"], "weight": 1, "drain": True}]
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    assert endpoints(bench)["shop-v1"] == [{**idle, "active": 1}]
    origin.send(response())
    client.read_response()
    until(bench, lambda got: got["shop-v1"] == [{**idle, "idle": 1}])
    client.send(request())
    origin.read_request()
    origin.send(response("503 Service Unavailable"))
    client.read_response()
    got = until(bench, lambda got: got["shop-v1"][0]["active"] == 0)["shop-v1"][0]
    assert got["ejected_by"] == 1 and 0 < got["ejected_ms"] <= 30000


# ---- reload


def test_reload(bench):
    bench.start(config=ADMIN, rules=RULES)
    before = get(bench, "status")["hash"]
    said = reload(bench)
    assert (said["outcome"], said["findings"]) == ("loaded", [])
    bench.gateway.wait_line(r"^adit: reloaded: 1 routes$")
    bench.write_files(config=ADMIN, rules={**RULES, "stable": "v2"})
    said = reload(bench, 422)
    assert said["outcome"] == "in_part"
    found = {one["level"]: one for one in said["findings"]}
    assert found["error"]["file"] == "shop.json" and found["error"]["line"] > 0 and "v2" in found["error"]["message"]
    assert get(bench, "status")["load"] == said and get(bench, "status")["hash"] == before
    bench.write("adit.json", "{")
    said = reload(bench, 422)
    assert said["outcome"] == "refused" and said["findings"][0]["file"] == "adit.json"
    assert get(bench, "routes")["routes"][0]["state"] == "drain"
    bench.write_files(config=ADMIN, rules={**RULES, "state": "off"})
    assert reload(bench)["outcome"] == "loaded"
    assert get(bench, "routes")["routes"][0]["state"] == "off"


def test_many_reloads_at_once(bench):
    """All are answered, by few loads; other answers are not held up by the one that runs."""
    bench.start(config=ADMIN)
    clients = [admin_client(bench) for _ in range(20)]
    for client in clients:
        client.send(request("POST /api/v1/reload HTTP/1.1", "Host: localhost"))
    assert ask(bench, "GET /healthz").status == 200
    for client in clients:
        assert json.loads(client.read_response().body)["outcome"] == "loaded"
    # One that leaves does not hold up the others, or the end.
    clients[0] = admin_client(bench)
    clients[0].send(request("POST /api/v1/reload HTTP/1.1", "Host: localhost"))
    clients[0].reset()
    assert reload(bench)["outcome"] == "loaded"


def test_reload_that_takes_long(bench):
    """Patterns take their time to be compiled: the main thread is busy, the admin server answers."""
    bench.start(config=ADMIN)
    rules = [{"id": f"r{i}", "when": {"header.x": {"matches": f"{i}(a|b)*{i}"}}, "to": "canary"} for i in range(300)]
    bench.write_files(config=ADMIN, rules={"rules": rules})
    client = admin_client(bench)
    client.send(request("POST /api/v1/reload HTTP/1.1", "Host: localhost"))
    answered = []
    thread = threading.Thread(target=lambda: answered.append(client.read_response()))
    thread.start()
    meanwhile = 0
    while thread.is_alive():
        assert ask(bench, "GET /healthz").status == 200
        meanwhile += thread.is_alive()
    assert meanwhile > 0 and answered[0].status == 200


def test_no_reload_while_it_drains(bench):
    bench.start(config={**ADMIN, "timeouts": {"drain_delay": "1h"}})
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line(r"^adit: draining$")
    assert "drains" in error_of(ask(bench, "POST /api/v1/reload"))
    assert get(bench, "status")["stage"] == "draining"
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()


# ---- explain


def explain(bench, asked, status=200, query=""):
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    return get(bench, f"explain{query}", status, "POST", body)


def test_explain(bench):
    bench.start(config=ADMIN, rules={**RULES, "state": "on"})
    url = "http://shop.example.com/cart/1"
    assert explain(bench, {"url": url, "headers": {"X-Beta": "1"}}) == {
        "route": "shop", "variant": "canary", "reason": "rule", "rule": "beta", "bucket": None}
    assert explain(bench, {"url": url, "bucket": 499})["variant"] == "canary"
    assert explain(bench, {"url": url, "bucket": 500})["variant"] == "v1"
    assert explain(bench, {"url": "http://other.example/"})["reason"] == "no_route"
    traced = explain(bench, {"url": url}, query="?trace=1")["rules"]
    assert [one["id"] for one in traced] == ["beta", "some"] and traced[0]["result"] == "unknown"
    for bad, why in ((b"", "nothing in it"), (b"{", "found the end"), (b"[]", "must be an object"), (b'{"url":"x"}', "bad url"),
                     (b'{"url":"http://a/","methods":1}', "unknown key"), (b'{"url":"http://a/"} {}', ""),
                     (b'\xff', ""), (b"[" * 5000, ""), (b'{"url":"http://a/","now":"x"}', "now")):
        said = explain(bench, bad, 400)["error"]
        assert why in said, (bad, said)
    answer = ask(bench, "GET /api/v1/explain")
    assert (answer.status, answer.one("Allow")) == (405, b"POST")
    # The policy that counts now decides.
    bench.write_files(config=ADMIN, rules={**RULES, "state": "off"})
    bench.gateway.reload()
    assert explain(bench, {"url": url, "headers": {"X-Beta": "1"}})["reason"] == "off"


def test_explain_takes_a_body_up_to_its_limit(bench):
    bench.start(config=ADMIN)
    head = b'{"url":"http://shop.example.com/","headers":{"X":"'
    fits = head + b"x" * (262144 - len(head) - 3) + b'"}}'
    assert explain(bench, fits)["reason"] == "default"
    assert ask(bench, "POST /api/v1/explain", body=fits + b" ").status == 413
    client = admin_client(bench)
    client.send(message("POST /api/v1/explain HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"))
    for _ in range(5):
        client.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    client.send(b"0\r\n\r\n")
    assert client.read_response().status == 413
