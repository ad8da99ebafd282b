"""SIGHUP: what it takes over and what it refuses, while requests go on."""
import json
import os
import signal
import threading

from harness import Task, request
from visitors import answer_names, ask, served_by, sticky

ASKED_AT_LEAST = 1000
RELOADS = 10
REFUSED = "adit: error: reload refused: the running configuration goes on as it was"
IN_PART = "adit: warning: reloaded in part: {} routes; those with errors above stay as they were"


def route(name, to="v1", **more):
    """A rule file for its own host; everything goes to one variant."""
    return {
        "route": name, "match": {"hosts": [f"{name}.test"]},
        "variants": {"v1": "shop-v1", "canary": "shop-canary"}, "stable": "v1",
        "rules": [{"id": "all", "to": to}] if to != "v1" else [], **more}


def start(bench, *names, **config):
    """A gateway with rule files of these names in rules/."""
    answer_names(*bench.origins)
    os.mkdir(os.path.join(bench.directory.name, "rules"))
    bench.write_files(config={"rules": ["rules/*.json"], **config})
    for name in names:
        bench.write(f"rules/{name}.json", route(name))
    return bench.run()


def outcome_of_reload(bench):
    """What is said of a reload, but for what it has changed (tests/unit/test_policy_changes.c)."""
    return [line for line in bench.gateway.reload() if not line.startswith(("adit: route '", "adit: upstream '", "adit: adit.json: '"))]


def who(bench, name):
    """Who answers for a host: "v1", "canary", or None without a route."""
    answer = ask(bench, f"Host: {name}.test")
    assert answer.status in (200, 404)
    return answer.body.decode() if answer.status == 200 else None


def remove(bench, name):
    os.remove(os.path.join(bench.directory.name, name))


def read(bench, name):
    with open(os.path.join(bench.directory.name, name), encoding="utf-8") as file:
        return file.read()


# ---- under load


def test_nothing_is_lost(bench):
    """A thousand requests during ten reloads: each is answered, by a version that was right then."""
    answer_names(*bench.origins)
    bench.start(config={"workers": 2})
    asked = [0] * 4
    done = threading.Event()

    def visit(number):
        while not done.is_set():
            client = bench.client()
            for _ in range(10):  # then a new connection
                client.send(request())
                answer = client.read_response()
                assert answer.status == 200 and answer.body in (b"v1", b"canary"), answer.head
                asked[number] += 1
            client.close()

    visitors = [Task(visit, number) for number in range(len(asked))]
    reloads = 0
    while reloads < RELOADS or sum(asked) < ASKED_AT_LEAST:
        before = sum(asked)
        bench.write_files(config={"workers": 2}, rules={
            "rules": [] if reloads % 2 else [{"id": "all", "to": "canary"}]})
        assert outcome_of_reload(bench) == ["adit: reloaded: 1 routes"]
        reloads += 1
        assert served_by(bench) == ("v1" if reloads % 2 == 0 else "canary")
        while sum(asked) < before + ASKED_AT_LEAST // RELOADS and any(v.thread.is_alive() for v in visitors):
            done.wait(0.001)
        if not all(visitor.thread.is_alive() for visitor in visitors):
            break
    done.set()
    for visitor in visitors:
        visitor.result()
    assert reloads >= RELOADS and sum(asked) >= ASKED_AT_LEAST
    assert len(bench.v1.requests) + len(bench.canary.requests) == sum(asked) + reloads


def test_signals_in_a_row(bench):
    """Several that come together may be one; the last files are what counts."""
    answer_names(*bench.origins)
    bench.start()
    for number in range(20):
        bench.write_files(rules={"rules": [{"id": f"r{number}", "to": "v1"}]})
        bench.gateway.signal(signal.SIGHUP)
    bench.write_files(rules={"rules": [{"id": "last", "to": "canary"}]})
    bench.gateway.signal(signal.SIGHUP)
    seen = bench.gateway.wait_line("rule 'last' added").string
    bench.gateway.wait_line("adit: reloaded: 1 routes", bench.gateway.lines.index(seen))
    assert served_by(bench) == "canary"


def test_exchange_keeps_the_rules_it_began_with(bench):
    """Also when its route and its upstream are gone before it is over."""
    bench.write("other.json", route("other"))
    bench.start(config={"rules": ["shop.json", "other.json"]}, rules={
        "expose_decision": True, "match": {"hosts": ["shop.example.com"]}})
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    bench.write_files(config={"rules": ["other.json"], "upstreams": {
        "shop-v1": {"endpoints": [bench.canary.address]}}})
    assert outcome_of_reload(bench) == ["adit: reloaded: 1 routes"]
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
    answer = client.read_response()
    assert answer.body == b"old"
    assert answer.one("X-Adit-Decision") == b"variant=v1; reason=default"
    # The same connection's next request is under the new rules.
    client.send(request())
    assert client.read_response().status == 404


