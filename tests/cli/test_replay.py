#!/usr/bin/env python3
"""Logged requests decided again, from outside: usage: test_replay.py PATH-OF-ADIT

explain --from-log and replay, on lines made by tests/support/loglines.py. The last line is "N passed, N failed".
"""
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import loglines  # noqa: E402
import test_cli  # noqa: E402
from test_cli import ADIT, CONFIG, RULES, Case  # noqa: E402

SOURCES = {"region": "X-Region", "user.id": "X-User-Id", "user.registered_at": "X-User-Registered-At"}
KEYED = {**RULES, "sticky": {"by": ["user.id"]}}
KEYED.pop("tests")


class Logged(Case):
    def setUp(self):
        super().setUp()
        self.write("shop.json", KEYED)
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)

    def lines(self, *requests, **changes):
        decisions = loglines.decide(ADIT, "adit.json", requests, self.directory.name)
        return [loglines.line_of(request, decision, SOURCES, ["user.id"], self.hash, **changes)
                for request, decision in zip(requests, decisions)]


EAST = {"url": "https://shop.example.com/cart?x=1", "now": "2026-03-05T00:00:00.000Z",
        "headers": [["X-Region", "cn-east"], ["X-User-Registered-At", "2026-03-04"], ["X-User-Id", "anna"],
                    ["User-Agent", "Mozilla/5.0"]]}


def made_requests(number, seed):
    """Requests of all kinds, the same for one seed."""
    chance = random.Random(seed)
    for k in range(number):
        headers = [["User-Agent", chance.choice(["Mozilla/5.0", "Googlebot/2.1", "curl/8"])]]
        if chance.random() < 0.7:
            headers.append(["X-Region", chance.choice(["cn-east", "cn-north", "eu", "us", "\u00e4"])])
        if chance.random() < 0.6:
            headers.append(["X-User-Registered-At", chance.choice(["2025-12-31", "2026-02-01", "never"])])
        request = {"url": f"http://{chance.choice(['shop.example.com', 'SHOP.example.com', 'other.example'])}"
                          f"{chance.choice(['/', '/cart', '/a%2Fb', '/a/../b'])}{chance.choice(['', '?', '?a=1&a=2'])}",
                   "method": chance.choice(["GET", "POST"]), "now": loglines.moment(k),
                   "client_ip": chance.choice(["10.1.2.3", "192.0.2.1", "2001:db8::1"]), "headers": headers}
        kind = chance.random()
        if kind < 0.7:
            headers.append(["X-User-Id", f"user-{chance.randrange(number // 4 + 1)}"])
        else:
            request["bucket"] = chance.randrange(10000)
        if chance.random() < 0.1:
            request["pin"] = "canary"
        yield request


