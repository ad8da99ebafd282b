#!/usr/bin/env python3
"""Logged requests decided again, from outside: usage: test_replay.py PATH-OF-ADIT

explain --from-log and replay, on lines made by tests/support/loglines.py. The last line is "N passed, N failed".
"""
import gzip
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
PLAIN = {**KEYED, "rules": [{"id": "all", "when": {"path": {"under": "/"}}, "to": "v1"}]}  # all is told by each line
PLAIN.pop("default")


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
        self.assertEqual(self.explain(line + "\n", 0)[1], got)
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
        got = self.explain(line, 3, "--assume-unchanged")[1]
        self.assertIn("config   another one than of the log: ", got)
        self.assertIn("\nreason   default: no rule matches", got)
        self.assertIs(json.loads(self.explain(line, 3, "--json", "--assume-unchanged")[1])["same"], False)

    def test_other_files_of_then(self):
        """What cookie, bucket and force were of is not known, unless it is assumed."""
        advice = " there (--assume-unchanged: as if cookie, bucket and force were the same)\n"
        (drawn,) = self.lines(EAST)
        (forced,) = self.lines({**EAST, "headers": [["X-Canary", "always"]]})
        self.assertEqual(json.loads(forced)["decided_reason"], "forced")
        self.write("shop.json", {**KEYED, "rules": [*KEYED["rules"], {"id": "x", "when": {"path": "/x"}, "to": "v1"}]})
        for line, why in ((drawn, "the log does not tell whether a cookie pinned a variant"),
                          (forced, "the log does not tell by what the request forced a variant")):
            got = self.explain(line, 4)[1]
            self.assertIn(advice, got)
            self.assertIn(f"reason   {why}\n", got)
            self.assertEqual(json.loads(self.explain(line, 4, "--json")[1])["unknown"], why)
            got = self.explain(line, 0, "--assume-unchanged")[1]
            self.assertIn("has the same: ", got)
            self.assertNotIn("--assume-unchanged", got)

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
        self.assertIn("--assume-unchanged is of a logged line: give --from-log",
                      self.expect(["explain", "-c", "adit.json", "--assume-unchanged", "http://a/"], 2)[2])
        for line in ("", "\t \n"):
            self.assertIn("the line of --from-log is empty", self.explain(line, 2)[2])
        for lines, *more in ((b"",), (b" \n\r\n\n",), (b"\n", "--json")):
            status, out, err = self.adit("explain", "-c", "adit.json", *more, "--from-log", "-", stdin=lines)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("there is no line on standard input", err)

    def several(self, *lines):
        """(status, the answers) of lines on stdin, with --json."""
        raw = ("\n".join(lines) + "\n").encode()
        status, out, err = self.adit("explain", "-c", "adit.json", "--json", "--from-log", "-", stdin=raw)
        self.assertEqual(err, "")
        return status, [json.loads(answer) for answer in out.splitlines()]

    def test_status_of_several(self):
        """That one differs is not hidden by others that tell too little, in whatever order they come."""
        (same,) = self.lines(EAST)
        differs = json.dumps({**json.loads(same), "decided": "v2"})
        silent = json.loads(same)
        del silent["attributes"]["region"]
        silent = json.dumps(silent)
        for status, *lines in ((3, same, silent, differs, same), (3, differs, "{}"), (4, silent, same)):
            self.assertEqual(self.several(*lines)[0], status, lines)

    def test_json_of_every_line(self):
        """Also of those that cannot be read: as many as there are, each with its number; but of blank ones."""
        (line,) = self.lines(EAST)
        bare = json.loads(line)
        del bare["attributes"]
        refused = json.dumps({**bare, "route": None, "reason": None, "method": None})
        combined = '1.2.3.4 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'
        status, answers = self.several(line, "", json.dumps(bare), line[:100], combined, "hello", refused, "x" * (1 << 20) + "x", line)
        self.assertEqual((status, [answer["line"] for answer in answers]), (4, [1, 3, 4, 5, 6, 7, 8, 9]))
        self.assertEqual([answer["kind"] for answer in answers], ["request", "no_attributes", "half", "combined", "malformed",
                                                                  "refused", "too_large", "request"])
        for answer in answers[1:-1]:
            self.assertEqual([answer[key] for key in ("same", "same_config", "logged", "decision")], [None] * 4)
        for answer, why in zip(answers[1:-1], ("it has no attributes: log with ", "the string has no end; it ends too early: ",
                                               "it is of the combined format: ", "a JSON object was expected; ",
                                               "nothing was decided, the gateway answered by itself",
                                               "it is longer than 1 MiB; it is over a limit of this reader: leave it out")):
            self.assertIn(why, answer["unknown"])
        self.assertEqual([set(answer) for answer in answers], [set(answers[0])] + [{*answers[0], "unknown"}] * 6 + [set(answers[0])])
        self.assertEqual(self.several(refused)[0], 0)

    def test_ambiguous(self):
        """Its line has no attributes, and says so: that one is missing would have somebody look for it in vain."""
        self.write("shop.json", {**KEYED, "rules": [{"id": "admin", "when": {"path": {"under": "/admin"}}, "to": "v1"}, *KEYED["rules"]]})
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        (line,) = self.lines(EAST)
        told = {**json.loads(line), "path": "/admin%2Fx", "reason": "ambiguous", "decided_reason": "ambiguous", "route": None,
                "variant": None, "decided": None, "rule": None, "bucket": None, "attributes": None}
        why = "the path was ambiguous, so that the line tells nothing else"
        self.assertIn(f"reason   {why}\n", self.explain(json.dumps(told), 4)[1])
        self.assertEqual(json.loads(self.explain(json.dumps(told), 4, "--json")[1])["unknown"], why)
        told.update(decided_reason="default", reason="default", route="shop")
        self.assertIn("is not in the log\n", self.explain(json.dumps(told), 4)[1])

    def test_every_line(self):
        """What batch decided of made-up requests, written as lines, is decided again as it was."""
        lines = self.lines(*made_requests(200, 1))
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