# ---- what is taken over


def test_files_come_change_and_go(bench):
    start(bench, "a", "b")
    assert (who(bench, "a"), who(bench, "b"), who(bench, "c")) == ("v1", "v1", None)
    bench.write("rules/c.json", route("c"))
    assert outcome_of_reload(bench) == ["adit: reloaded: 3 routes"]
    assert (who(bench, "a"), who(bench, "b"), who(bench, "c")) == ("v1", "v1", "v1")
    remove(bench, "rules/a.json")
    bench.write("rules/b.json", route("b", to="canary"))
    assert outcome_of_reload(bench) == ["adit: reloaded: 2 routes"]
    assert (who(bench, "a"), who(bench, "b"), who(bench, "c")) == (None, "canary", "v1")
    # A route that moves to another file, with other hosts.
    remove(bench, "rules/c.json")
    bench.write("rules/moved.json", route("c", match={"hosts": ["d.test"]}))
    assert outcome_of_reload(bench) == ["adit: reloaded: 2 routes"]
    assert (who(bench, "c"), who(bench, "d")) == (None, "v1")


def test_endpoints_change(bench):
    moved = bench.origin("moved")
    start(bench, "a")
    assert who(bench, "a") == "v1"
    bench.write_files(config={"rules": ["rules/*.json"]}, v1=[moved])
    bench.gateway.reload()
    assert who(bench, "a") == "moved"


def test_files_that_rules_read_change(bench):
    answer_names(*bench.origins)
    bench.write("beta.txt", "u-1\n")
    rules = {"rules": [{"id": "beta", "when": {"header.x-user-id": {"in_file": "beta.txt"}}, "to": "canary"}]}
    bench.start(rules=rules)
    assert (served_by(bench, "X-User-Id: u-1"), served_by(bench, "X-User-Id: u-2")) == ("canary", "v1")
    bench.write("beta.txt", "# nobody else\nu-2\n")
    bench.gateway.reload()
    assert (served_by(bench, "X-User-Id: u-1"), served_by(bench, "X-User-Id: u-2")) == ("v1", "canary")


def test_attributes_and_segments_change(bench):
    def config(header, region):
        return {"trusted_proxies": ["127.0.0.0/8"],
                "attributes": {"region": {"type": "string", "from": [{"header": header}]}},
                "segments": {"near": {"region": region}}}

    rules = {"rules": [{"id": "near", "when": {"segment": "near"}, "to": "canary"}]}
    answer_names(*bench.origins)
    bench.start(config=config("X-Region", "east"), rules=rules)
    assert served_by(bench, "X-Region: east") == "canary"
    bench.write_files(config=config("X-Place", "west"), rules=rules)
    bench.gateway.reload()
    assert served_by(bench, "X-Region: east", "X-Place: east") == "v1"
    assert served_by(bench, "X-Place: west") == "canary"


def test_what_waits_for_a_start_is_said(bench):
    """listen, workers and admin; the rest of the file is taken over."""
    start(bench, "a")
    bench.write("rules/a.json", route("a", to="canary"))
    bench.write_files(config={
        "rules": ["rules/*.json"], "workers": 2, "listen": [{"address": "127.0.0.1:0"}, {"address": "127.0.0.2:0"}],
        "admin": {"address": "127.0.0.1:0"}})
    said = bench.gateway.reload()
    for key in ("listen", "workers", "admin"):
        expected = f"adit: warning: adit.json: a change of '{key}' is taken up at the next start"
        assert said.count(expected) == 1, said
    assert said[-1] == "adit: reloaded: 1 routes"
    assert who(bench, "a") == "canary"
    # Against what runs, not against what was read last: it still waits.
    assert any("a change of 'workers'" in line for line in bench.gateway.reload())
    bench.write_files(config={"rules": ["rules/*.json"]})
    assert outcome_of_reload(bench) == ["adit: reloaded: 1 routes"]


# ---- what is refused


