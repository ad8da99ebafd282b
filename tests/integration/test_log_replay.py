"""Lines that the gateway writes, decided again: explain --from-log has the same, replay moves nobody it must not."""
import json
import subprocess

from admin import ADMIN
from test_access_log import entries
from test_route_state import put
from visitors import Visitor, answer_names, bucket

ATTRIBUTES = {
    "region": {"type": "string", "from": [{"header": "X-Region", "trust": "anyone"}]},
    "user.id": {"type": "string", "from": [{"header": "X-User-Id", "trust": "anyone"}]},
    "user.since": {"type": "time", "from": [{"header": "X-Since", "trust": "anyone"}]},
    "tags": {"type": "list", "from": [{"query": "tags", "trust": "anyone"}]},
}
RULES = {
    "sticky": {"by": ["user.id"]},
    "force": {"header": "X-Canary", "cookie": "canary", "values": {"always": "canary", "never": "v1"}},
    "rules": [
        {"id": "beta", "when": {"header.X-Beta": "1", "path": {"under": "/p"}}, "to": "canary"},
        {"id": "old", "when": {"user.since.age": {"gte": "1d"}, "region": ["east", "west"]}, "split": {"canary": 50}},
        {"id": "tagged", "when": {"tags": "new", "cookie.plan": "gold"}, "to": "canary"},
        {"id": "agent", "when": {"device": "bot"}, "to": "v1"}],
    "default": {"split": {"canary": 30}},
}


def visit(bench, mode, **log):
    """All kinds of visitors, each twice, so that those with cookies come back with them. Entries of the log."""
    answer_names(*bench.origins)
    bench.start(config={"access_log": {"path": "access.log", "attributes": mode, **log}, "attributes": ATTRIBUTES},
                rules=RULES)
    client = bench.client()
    visitors = [Visitor(*lines) for lines in (
        [], [], [], [], ["X-Canary: always"], ["X-Canary: never"], ["X-Beta: 1"], ["X-Beta: 1", "X-Beta: 2"],
        ["X-Region: east", "X-Since: 2020-02-03"], ["X-Region: east", "X-Since: never"], ["X-Region: \u00e4"],
        ["User-Agent: Googlebot/2.1"], *([f"X-User-Id: user-{n}"] for n in range(12)))]
    for _ in range(2):
        for visitor in visitors:
            for target in ("/", "/q%2Fp/?tags=a,new", "/x/../p?tags=%20"):
                assert visitor.ask(client, target).status == 200
    for target in ("/..%2Fp", "/../p"):
        client = bench.client()
        client.send(Visitor().request(target))
        assert client.read_response().status == 400
    return entries(bench)


def adit(bench, *arguments):
    return subprocess.run([bench.binary, *arguments], cwd=bench.directory.name, capture_output=True, text=True, timeout=60)


def explain(bench):
    with open(f"{bench.directory.name}/access.log", encoding="utf-8") as log:
        done = subprocess.run([bench.binary, "explain", "-c", "adit.json", "--json", "--from-log", "-"], stdin=log,
                              cwd=bench.directory.name, capture_output=True, text=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return done, [answer for answer in answers if answer["kind"] != "refused"]


def replay(bench, *arguments):
    done = adit(bench, "replay", "-c", "adit.json", "--json", *arguments, "access.log")
    assert done.stdout, done
    return done, json.loads(done.stdout)


def test_each_line_is_decided_again(bench):
    lines = visit(bench, "read")
    decided = [line for line in lines if line["reason"]]
    assert {"rule", "default", "pinned", "forced"} <= {line["reason"] for line in decided}
    done, answers = explain(bench)
    wrong = [(line, answer) for line, answer in zip(decided, answers) if not (answer["same"] and answer["same_config"])]
    assert not wrong, wrong[0]
    assert (done.returncode, len(answers)) == (0, len(decided)), done
    done, report = replay(bench, "--new", "shop.json", "--max-moved", "0%", "--max-moved-users", "0%")
    assert (done.returncode, done.stderr, report["moved"], report["not_known"]) == (0, "", 0, 0), (done, report)
    assert report["requests"] == len(decided) and report["differs_from_log"]["requests"] == 0
    assert report["users"]["count"] == 12


def test_changed_rules_move_whom_they_must(bench):
    """Raising the default's share moves those whose bucket is between, and nobody else."""
    lines = visit(bench, "all")
    bench.write("new.json", {**json.loads(open(f"{bench.directory.name}/shop.json", encoding="utf-8").read()),
                             "default": {"split": {"canary": 60}}})
    between = [line for line in lines if line["reason"] == "default" and 3000 <= line["bucket"] < 6000]
    users = [f"user-{n}" for n in range(12) if 3000 <= bucket("shop", f"user-{n}") < 6000]
    done, report = replay(bench, "--new", "new.json", "--examples", "100", "--max-moved", "0%")
    (move,) = [move for move in report["moves"] if move["moved"]]
    assert (done.returncode, report["not_known"]) == (1, 0), report
    assert (report["moved"], report["moved_users"]["count"]) == (len(between), len(users)) and users and between
    assert all("region" in example["attributes"] for example in move["examples"])
    assert [example["line"] for example in move["examples"]] == [
        number for number, line in enumerate(lines, 1) if line in between][:100]


def test_what_an_override_decided(bench):
    """Its state is in the line, and holds again: under the files alone each of these would be another decision."""
    answer_names(*bench.origins)
    bench.start(config={**ADMIN, "access_log": {"path": "access.log", "attributes": "read"}, "attributes": ATTRIBUTES},
                rules=RULES)
    client, states = bench.client(), ["off", "full", "drain", "on", None]
    for state in states:
        put(bench, state)
        for lines in ["X-Canary: always"], ["X-Beta: 1"], *([f"X-User-Id: user-{n}"] for n in range(8)):
            assert Visitor(*lines).ask(client, "/p").status == 200
    lines = entries(bench)
    assert [line["override"] for line in lines[::10]] == states
    assert {"off", "forced", "full", "rule", "default"} == {line["reason"] for line in lines}
    done, answers = explain(bench)
    assert done.returncode == 0 and len(answers) == len(lines) and all(answer["same"] for answer in answers), done
    done, report = replay(bench, "--new", "shop.json", "--max-moved", "0%")
    assert (done.returncode, report["moved"], report["not_known"]) == (0, 0, 0), report
    assert report["differs_from_log"]["requests"] == 0


def test_redacted_lines(bench):
    """Keys are hashed, but buckets and users are told; what a rule needs of a hash is not known: of one visitor."""
    lines = visit(bench, "all", redact=["user.id", "client_ip", "region"])
    decided = [line for line in lines if line["reason"]]
    assert all(set(line["client_ip"]) == {"hash"} for line in lines)
    done, report = replay(bench, "--new", "shop.json", "--max-moved", "0%")
    assert (done.returncode, report["moved"], report["not_known"]) == (1, 0, 6), report
    assert [why["why"] for why in report["unknown"]] == ["attribute region is redacted or cut in the log"], report
    assert report["users"]["count"] == 12 and report["requests"] + report["not_known"] == len(decided)