def moved_to(decision):
    """Where it goes, as replay shows it."""
    return {key: decision[key] for key in ("route", "variant", "rule", "reason")}


def changed(seed):
    """The rule file with some changes, the same for one seed."""
    chance = random.Random(seed)
    rules = json.loads(json.dumps(KEYED))
    for _ in range(chance.randrange(1, 4)):
        kind = chance.randrange(8)
        if kind == 0:
            rules["default"]["split"]["canary"] = chance.choice([0, 1, 25, 100])
        elif kind == 1 and len(rules["rules"]) > 1:
            rules["rules"].pop(chance.randrange(len(rules["rules"])))
        elif kind == 2:
            rules["rules"].insert(0, {"id": f"new-{seed}", "when": {"region": chance.choice(["eu", "us"])},
                                      "to": chance.choice(["v1", "canary"])})
        elif kind == 3:
            rules["sticky"]["salt"] = "another"
        elif kind == 4:
            rules["sticky"]["epoch"] = 7
        elif kind == 5:
            rules["state"] = chance.choice(["off", "drain", "full"])
        elif kind == 6:
            rules["rules"].append({"id": f"young-{seed}", "when": {"user.registered_at.age": {"lt": "30d"}},
                                   "split": {"canary": 50}})
        else:
            rules["rules"].reverse()
    return rules