def test_broken_rule_file_leaves_its_route_and_no_other(bench):
    start(bench, "a", "b")
    broken = {
        "syntax": '{ "route": "a", ',
        "empty": "",
        "not UTF-8 in its second line": None,
        "unknown key": json.dumps(route("a", wehn=1)),
        "unknown operator": json.dumps(route("a", rules=[
            {"id": "x", "when": {"now": {"befor": "2026-01-01"}}, "to": "canary"}])),
        "wrong type": json.dumps(route("a", rules={})),
        "unknown upstream": json.dumps(route("a", variants={"v1": "shop-v1", "canary": "shop-canry"})),
        "unknown variant": json.dumps(route("a", to="canry")),
        "weights over 100": json.dumps(route("a", default={"split": {"canary": 101}})),
        "duplicate key": '{ "route": "a", "route": "a" }',
        "number that JSON does not know": '{ "route": "a", "stable": 01 }',
        "file of values that is missing": json.dumps(route("a", rules=[
            {"id": "x", "when": {"host": {"in_file": "none.txt"}}, "to": "canary"}])),
    }
    for number, (name, text) in enumerate(broken.items()):
        to = "canary" if number % 2 == 0 else "v1"
        bench.write("rules/b.json", route("b", to=to))
        if text is None:
            with open(os.path.join(bench.directory.name, "rules/a.json"), "wb") as file:
                file.write(b'{ "route":\n "a\xff" }')
        else:
            bench.write("rules/a.json", text)
        said = bench.gateway.reload()
        assert said[-1] == IN_PART.format(2), (name, said)
        assert "rules/a.json: note: route 'a' stays as it was" in said, (name, said)
        errors = [line for line in said if ": error: " in line]
        assert errors and all(line.startswith("rules/a.json:") for line in errors), (name, said)
        first = errors[0].split(":")
        assert first[1].isdigit() and first[2].isdigit(), errors
        assert (who(bench, "a"), who(bench, "b")) == ("v1", to), name
    bench.write("rules/a.json", route("a", to="canary"))
    assert outcome_of_reload(bench) == ["adit: reloaded: 2 routes"]
    assert who(bench, "a") == "canary"


def test_places_of_several_errors(bench):
    start(bench, "a")
    bench.write("rules/a.json", route("a", stabel="v1", rules=[
        {"id": "x", "when": {"regoin": "east"}, "to": "canary"},
        {"id": "y", "when": {"now": {"between": ["2026-01-01", "soon"]}}, "to": "canary"}]))
    said = bench.gateway.reload()
    for where, message in (("stabel", "(did you mean 'stable'?)"), ("regoin", "unknown attribute 'regoin'"),
                           ("soon", "soon")):
        place = bench.place_of("rules/a.json", where)
        assert any(line.startswith(f"{place}: error: ") and message in line for line in said), (place, said)


def test_findings_are_logged(bench):
    """A file that its author cannot have meant is taken over, and the log says what is wrong with it."""
    start(bench, "a")
    east = {"id": "east", "when": {"header.x-region": "east"}, "to": "canary"}
    rest = {"id": "rest", "to": "canary"}
    bench.write("rules/a.json", route("a", rules=[rest, east]))
    said = bench.gateway.reload()
    assert who(bench, "a") == "canary"
    line = int(bench.place_of("rules/a.json", b'"id": "east"').split(":")[1]) - 1  # of its brace
    assert [one for one in said if one.startswith(f"rules/a.json:{line}:5: warning: rule 'east': can never match: ")], said
    assert [one for one in said if one.startswith(f"rules/a.json:{line}:5: note: witness: ")], said
    assert said[-1] == "adit: reloaded: 1 routes", said


def test_new_file_that_is_broken_is_not_served(bench):
    start(bench, "a")
    bench.write("rules/b.json", "{")
    said = bench.gateway.reload()
    assert "rules/b.json: note: the file is not served" in said and said[-1] == IN_PART.format(1)
    assert (who(bench, "a"), who(bench, "b")) == ("v1", None)


def test_file_whose_tests_fail_is_not_taken_over(bench):
    start(bench, "a")
    test = {"name": "all see v1", "request": {"url": "http://a.test/"}, "expect": {"variant": "v1"}}
    bench.write("rules/a.json", route("a", to="canary", tests=[test]))
    said = bench.gateway.reload()
    assert said[-1] == IN_PART.format(1)
    assert any(line.startswith("rules/a.json:") and "all see v1" in line and ": error: " in line for line in said), said
    assert who(bench, "a") == "v1"