class FromLog(Logged):
    def explain(self, line, status, *more):
        return self.expect(["explain", "-c", "adit.json", *more, "--from-log", line], status)

    def test_same(self):
        (line,) = self.lines(EAST)
        got = self.explain(line, 0)[1]
        bucket = json.loads(line)["bucket"]
        self.assertEqual(got, f"""\
log      has the same: {json.loads(line)["variant"]} (rule, rule 'east-new-users', bucket {bucket})
config   the same as of the log
""" + got.split("log\n", 1)[1])
        self.assertIn("as logged", got)
        answer = json.loads(self.explain(line, 0, "--json")[1])
        self.assertEqual((answer["same"], answer["same_config"], answer["line"]), (True, True, 1))
        self.assertEqual(answer["decision"]["bucket"], bucket)
        self.assertEqual(answer["logged"]["config"], self.hash)

    def test_differs(self):
        (line,) = self.lines(EAST)
        changed = json.loads(line)
        changed["decided"] = "v2"
        self.assertIn("log      DIFFERS: it has v2 (rule, rule 'east-new-users'", self.explain(json.dumps(changed), 3)[1])
        self.write("shop.json", {**KEYED, "rules": KEYED["rules"][:1]})
        got = self.explain(line, 3)[1]
        self.assertIn("config   another one than of the log: ", got)
        self.assertIn("\nreason   default: no rule matches", got)
        self.assertIs(json.loads(self.explain(line, 3, "--json")[1])["same"], False)

    def test_failover(self):
        (line,) = self.lines({**EAST, "pin": "canary"}, variant="v1", reason="failover")
        got = self.explain(line, 0)[1]
        self.assertIn("has the same: canary (pinned, rule 'east-new-users')", got)
        self.assertIn("failover v1 answered in its place, by failover\n", got)

    def test_not_told(self):
        (line,) = self.lines(EAST)
        for value, why in (({"hash": "00aa"}, "region is redacted or cut in the log"),
                           ({"cut": "cn-"}, "region is redacted or cut in the log"), (None, None)):
            told = json.loads(line)
            if value:
                told["attributes"]["region"] = value
            else:
                del told["attributes"]["region"]
                why = "region is not in the log"
            got = self.explain(json.dumps(told), 4)[1]
            self.assertIn("cannot be followed, it tells too little: it has ", got)
            self.assertIn(f"reason   attribute {why}\n", got)
            answer = json.loads(self.explain(json.dumps(told), 4, "--json")[1])
            self.assertEqual((answer["same"], answer["decision"], answer["unknown"]), (None, None, f"attribute {why}"))
        told = json.loads(line)
        told["attributes"]["user.id"] = {"hash": "00aa"}  # its bucket is told
        self.assertIn(f"bucket   {told['bucket']} of 0..9999: as the log says", self.explain(json.dumps(told), 0)[1])
        told.update(bucket=None)
        self.assertIn("attribute user.id is redacted or cut", self.explain(json.dumps(told), 4)[1])

    def test_undecided(self):
        (line,) = self.lines(EAST)
        told = json.loads(line)
        told["attributes"]["region"] = {"undecided": True}
        told.update(decided="v1", variant="v1", decided_reason="limit", reason="limit", bucket=None)
        self.assertIn("log      has the same: v1 (limit, rule 'east-new-users')", self.explain(json.dumps(told), 0)[1])

    def test_other_kinds(self):
        (line,) = self.lines(EAST)
        told = json.loads(line)
        del told["attributes"]
        for text, why in (
                (json.dumps(told), "line 1 cannot be decided again: it has no attributes: log with "
                                   "access_log.attributes \"read\" or \"all\""),
                (line[:100], "line 1, column 101: the string has no end; it ends too early: take the log when it is "
                             "no longer written, or leave the line out"),
                ('1.2.3.4 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"',
                 "line 1 cannot be decided again: it is of the combined format: log with access_log.format \"json\""),
                ("{}", "line 1 cannot be decided again: it has no 'reason', 'route' and 'config'; it is no line of "
                       "adit's access log: is it the right file?"),
                ("hello", "line 1, column 1: a JSON object was expected; it is no line of adit's access log: is it "
                          "the right file?")):
            self.assertEqual(self.explain(text, 4)[1:], ("", f"adit explain: {why}\n"))
        refused = {**told, "route": None, "reason": None, "method": None}
        self.assertEqual(self.explain(json.dumps(refused), 0)[2], "adit explain: line 1: nothing was decided, the "
                                                                  "gateway answered by itself\n")

    def test_usage(self):
        (line,) = self.lines(EAST)
        for more in (["http://shop.example.com/"], ["--batch"], ["--trace"], ["-H", "a: b"], ["--diff", "shop.json"]):
            self.assertIn("--from-log takes the whole request", self.explain(line, 2, *more)[2])
        self.assertIn("there is no line on standard input", self.explain("-", 2)[2])

    def test_every_line(self):
        """What batch decided of made-up requests, written as lines, is decided again as it was."""
        lines = self.lines(*made_requests(400, 1))
        raw = ("\n".join(lines) + "\n").encode()
        status, out, err = self.adit("explain", "-c", "adit.json", "--json", "--from-log", "-", stdin=raw)
        answers = [json.loads(answer) for answer in out.splitlines()]
        self.assertEqual((status, err, len(answers)), (0, "", len(lines)))
        for k, (answer, line) in enumerate(zip(answers, lines), 1):
            self.assertEqual((answer["line"], answer["same"]), (k, True), line)
        self.assertEqual({json.loads(line)["reason"] for line in lines}, {"rule", "default", "pinned", "no_route"})
        raw = ("\n".join(lines[:12]) + "\n").encode()
        status, out, err = self.adit("explain", "-c", "adit.json", "--from-log", "-", stdin=raw)
        self.assertEqual((status, err, out.count("has the same")), (0, "", 12))


def main():
    test_cli.main()


if __name__ == "__main__":
    main()