class Replay(Logged):
    """What replay says against what batch says of the same requests under both files."""

    def setUp(self):
        super().setUp()
        self.requests = list(made_requests(300, 5))
        self.before = loglines.decide(ADIT, "adit.json", self.requests, self.directory.name)

    def log(self, every=None, requests=None, config=None, **changes):
        """Writes the log of the requests; `every` adds attributes to those looked at."""
        requests = requests or self.requests
        with open(os.path.join(self.directory.name, "log"), "w", encoding="utf-8") as file:
            for request, decision in zip(requests, self.before):
                line = json.loads(loglines.line_of(request, decision, SOURCES, ["user.id"], config or self.hash, **changes))
                for attribute in every or []:
                    line["attributes"][attribute] = loglines.value_of(attribute, request, SOURCES)
                file.write(json.dumps(line) + "\n")

    def replay(self, status, *args, stdin=b""):
        got = self.adit("replay", "-c", "adit.json", "--json", *args, stdin=stdin)
        self.assertEqual(got[0], status, got)
        return json.loads(got[1]), got[2]

    def model(self, requests, rules):
        """Moves as {(before, after): (requests, users)}, brute force."""
        self.write("new.json", rules)
        after = loglines.decide(ADIT, "adit.json", requests, self.directory.name, rules=["new.json"])
        moves = {}
        for request, old, new in zip(requests, self.before, after):
            if moved_to(old) == moved_to(new) or not (old["route"] or new["route"]):
                continue
            user = loglines.value_of("user.id", request, SOURCES)
            kind = moves.setdefault((json.dumps(moved_to(old)), json.dumps(moved_to(new))), [0, set()])
            kind[0] += 1
            kind[1] |= {user} if user else set()
        return {key: (n, len(users)) for key, (n, users) in moves.items()}

    @staticmethod
    def moves(report):
        strip = lambda place: json.dumps(moved_to(place))
        return {(strip(move["before"]), strip(move["after"])): (move["requests"], move["users"]["count"])
                for move in report["moves"]}

    def test_same_rules_move_nobody(self):
        self.log()
        report, err = self.replay(0, "--new", "shop.json", "--max-moved", "0%", "--max-moved-users", "0", "log")
        self.assertEqual(err, "")
        self.assertEqual((report["moved"], report["same_variant"], report["not_known"], report["moves"]), (0, 0, 0, []))
        self.assertEqual((report["other_config"], report["differs_from_log"]["requests"]), (0, 0))
        self.assertEqual(report["requests"] + report["no_route"], 300)
        self.assertEqual(report["users"], {"count": len({loglines.value_of("user.id", request, SOURCES)
                         for request, decision in zip(self.requests, self.before) if decision["bucket"] is not None}
                         - {None}), "exact": True})

    def test_known_changes_move_whom_they_must(self):
        """Lines that tell everything, of people who all have a key: exactly the moves of the model."""
        requests = [request for request in made_requests(400, 6) if "bucket" not in request][:240]
        for request in requests:
            request.pop("pin", None)
        self.before = loglines.decide(ADIT, "adit.json", requests, self.directory.name)
        self.log(every=["region", "user.id", "user.registered_at", "header.user-agent"], requests=requests, cookie="absent")
        moved = 0
        for seed in (0, 1, 3, 5, 12, 24):
            model = self.model(requests, changed(seed))
            report = self.replay(0, "--new", "new.json", "log")[0]
            self.assertEqual(report["not_known"], 0, report["unknown"])
            self.assertEqual(self.moves(report), model, changed(seed))
            moved += report["moved"]
            split = lambda moves, is_moved: sum(move["requests"] for move in moves if move["moved"] == is_moved)
            self.assertEqual((split(report["moves"], True), split(report["moves"], False)),
                             (report["moved"], report["same_variant"]))
        self.assertGreater(moved, 50)

    def test_what_is_not_known_is_not_guessed(self):
        """Lines as the gateway writes them, also of anonymous visitors with pins: what is decided is as the model has
        it, all else is said to be unknown."""
        self.log()
        unknown = 0
        for seed in (0, 2, 4, 9, 14):
            model = self.model(self.requests, changed(seed))
            report = self.replay(0, "--new", "new.json", "log")[0]
            unknown += report["not_known"]
            moves = self.moves(report)
            for key, (requests, users) in moves.items():
                self.assertLessEqual((requests, users), model.get(key, (0, 0)), (seed, key))
            missing = sum(n for n, _ in model.values()) - sum(n for n, _ in moves.values())
            self.assertLessEqual(missing, report["not_known"], seed)
            self.assertEqual(report["requests"] + report["no_route"] + report["not_known"], 300)
        self.assertGreater(unknown, 50)

    def test_threads_files_and_packing_change_nothing(self):
        self.model(self.requests, changed(0))
        self.log()
        path = os.path.join(self.directory.name, "log")
        with open(path, "rb") as file:
            once = file.read()
        with open(path, "wb") as file:
            file.write(once * 24)
        with gzip.open(path + ".gz", "wb", compresslevel=1) as file:
            file.write(once * 24)
        args = ("--new", "new.json", "--examples", "5")
        whole = self.replay(0, *args, "--threads", "1", "log")[0]
        self.assertEqual(whole["lines"]["all"], 7200)
        for threads in ("2", "5"):
            self.assertEqual(self.replay(0, *args, "--threads", threads, "log")[0], whole)
        rename = lambda report, name: json.loads(json.dumps(report).replace(json.dumps(name), '"log"'))
        self.assertEqual(rename(self.replay(0, *args, "log.gz")[0], "log.gz"), whole)
        self.assertEqual(rename(self.replay(0, *args, "-", stdin=once * 24)[0], "-"), whole)
        pieces = b"".join(gzip.compress(once * n) for n in (1, 0, 20, 3))
        self.assertEqual(rename(self.replay(0, *args, "-", stdin=pieces)[0], "-"), whole)
        twice = self.replay(0, *args, "log", "log")[0]
        self.assertEqual((twice["moved"], twice["users"]), (2 * whole["moved"], whole["users"]))
        self.assertEqual(twice["moves"][0]["examples"], whole["moves"][0]["examples"])

    def test_text(self):
        self.write("shop.json", KEYED)
        before = {**KEYED, "default": {"split": {"canary": 5}}}
        self.write("new.json", {**before, "default": {"split": {"canary": 100}}, "state": "on"})
        anna = {"url": "http://shop.example.com/cart", "headers": [["X-User-Id", "anna"]]}
        bob = {"url": "http://shop.example.com/\n\u001b[31m".replace("\n\u001b", "%0A%1B"),
               "headers": [["X-User-Id", "bob"]]}
        away = {"url": "http://elsewhere.example/"}
        lines = self.lines(anna, bob, anna, away)
        self.assertEqual({json.loads(line)["decided"] for line in lines}, {"v1", None})
        bare = json.loads(lines[0])
        del bare["attributes"]
        untold = json.loads(lines[0])
        untold["attributes"]["header.user-agent"] = {"hash": "0011"}
        untold["config"] = "another"
        refused = {**bare, "reason": None, "route": None}
        self.write("log", "\n".join(lines + [json.dumps(bare), json.dumps(untold), json.dumps(refused), "", lines[0][:80]]))
        status, out, err = self.adit("replay", "-c", "adit.json", "--new", "new.json", "--max-moved", "50%",
                                     "--max-moved-users", "10.5%", "--examples", "2", "log")
        self.assertEqual((status, err), (1, """\
adit replay: --max-moved allows 50 %, but 6 of 6 requests (100.00 %) move or may move: what is not known counts as moved
adit replay: --max-moved-users allows 10.5 %, but 4 of 4 users (100.00 %) move or may move: what is not known counts as moved
"""))
        self.assertEqual(out, """\
moved     3 of 3 requests (100.00 %)
          2 of 2 users (100.00 %)
not known 3 requests, which a guard counts as moved
no route  1 requests, neither now nor then: not counted
refused   1 requests, before anything was decided: not counted
config    1 requests were logged under other files than the present ones

route shop                                   before        after         left         came
  all                                             3            3            3            3
  users   2, of whom 2 move
  variant v1                                      3            0            3            0
  variant canary                                  0            3            0            3
  no rule                                         3            3            3            3

moves
        3  shop v1 (default) \u2192 shop canary (default); users: 2
             line 1 of log: GET http://shop.example.com/cart header.user-agent=null region=null user.id="anna" user.registered_at=null
             line 2 of log: GET http://shop.example.com/\\x0a\\x1b[31m header.user-agent=null region=null user.id="bob" user.registered_at=null

not known, and why
        1  attribute header.user-agent is redacted or cut in the log; first line 6 of log
           what proposed rules read and present ones do not is in the log with access_log.attributes "all"

lines that cannot be decided
        1  no_attributes: line 5 of log; it has no attributes: log with access_log.attributes "read" or "all"
        1  half: line 9 of log, column 81: the string has no end; it ends too early: take the log when it is no longer \
written, or leave the line out
""")

    def test_not_known_is_not_missing(self):
        """A header that only the proposed rules read is nowhere in the log: no guard passes."""
        self.log()
        self.write("new.json", {**KEYED, "rules": [{"id": "b", "when": {"header.x-b": "1"}, "to": "canary"}]})
        report, err = self.replay(1, "--new", "new.json", "--max-moved", "99%", "log")
        self.assertEqual((report["requests"], report["guards"]["max_moved"]["ok"]), (0, False))
        self.assertEqual([why["why"] for why in report["unknown"]], ["attribute header.x-b is not in the log"])
        self.assertIn("there is no request in the log that can be decided\n", err)

    def test_name_that_means_something_else(self):
        """A rule file's own attribute that reads another header now is not what the log has."""
        own = lambda header: {**KEYED, "attributes": {"plan": {"type": "string", "from": [{"header": header}]}},
                              "rules": [{"id": "p", "when": {"plan": "pro"}, "to": "canary"}]}
        self.write("shop.json", own("X-Plan"))
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        request = {"url": "http://shop.example.com/", "headers": [["X-Plan", "pro"], ["X-User-Id", "a"]]}
        (decision,) = loglines.decide(ADIT, "adit.json", [request], self.directory.name)
        self.write("log", loglines.line_of(request, decision, {**SOURCES, "plan": "X-Plan"}, [], self.hash))
        self.assertEqual(self.replay(0, "--new", "shop.json", "log")[0]["moved"], 0)
        self.write("new.json", own("X-Tariff"))
        report, _ = self.replay(1, "--new", "new.json", "log")
        self.assertEqual([why["why"] for why in report["unknown"]],
                         ["attribute plan would be read otherwise by the proposed files"])

    def test_key_that_means_something_else(self):
        """Who is drawn by another header draws anew: the line's bucket is not his."""
        own = lambda header: {**KEYED, "attributes": {"account": {"type": "string", "from": [{"header": header}]}},
                              "sticky": {"by": ["account"], "cookie": False}, "rules": []}
        self.write("shop.json", own("X-Account"))
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        request = {"url": "http://shop.example.com/", "headers": [["X-Account", "7"], ["X-Customer", "8"]]}
        (decision,) = loglines.decide(ADIT, "adit.json", [request], self.directory.name)
        self.write("log", loglines.line_of(request, decision, {**SOURCES, "account": "X-Account"}, ["account"], self.hash))
        self.assertEqual(self.replay(0, "--new", "shop.json", "log")[0]["moved"], 0)
        self.write("new.json", own("X-Customer"))
        report, _ = self.replay(1, "--new", "new.json", "log")
        self.assertEqual([why["why"] for why in report["unknown"]],
                         ["attribute account would be read otherwise by the proposed files"])

    def test_cookies_and_assumptions(self):
        """A split where nobody looked at the cookie: unknown, unless it is assumed."""
        self.write("new.json", {**KEYED, "rules": []})
        self.write("log", self.lines({**EAST, "client_ip": "10.1.0.1", "headers": [["X-User-Id", "anna"]]})[0])
        report, _ = self.replay(1, "--new", "new.json", "log")
        self.assertEqual([why["why"] for why in report["unknown"]],
                         ["the log does not tell whether a cookie pinned a variant"])
        self.log(every=["user.id"])
        known = self.replay(0, "--new", "new.json", "log")[0]["not_known"]
        self.assertLess(self.replay(0, "--new", "new.json", "--assume-no-pins", "log")[0]["not_known"], known)
        self.log(config="another")
        report = self.replay(0, "--new", "shop.json", "log")[0]
        self.assertGreater(report["not_known"], 0)
        self.assertEqual(report["other_config"], 300)
        report = self.replay(0, "--new", "shop.json", "--assume-unchanged", "log")[0]
        self.assertEqual((report["not_known"], report["moved"], report["other_config"]), (0, 0, 300))

    def test_force(self):
        """Who forced a variant does so again by the same `force`. By another one nobody knows what he would get, nor
        whether others would force one."""
        self.write("shop.json", PLAIN)
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        ask = lambda value: [["X-User-Id", "anna"], ["X-Canary", value]]
        url = "http://shop.example.com/"
        self.write("log", "\n".join(self.lines(
            *({"url": url, "client_ip": "10.1.2.3", "headers": ask(value)} for value in ("always", "never", "what")),
            {"url": url, "client_ip": "192.0.2.1", "headers": ask("what")})))
        by, whether = ("the log does not tell by what the request forced a variant",
                       "the log does not tell whether the request forces a variant here")
        three = {**PLAIN, "variants": {**PLAIN["variants"], "third": "shop-v1"}}
        cases = (
            ({**PLAIN, "force": {"values": {"never": "v1", "always": "canary"}}}, {}, 0),
            ({**three, "canaries": ["canary", "third"]}, {}, 0),
            ({**three, "canaries": ["third", "canary"]}, {by: 2, whether: 2}, 0),
            ({**PLAIN, "force": {"values": {"never": "canary", "always": "v1"}}}, {by: 2, whether: 2}, 0),
            ({**PLAIN, "force": {"allow_from": ["10.0.0.0/8"]}}, {by: 2, whether: 1}, 0),
            ({**PLAIN, "force": {"allow_from": ["172.16.0.0/12"]}}, {}, 1),
            ({**PLAIN, "force": False}, {}, 1),
        )
        for rules, unknown, moved in cases:
            self.write("new.json", rules)
            known = 4 - sum(unknown.values())
            report, _ = self.replay(0 if known else 1, "--new", "new.json", "log")
            self.assertEqual({why["why"]: why["requests"] for why in report["unknown"]}, unknown, rules)
            self.assertEqual((report["requests"], report["moved"]), (known, moved), rules)
            sure, _ = self.replay(0 if known or unknown else 1, "--new", "new.json", "--assume-no-force", "log")
            self.assertEqual(sure["not_known"], unknown.get(by, 0), rules)

    def test_force_where_nobody_looked(self):
        """While a route is off, and where there was none, nobody looks whether a variant is forced."""
        self.write("shop.json", {**PLAIN, "state": "off"})
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        self.write("log", "\n".join(self.lines(EAST, {"url": "http://elsewhere.example/"})))
        self.write("new.json", {**PLAIN, "match": {}})
        report, _ = self.replay(1, "--new", "new.json", "log")
        self.assertEqual([(why["why"], why["requests"]) for why in report["unknown"]],
                         [("the log does not tell whether the request forces a variant here", 2)])
        report, _ = self.replay(0, "--new", "new.json", "--assume-no-force", "log")
        self.assertEqual((report["requests"], report["moved"]), (2, 1))

    def test_changed_log_is_noticed(self):
        """What the present files decide otherwise than the log says of them."""
        self.log(decided="nobody")
        self.assertGreater(self.replay(0, "--new", "shop.json", "log")[0]["differs_from_log"]["requests"], 100)

    def test_new_config(self):
        self.log()
        config = json.loads(json.dumps(CONFIG))
        config["upstreams"]["shop-v3"] = {"endpoints": ["127.0.0.1:9003"]}
        config["rules"] = ["new.json"]
        self.write("new-adit.json", config)
        self.write("new.json", {**KEYED, "variants": {"v1": "shop-v1", "canary": "shop-v3"}})
        report = self.replay(0, "--new-config", "new-adit.json", "log")[0]
        to_canary = sum(decision["variant"] == "canary" for decision in self.before)
        self.assertEqual((report["moved"], report["moves"][0]["after"]["upstream"]), (to_canary, "shop-v3"))
        self.write("newer.json", {**KEYED, "state": "off"})
        report = self.replay(0, "--new-config", "new-adit.json", "--new", "newer.json", "log")[0]
        self.assertEqual(report["moved"], to_canary)

    def test_new_config_that_believes_others(self):
        """Who is believed, and what, is in no log."""
        self.log()
        self.write("other.key", "another secret of 32 bytes or more")
        for key, value in (("trusted_proxies", ["10.0.0.0/8"]), ("trusted_proxies", None),
                           ("lookups", {"users": {"url": "http://127.0.0.1:1/{user.id}"}}), ("sticky", {"keys": [{"id": "k", "file": "other.key"}]})):
            config = {name: member for name, member in {**CONFIG, key: value}.items() if member is not None}
            self.write("new-adit.json", config)
            status, out, err = self.adit("replay", "-c", "adit.json", "--new-config", "new-adit.json", "log")
            named = "sticky.keys" if key == "sticky" else key
            self.assertEqual((status, out, err), (1, "", (
                f"adit replay: new-adit.json has another '{named}' than adit.json: whom the gateway would believe, and what, is "
                "in no log; replay without this change\n")))
        rotated = {"keys": [{"id": "n", "file": "other.key"}, *CONFIG["sticky"]["keys"]]}
        self.write("new-adit.json", {**CONFIG, "sticky": rotated})
        self.assertEqual(self.replay(0, "--new-config", "new-adit.json", "log")[0]["moved"], 0)

    def test_other_ranges(self):
        """An attribute of the client's address is found anew, in the ranges that are proposed."""
        ranges = lambda network: {network: "office"}
        declared = {**CONFIG["attributes"], "site": {"type": "string", "from": [{"cidr": "sites.json"}]}}
        self.write("sites.json", ranges("10.0.0.0/8"))
        self.write("adit.json", {**CONFIG, "attributes": declared})
        self.write("shop.json", {**PLAIN, "rules": [{"id": "office", "when": {"site": "office"}, "to": "canary"}, *PLAIN["rules"]]})
        self.hash = loglines.config_hash(ADIT, "adit.json", self.directory.name)
        lines = self.lines(*({"url": "http://shop.example.com/", "client_ip": ip, "headers": []} for ip in ("10.0.0.1", "11.0.0.1")))
        told = [json.loads(line) for line in lines]
        for line, site in zip(told, ("office", None)):
            line["attributes"]["site"] = site
        self.write("log", "\n".join(map(json.dumps, told)))
        self.assertEqual([line["decided"] for line in told], ["canary", "v1"])
        self.assertEqual(self.replay(0, "--new-config", "adit.json", "log")[0]["moved"], 0)
        os.mkdir(os.path.join(self.directory.name, "new"))
        for name in ("shop.json", "sticky.key"):
            os.symlink(f"../{name}", os.path.join(self.directory.name, "new", name))
        self.write("new/sites.json", ranges("11.0.0.0/8"))
        self.write("new/adit.json", {**CONFIG, "attributes": declared})
        report = self.replay(0, "--new-config", "new/adit.json", "log")[0]
        self.assertEqual((report["moved"], report["not_known"]), (2, 0))

    def test_long_lines(self):
        lines = self.lines(EAST, EAST)
        self.write("log", lines[0] + "\n{" + " " * (3 << 20) + "}\n" + lines[1] + "\n{" + " " * (1 << 20))
        report = self.replay(0, "--new", "shop.json", "log")[0]
        self.assertEqual((report["lines"]["all"], report["lines"]["too_large"]["count"], report["requests"]), (4, 2, 2))
        self.assertEqual(report["lines"]["too_large"]["first"]["line"], 2)

    def test_usage(self):
        self.log()
        for args, why in ((["--new", "shop.json", "log"], "which adit.json? give -c FILE"),
                          (["-c", "adit.json", "log"], "what is proposed? give --new RULES or --new-config FILE"),
                          (["-c", "adit.json", "--new", "shop.json"], "which log? name its files, or - for standard input"),
                          (["--max-moved", "101%"], "'101%' is no share: write 5% or 0.25%"),
                          (["--max-moved", "5.00001%"], "'5.00001%' is no share: write 5% or 0.25%"),
                          (["--max-moved-users", "x"], "'x' is no share: write 5% or 0.25%"),
                          (["--examples", "101"], "'101' is no number of examples: 0 to 100"),
                          (["--threads", "0"], "'0' is no number of threads: 1 to 64"),
                          (["--tail"], "unknown option '--tail'")):
            self.expect(["replay", *args], 2, "", f"adit replay: {why}; see 'adit help replay'\n")
        self.expect(["replay", "-c", "adit.json", "--new", "shop.json", "none"], 1, "",
                    "adit replay: none: No such file or directory\n")
        self.expect(["replay", "-c", "adit.json", "--new", "shop.json", "."], 1, "", "adit replay: .: Is a directory\n")
        self.write("bad.json", "{")
        self.expect(["replay", "-c", "adit.json", "--new", "bad.json", "log"], 1, "")
        with gzip.open(os.path.join(self.directory.name, "cut.gz"), "wb") as file:
            file.write(b"\n" * 100000)
        os.truncate(os.path.join(self.directory.name, "cut.gz"), 60)
        self.expect(["replay", "-c", "adit.json", "--new", "shop.json", "cut.gz"], 1, "",
                    "adit replay: cut.gz: the packed file ends too early\n")
        packed = gzip.compress(b"\n" * 100000)
        for content, why in ((packed + b"{}\n", "something that is not packed stands behind the packed part"),
                             (packed[:40] + b"\xff" * 20 + packed[60:], ""), (packed[:-6] + b"123456", "incorrect data check")):
            with open(os.path.join(self.directory.name, "bad.gz"), "wb") as file:
                file.write(content)
            said = self.expect(["replay", "-c", "adit.json", "--new", "shop.json", "bad.gz"], 1, "")[-1]
            self.assertTrue(said.startswith(f"adit replay: bad.gz: {why}"), said)
        self.write("empty", "")
        self.expect(["replay", "-c", "adit.json", "--new", "shop.json", "--max-moved", "5%", "empty"], 1, None,
                    "adit replay: --max-moved allows 5 %, but the log tells of no requests\n"
                    "adit replay: there is no request in the log that can be decided\n")


def main():
    test_cli.main()


if __name__ == "__main__":
    main()