def test_of_two_routes_in_conflict_the_one_that_changed_gives_way(bench):
    start(bench, "a", "b")
    bench.write("rules/a.json", route("a", to="canary", match={"hosts": ["b.test"]}))
    said = bench.gateway.reload()
    assert said[-1] == IN_PART.format(2) and any("b.test" in line and ": error: " in line for line in said), said
    assert (who(bench, "a"), who(bench, "b")) == ("v1", "v1")


def test_new_file_in_conflict_does_not_hold_up_the_one_that_is_served(bench):
    """Whichever comes first by its name."""
    start(bench, "g")
    for new in ("a", "z"):
        bench.write(f"rules/{new}.json", route("g"))
        assert any(f"rules/{new}.json" in line and "not served" in line for line in bench.gateway.reload())
        for variant in ("canary", "v1"):
            bench.write("rules/g.json", route("g", to=variant))
            assert bench.gateway.reload()[-1] == IN_PART.format(1)
            assert who(bench, "g") == variant
        remove(bench, f"rules/{new}.json")


def test_broken_adit_json_changes_nothing(bench):
    start(bench, "a")
    bench.write("rules/a.json", route("a", to="canary"))
    good = read(bench, "adit.json")
    broken = {
        "empty": ("", "adit.json:1:1: error: "),
        "cut off": (good[: len(good) // 2], r"adit.json:"),
        "unknown key": (good.replace('"workers"', '"wokers"'), None),
        "wrong type": (good.replace('"workers": 1', '"workers": "1"'), None),
        "key file that is not there": (good.replace("sticky.key", "none.key"), None),
        "unknown upstream's name": (good.replace('"shop-canary"', '"shop canary"'), None),
        "directory of rules that is not there": (good.replace("rules/*.json", "none/*.json"), None),
        "rule files that are not there": (good.replace("rules/*.json", "rules/*.jsonx"), None),
    }
    for name, (text, start_of_error) in broken.items():
        bench.write("adit.json", text)
        said = bench.gateway.reload()
        assert said[-1] == REFUSED, (name, said)
        expected = start_of_error or "adit.json:"
        assert any(line.startswith(expected) and ": error: " in line for line in said), (name, said)
        assert who(bench, "a") == "v1", name
    remove(bench, "adit.json")
    said = bench.gateway.reload()
    assert said[-1] == REFUSED and "adit.json" in said[0] and "No such file" in said[0], said
    assert who(bench, "a") == "v1"
    bench.write("adit.json", good)
    assert outcome_of_reload(bench) == ["adit: reloaded: 1 routes"]
    assert who(bench, "a") == "canary"


def test_last_rule_file_cannot_be_taken_away(bench):
    """Nothing would be served."""
    start(bench, "a")
    remove(bench, "rules/a.json")
    said = bench.gateway.reload()
    assert said[-1] == REFUSED, said
    assert who(bench, "a") == "v1"


def test_upstream_of_a_kept_route_must_stay(bench):
    """One change in two files, one of them broken: neither is taken over."""
    start(bench, "a")
    bench.write("rules/a.json", "{")
    config = bench.config([bench.v1], [bench.canary])
    config["rules"] = ["rules/*.json"]
    config["upstreams"]["renamed"] = config["upstreams"].pop("shop-canary")
    bench.write("adit.json", config)
    said = bench.gateway.reload()
    assert said[-1] == REFUSED and any("'shop-canary'" in line for line in said), said
    assert who(bench, "a") == "v1"
    bench.write("rules/a.json", route("a", to="canary", variants={"v1": "shop-v1", "canary": "renamed"}))
    assert outcome_of_reload(bench) == ["adit: reloaded: 1 routes"]
    assert who(bench, "a") == "canary"


def test_secret_that_is_lost_refuses(bench):
    """Cookies would be signed by nothing that another start could verify."""
    answer_names(*bench.origins)
    bench.start(rules={"expose_decision": True, "default": {"split": {"canary": 0}}})
    pin = f"Cookie: adit_shop={sticky()}"
    assert served_by(bench, pin) == "canary"
    remove(bench, "sticky.key")
    assert bench.gateway.reload()[-1] == REFUSED
    assert served_by(bench, pin) == "canary"


def test_reload_is_deaf_while_draining(bench):
    """SIGHUP neither ends nor revives what is ending."""
    bench.start(config={"timeouts": {"drain": "60s"}})
    client = bench.client()
    client.send(request())
    origin = bench.v1.accept()
    origin.read_request()
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    bench.gateway.signal(signal.SIGHUP)
    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert client.read_response().body == b"ok"
    client.expect_end()
    bench.gateway.expect_clean_end()
    assert not any("reload" in line for line in bench.gateway.lines)
