#!/usr/bin/env python3
"""The commands of adit, from outside: usage: test_cli.py PATH-OF-ADIT

Each test runs the program on files in a directory of its own and compares status, standard output
and standard error. The last line is "N passed, N failed".
"""
import base64
import hashlib
import hmac
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import mmdb  # noqa: E402

ADIT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
TIMEOUT = 30
COMMANDS = ["run", "check", "explain", "test", "replay", "import", "demo", "version", "help"]

TOKEN_SECRET = "a secret of 32 bytes or more, for tests"


def sign_token(**claims):
    """A JSON Web Token, HS256."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    head = f"{encode(json.dumps({'alg': 'HS256'}).encode())}.{encode(json.dumps(claims).encode())}"
    return f"{head}.{encode(hmac.new(TOKEN_SECRET.encode(), head.encode(), hashlib.sha256).digest())}"


CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}],
    "rules": ["shop.json"],
    "trusted_proxies": ["127.0.0.0/8"],
    "attributes": {
        "region": {"type": "string", "from": [{"header": "X-Region"}]},
        "user.id": {"type": "string", "from": [{"header": "X-User-Id"}]},
        "user.registered_at": {"type": "time", "from": [{"header": "X-User-Registered-At"}]},
    },
    "upstreams": {
        "shop-v1": {"endpoints": ["127.0.0.1:9001"]},
        "shop-canary": {"endpoints": ["127.0.0.1:9002"]},
    },
    "sticky": {"keys": [{"id": "k", "file": "sticky.key"}]},
}

RULES = {
    "route": "shop",
    "match": {"hosts": ["shop.example.com"]},
    "variants": {"v1": "shop-v1", "canary": "shop-canary"},
    "stable": "v1",
    "segments": {"new-users": {"user.registered_at": {"after": "2026-01-01"}}},
    "rules": [
        {"id": "no-bots", "when": {"header.user-agent": {"contains": "bot", "ignore_case": True}}, "to": "v1"},
        {
            "id": "east-new-users",
            "when": {"region": ["cn-east", "cn-north"], "segment": "new-users"},
            "split": {"canary": 25},
        },
        {"id": "staff", "when": {"client_ip": {"in_cidr": "10.1.0.0/16"}}, "to": "canary"},
    ],
    "default": {"split": {"canary": 5}},
    "tests": [
        {
            "name": "new user in the east",
            "request": {
                "url": "http://shop.example.com/",
                "headers": {"X-Region": "cn-east", "X-User-Registered-At": "2026-03-04"},
                "bucket": 100,
            },
            "expect": {"rule": "east-new-users", "variant": "canary"},
        },
        {
            "name": "anybody",
            "request": {"url": "http://shop.example.com/", "bucket": 9000},
            "expect": {"variant": "v1", "reason": "default"},
        },
    ],
}

URL = "http://shop.example.com/cart?x=1"
EAST = ["-H", "X-Region: cn-east", "-H", "X-User-Registered-At: 2026-03-04"]


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="adit-cli-")
        self.addCleanup(self.directory.cleanup)
        self.write("adit.json", CONFIG)
        self.write("shop.json", RULES)
        self.write("sticky.key", "0123456789abcdef0123456789abcdef")

    def write(self, name, content):
        path = os.path.join(self.directory.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content, indent=2))
        os.chmod(path, 0o600)

    def adit(self, *args, stdin=b""):
        done = subprocess.run(
            [ADIT, *args], cwd=self.directory.name, input=stdin, capture_output=True,
            timeout=TIMEOUT, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def expect(self, args, status, out=None, err=None, stdin=b""):
        got = self.adit(*args, stdin=stdin)
        self.assertEqual(got[0], status, got)
        if out is not None:
            self.assertEqual(got[1], out)
        if err is not None:
            self.assertEqual(got[2], err)
        return got

    def batch(self, *lines, trace=False):
        """Sends lines (bytes, or what is dumped as JSON); gives the answers, parsed."""
        raw = b"".join(
            (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
        args = ["explain", "-c", "adit.json", "--batch"] + (["--trace"] if trace else [])
        status, out, err = self.adit(*args, stdin=raw)
        self.assertEqual((status, err), (0, ""), out)
        return [json.loads(line) for line in out.splitlines()]


class Help(Case):
    def test_help_lists_every_command(self):
        status, out, err = self.adit("help")
        self.assertEqual((status, err), (0, ""))
        listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
        self.assertEqual([name for name in listed if name in COMMANDS], COMMANDS)

    def test_help_of_each_command(self):
        for name in COMMANDS:
            with self.subTest(command=name):
                status, out, err = self.adit("help", name)
                self.assertEqual((status, err), (0, ""))
                self.assertTrue(out.startswith(f"usage: adit {name}"), out)
                self.assertEqual(self.adit(name, "--help"), (0, out, ""))
                self.assertLessEqual(max(map(len, out.splitlines())), 100)

    def test_version(self):
        status, out, err = self.adit("version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\Aadit \d+\.\d+\.\d+\n\Z")
        self.assertEqual(self.adit("--version"), (0, out, ""))

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([ADIT, "version"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"adit version: cannot write to standard output\n")


class Usage(Case):
    def test_usage_errors(self):
        c = ["-c", "adit.json"]
        cases = [
            ([], "adit: which command?; see 'adit help'"),
            (["chekc"], "adit: there is no command 'chekc'; see 'adit help'"),
            (["help", "chekc"], "adit help: there is no command 'chekc'; see 'adit help help'"),
            (["help", "run", "check"], "adit help: one command at a time; see 'adit help help'"),
            (["version", "x"], "adit version: unexpected argument 'x'; see 'adit help version'"),
            (["run"], "adit run: which adit.json? give -c FILE; see 'adit help run'"),
            (["run", "-c"], "adit run: option '-c' needs a value; see 'adit help run'"),
            (["run", "--config"], "adit run: option '--config' needs a value; see 'adit help run'"),
            (["run", *c, "x"], "adit run: unexpected argument 'x'; see 'adit help run'"),
            (["check"], "adit check: which adit.json? give -c FILE; see 'adit help check'"),
            (["check", *c, "--frob"], "adit check: unknown option '--frob'; see 'adit help check'"),
            (["check", *c, "-z"], "adit check: unknown option '-z'; see 'adit help check'"),
            (["check", *c, "-zc"], "adit check: unknown option '-z'; see 'adit help check'"),
            (["check", *c, "--strict=1"],
             "adit check: option '--strict=1' takes no value; see 'adit help check'"),
            (["test", *c, "--strict"], "adit test: unknown option '--strict'; see 'adit help test'"),
            (["explain", URL], "adit explain: which adit.json? give -c FILE; see 'adit help explain'"),
            (["explain", *c], "adit explain: which URL?; see 'adit help explain'"),
            (["explain", *c, URL, "x"], "adit explain: unexpected argument 'x'; see 'adit help explain'"),
            (["explain", *c, "--batch", URL],
             "adit explain: --batch reads its requests from standard input; see 'adit help explain'"),
            (["explain", *c, "--batch", "-X", "PUT"],
             "adit explain: --batch reads its requests from standard input; see 'adit help explain'"),
            (["explain", *c, "-H", "Region", URL],
             "adit explain: header 'Region' has no colon: write 'Name: value'; see 'adit help explain'"),
            (["explain", *c, "-H", "Region:", URL],
             "adit explain: header 'Region:' has no value: write 'Name;' to send it empty;"
             " see 'adit help explain'"),
            (["explain", *c, "--bucket", "x", URL],
             "adit explain: --bucket 'x' is not a whole number from 0 to 9999; see 'adit help explain'"),
            (["demo", "x"], "adit demo: unexpected argument 'x'; see 'adit help demo'"),
            (["demo", "--port", "65536"],
             "adit demo: --port '65536' is not a whole number from 0 to 65535; see 'adit help demo'"),
        ]
        for args, line in cases:
            with self.subTest(args=args):
                self.expect(args, 2, "", line + "\n")

    def test_requests_that_cannot_be(self):
        cases = [
            ["ftp://shop.example.com/"], ["shop.example.com"], ["http://"],
            ["http://shop.example.com/%zz"], ["--client-ip", "300.1.1.1", URL],
            ["--now", "yesterday", URL], ["-X", "BAD METHOD", URL], ["-H", "Bad Name: x", URL],
            ["-H", ": x", URL], ["-H", "Host: a b", URL], ["-H", "A: b\x01", URL],
        ]
        for args in cases:
            with self.subTest(args=args):
                status, out, err = self.adit("explain", "-c", "adit.json", *args)
                self.assertEqual((status, out), (2, ""), err)
                self.assertRegex(err, r"\Aadit explain: [^\n]+; see 'adit help explain'\n\Z")

    def test_control_bytes_are_not_echoed(self):
        status, _, err = self.adit("a\x1b[31m\nb")
        self.assertEqual(status, 2)
        self.assertNotIn("\x1b", err)
        self.assertEqual(err.count("\n"), 1)


class Check(Case):
    def test_fine(self):
        self.expect(["check", "-c", "adit.json"], 0, "adit.json: 1 route, 2 tests: 0 errors, 0 warnings\n", "")
        self.expect(["check", "--strict", "--config=adit.json"], 0, err="")

    def test_warning(self):
        config = dict(CONFIG)
        del config["sticky"]
        self.write("adit.json", config)
        _, out, err = self.expect(["check", "-c", "adit.json"], 0)
        self.assertEqual(out, "adit.json: 1 route, 2 tests: 0 errors, 1 warning\n")
        self.assertRegex(err, r"\A[^\n]*adit\.json[^\n]*: warning: [^\n]+\n\Z")
        self.expect(["check", "-c", "adit.json", "--strict"], 1, out)

    def test_findings_are_warnings_with_a_witness(self):
        rules = json.loads(json.dumps(RULES))
        rules["rules"].append({"id": "late", "when": {"client_ip": {"in_cidr": "10.1.2.0/24"}}, "to": "v1"})
        self.write("shop.json", rules)
        _, out, err = self.expect(["check", "-c", "adit.json"], 0)
        self.assertEqual(out, "adit.json: 1 route, 2 tests: 0 errors, 1 warning\n")
        warning, witness = err.splitlines()
        self.assertRegex(warning, r"\Ashop\.json:\d+:\d+: warning: rule 'late': can never match: rule 'staff' ")
        line = witness.split(": note: witness: ")[1]
        _, answer, _ = self.expect(["explain", "-c", "adit.json", "--batch"], 0, stdin=f"{line}\n".encode())
        self.assertEqual(json.loads(answer)["rule"], "staff")
        self.expect(["check", "-c", "adit.json", "--strict"], 1, out)

    def test_what_will_be_over(self):
        rules = json.loads(json.dumps(RULES))
        rules["rules"].append({"id": "xmas", "when": {"now": {"before": "2099-12-24"}, "region": "eu"}, "to": "canary"})
        for test in rules["tests"]:
            test["request"]["now"] = "2026-06-01"
        self.write("shop.json", rules)
        self.expect(["check", "-c", "adit.json", "--strict"], 0, err="")
        _, _, err = self.expect(["check", "-c", "adit.json", "--strict", "--now", "2100-01-01"], 1)
        self.assertIn("rule 'xmas': can no longer match", err)
        self.expect(["check", "-c", "adit.json", "--now", "soon"], 2,
                    err="adit check: --now 'soon' is not a time, as 2026-01-01T00:00:00Z is; see 'adit help check'\n")

    def test_notes_are_no_warnings(self):
        _, out, err = self.expect(["check", "-c", "adit.json", "--strict", "--notes"], 0)
        self.assertEqual(out, "adit.json: 1 route, 2 tests: 0 errors, 0 warnings\n")
        self.assertRegex(err, r"\Ashop\.json:\d+:\d+: note: any client can force the canary [^\n]+\n\Z")

    def test_mistakes_are_shown_together(self):
        rules = json.loads(json.dumps(RULES))
        rules["segments"]["new-users"]["user.registered_at"] = {"befor": "2026-01-01"}
        rules["rules"][0]["to"] = "v2"
        self.write("shop.json", rules)
        _, out, err = self.expect(["check", "-c", "adit.json"], 1)
        self.assertRegex(out, r"\Aadit\.json: [2-9] errors, 0 warnings\n\Z")
        self.assertIn("unknown operator 'befor'", err)
        self.assertIn("did you mean 'before'?", err)
        self.assertIn("'v2'", err)
        for line in err.splitlines():
            self.assertRegex(line, r"\Ashop\.json:\d+:\d+: error: ")

    def test_no_such_file(self):
        _, out, err = self.expect(["check", "-c", "nowhere.json"], 1)
        self.assertEqual(out, "nowhere.json: 1 error, 0 warnings\n")
        self.assertIn("nowhere.json", err)

    def test_rules_instead_of_those_named(self):
        other = json.loads(json.dumps(RULES))
        other["tests"] = other["tests"][:1]
        self.write("other.json", other)
        self.expect(["check", "-c", "adit.json", "other.json"], 0,
                    "adit.json: 1 route, 1 test: 0 errors, 0 warnings\n", "")
        self.expect(["check", "-c", "adit.json", "other.json", "shop.json"], 1)

    def test_failing_test_is_an_error(self):
        rules = json.loads(json.dumps(RULES))
        rules["tests"][1]["expect"]["variant"] = "canary"
        self.write("shop.json", rules)
        _, out, err = self.expect(["check", "-c", "adit.json"], 1)
        self.assertEqual(out, "adit.json: 1 route, 2 tests: 1 error, 0 warnings\n")
        self.assertRegex(err, r"\Ashop\.json:\d+:\d+: error: test 'anybody' failed: [^\n]+\n\Z")


COVERAGE = r"""coverage: 1 of 3 rules decided, 0 of 4 conditions both ways
shop.json:21:5: rule 'no-bots': no test matches it: those that reach it pass on
  add: {"name":"rule 'no-bots' decides","request":{"url":"http://shop.example.com/","headers":[["user-agent","bot"]]},"expect":{"variant":"v1","reason":"rule","rule":"no-bots"}}
shop.json:25:11: rule 'no-bots': no test finds header.user-agent contains "bot" true or false
  a test above finds that it is true
  add: {"name":"rule 'no-bots': header.user-agent contains \"bot\" is false","request":{"url":"http://shop.example.com/","headers":[["user-agent","x"]]},"expect":{"variant":"v1","reason":"default","rule":null}}
shop.json:34:9: rule 'east-new-users': no test finds region in ["cn-east","cn-north"] false
  add: {"name":"rule 'east-new-users': region in [\"cn-east\",\"cn-north\"] is false","request":{"url":"http://shop.example.com/","headers":[["X-Region","x"]]},"expect":{"variant":"v1","reason":"default","rule":null}}
shop.json:16:9: rule 'east-new-users': no test finds user.registered_at after "2026-01-01" false
  add: {"name":"rule 'east-new-users': user.registered_at after \"2026-01-01\" is false","request":{"url":"http://shop.example.com/","headers":[["X-User-Registered-At","2026-01-01"]]},"expect":{"variant":"v1","reason":"default","rule":null}}
shop.json:44:5: rule 'staff': no test matches it: those that reach it pass on
  add: {"name":"rule 'staff' decides","request":{"url":"http://shop.example.com/","client_ip":"10.1.0.0"},"expect":{"variant":"canary","reason":"rule","rule":"staff"}}
shop.json:48:11: rule 'staff': no test finds client_ip in_cidr "10.1.0.0/16" true
  a test above finds that it is true
"""


class Test(Case):
    def test_all_pass(self):
        self.expect(["test", "-c", "adit.json"], 0, COVERAGE + "2 passed, 0 failed\n", "")
        self.expect(["test", "-c", "adit.json", "shop.json"], 0, COVERAGE + "2 passed, 0 failed\n", "")

    def test_failures(self):
        self.fail_one()
        _, out, _ = self.expect(["test", "-c", "adit.json"], 1)
        lines = out.splitlines()
        self.assertEqual(lines[1:], COVERAGE.splitlines() + ["1 passed, 1 failed"])
        self.assertRegex(lines[0], r"\Ashop\.json:\d+:\d+: test 'anybody' failed: ")
        self.assertIn("canary", lines[0])
        self.assertIn("v1", lines[0])

    def fail_one(self, name="anybody"):
        rules = json.loads(json.dumps(RULES))
        rules["tests"][1]["expect"]["variant"] = "canary"
        rules["tests"][1]["name"] = name
        self.write("shop.json", rules)

    def test_coverage_counts_what_tests_find(self):
        rules = json.loads(json.dumps(RULES))
        request = {"url": "http://shop.example.com/", "bucket": 0}
        asked = [({"User-Agent": "a bot"}, "no-bots", None),
                 ({"User-Agent": "x", "X-Region": "eu", "X-User-Registered-At": "2025-01-01"}, "staff", "10.1.2.3")]
        for headers, rule, client_ip in asked:
            more = {"client_ip": client_ip} if client_ip else {}
            rules["tests"].append({"request": {**request, "headers": headers, **more}, "expect": {"rule": rule}})
        self.write("shop.json", rules)
        self.expect(["test", "-c", "adit.json"], 0,
                    "coverage: 3 of 3 rules decided, 4 of 4 conditions both ways\n4 passed, 0 failed\n", "")

    def test_what_tests_did_with_a_rule(self):
        either = {"any": [{"query.a": "1"}, {"query.b": "1"}]}
        rules = {**RULES, "segments": {}, "rules": [{"id": "r", "when": either, "to": "canary"},
                                                    {"id": "all", "to": "v1"}, {"id": "late", "to": "v1"}]}
        never, passed = "no test reaches it", "no test matches it: those that reach it pass on"
        always = "no test that reaches it passes on"
        for queries, gaps in [([], {"r": never, "all": never, "late": never}),
                              (["c=1"], {"r": passed, "late": never}),
                              (["a=1&b=2", "a=2&b=1"], {"r": always, "all": never, "late": never}),
                              (["a=1&b=2", "a=2&b=1", "a=2"], {"late": never})]:
            with self.subTest(queries=queries):
                rules["tests"] = [{"request": {"url": f"http://shop.example.com/?{query}"},
                                   "expect": {"route": "shop"}} for query in queries]
                self.write("shop.json", rules)
                _, out, _ = self.expect(["test", "-c", "adit.json"], 0)
                found = dict(re.findall(r": rule '(\w+)': (no test (?!finds).*)", out))
                self.assertEqual(found, gaps, out)

    def test_expect_takes_each_alone_and_together(self):
        right = {"route": "shop", "variant": "canary", "reason": "rule", "rule": "r", "bucket": 7}
        wrong = {"route": None, "variant": "v1", "reason": "default", "rule": None, "bucket": 8}
        test = {"request": {"url": "http://shop.example.com/", "bucket": 7}}
        rules = {**RULES, "segments": {}, "rules": [{"id": "r", "split": {"canary": 1}}]}
        for n in range(1, len(right) + 1):
            for names in itertools.combinations(right, n):
                expected = {name: right[name] for name in names}
                mistaken = [{**expected, name: wrong[name]} for name in names]
                rules["tests"] = [{**test, "expect": expect} for expect in [expected, *mistaken]]
                self.write("shop.json", rules)
                _, out, _ = self.expect(["test", "-c", "adit.json"], 1)
                said = re.findall(r"failed: expected (\w+) (\w+); got", out)
                self.assertEqual(said, [(name, "null" if wrong[name] is None else str(wrong[name]))
                                        for name in names], out)
                self.assertTrue(out.endswith(f"1 passed, {n} failed\n"), out)

    def test_why_no_test_is_proposed(self):
        same = {"query.a": "1"}
        cases = [([{"id": "r", "when": {"all": [same, {"not": same}]}, "to": "canary"}], "on",
                  "impossible: in no request of the route it decides"),
                 ([{"id": "all", "to": "v1"}, {"id": "r", "when": same, "to": "canary"}], "on",
                  "impossible: earlier rules take every request in which it decides"),
                 ([{"id": "r", "when": same, "to": "canary"}], "off",
                  'impossible: in state "off" no rule is asked'),
                 ([{"id": "r", "when": {"header.x": {"matches": r"^a(?=b)b$"}}, "to": "canary"}], "on",
                  "no request in which it decides was found within")]
        for listed, state, said in cases:
            with self.subTest(said=said):
                self.write("shop.json", {**RULES, "segments": {}, "tests": [], "state": state, "rules": listed})
                _, out, _ = self.expect(["test", "-c", "adit.json"], 0)
                below = out[out.index("rule 'r': "):].splitlines()[1]
                self.assertTrue(below.startswith("  " + said), out)

    def test_paths_that_are_proposed_begin_with_a_slash(self):
        rules = [{"id": "r0", "when": {"path": {"under": "/b"}}, "to": "v1"},
                 {"id": "r1", "when": {"path": {"ends_with": "b"}}, "to": "canary"},
                 {"id": "r2", "when": {"path": {"contains": "c"}}, "to": "v1"},
                 {"id": "r3", "when": {"path": {"matches": "d$"}}, "to": "canary"}]
        self.write("shop.json", {**RULES, "segments": {}, "tests": [], "rules": rules})
        _, out, _ = self.expect(["test", "-c", "adit.json"], 0)
        for rule, path in (("r1", "/xb"), ("r2", "/xc"), ("r3", "/xd")):
            proposed = next(json.loads(line[7:]) for line in out.splitlines() if f"rule '{rule}' decides" in line)
            self.assertEqual(proposed["request"]["url"], f"http://shop.example.com{path}", out)
            self.assertEqual(proposed["expect"]["rule"], rule)

    def test_gaps_are_counted_where_they_are_many(self):
        rules = json.loads(json.dumps(RULES))
        rules["rules"] = [{"id": f"r{i}", "when": {"query.a": str(i)}, "to": "v1"} for i in range(30)]
        del rules["tests"]
        self.write("shop.json", rules)
        _, out, _ = self.expect(["test", "-c", "adit.json"], 0)
        proposed = [line for line in out.splitlines() if line.startswith("  ")]
        self.assertEqual(len(proposed), 30, "ten rules with a condition each, two lines below that")
        lines = [line for line in out.splitlines() if not line.startswith("  ")]
        self.assertEqual(lines[0], "coverage: 0 of 30 rules decided, 0 of 30 conditions both ways")
        self.assertEqual(lines[21:], ["shop.json: and 40 more", "0 passed, 0 failed"])

    def test_junit(self):
        name = 'a <b> & "c" \u4f60\u597d\n\t\u0001\ufffe'
        self.fail_one(name)
        self.expect(["test", "-c", "adit.json", "--junit", "out.xml"], 1)
        suites = ElementTree.parse(os.path.join(self.directory.name, "out.xml")).getroot()
        self.assertEqual((suites.tag, suites.get("tests"), suites.get("failures")), ("testsuites", "2", "1"))
        (suite,) = suites
        self.assertEqual((suite.tag, suite.get("name"), suite.get("tests"), suite.get("failures")),
                         ("testsuite", "shop.json", "2", "1"))
        properties, passed, failed = suite
        self.assertEqual({one.get("name"): one.get("value") for one in properties},
                         {"coverage.rules": "3", "coverage.rules.decided": "1", "coverage.conditions": "4",
                          "coverage.conditions.both_ways": "0"})
        self.assertEqual((passed.get("name"), passed.get("classname"), len(passed)),
                         ("new user in the east", "shop", 0))
        self.assertEqual(failed.get("name"), name.replace("\u0001", "\ufffd").replace("\ufffe", "\ufffd"))
        (failure,) = failed
        self.assertEqual(failure.tag, "failure")
        self.assertTrue(failure.get("message").startswith("expected variant canary; got "), failure.attrib)
        self.assertRegex(failure.text, r"\Ashop\.json:\d+:\d+: expected variant canary; ")

    def test_junit_that_cannot_be_written(self):
        _, out, err = self.expect(["test", "-c", "adit.json", "--junit", "no/such/out.xml"], 1)
        self.assertTrue(out.endswith("2 passed, 0 failed\n"), out)
        self.assertEqual(err, "adit test: no/such/out.xml: No such file or directory\n")

    def test_what_does_not_load(self):
        self.write("shop.json", "{")
        _, out, err = self.expect(["test", "-c", "adit.json"], 1)
        self.assertEqual(out, "")
        self.assertIn("shop.json:1:", err)


class Explain(Case):
    def explain(self, *args):
        return self.adit("explain", "-c", "adit.json", *args)

    def decide(self, *args):
        status, out, err = self.explain("--json", *args)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count("\n"), 1)
        return json.loads(out)

    def test_text_of_a_split(self):
        status, out, err = self.explain(*EAST, "-H", "X-User-Id: u-17", "-H", "User-Agent: curl/8", URL)
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertRegex(lines[0], r"\Avariant +(v1|canary) \(upstream shop-(v1|canary)\)\Z")
        self.assertEqual(lines[1], "reason   rule: rule 'east-new-users' matches, and its split decides")
        self.assertEqual(lines[2], "route    shop (shop.json), state on")
        self.assertRegex(lines[3], r"\Abucket   \d+ of 0\.\.9999: the bucket of user\.id \"u-17\" with salt 'shop'\Z")
        self.assertEqual(lines[4:], [
            "",
            "  ✗ no-bots → v1",
            '      ✗ header.user-agent contains "bot"  (saw "curl/8")',
            "  ✓ east-new-users → 25 % canary, the rest v1",
            '      ✓ region in ["cn-east","cn-north"]  (saw "cn-east")',
            '      ✓ user.registered_at after "2026-01-01"  (saw "2026-03-04")',
            "  · staff → canary  (not asked)",
            "  · default → 5 % canary, the rest v1  (not asked)",
            "",
            "attributes",
            '  region             "cn-east"',
            '      ✓ {"header":"X-Region"}: a trusted proxy\'s word',
            '  user.registered_at "2026-03-04"',
            '      ✓ {"header":"X-User-Registered-At"}: a trusted proxy\'s word',
        ])

    def test_text_of_the_default_untrusted(self):
        status, out, err = self.explain("--untrusted", *EAST, "--bucket", "499", URL)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines(), [
            "variant  canary (upstream shop-canary)",
            "reason   default: no rule matches, and the default split decides",
            "route    shop (shop.json), state on",
            "bucket   499 of 0..9999: as --bucket says",
            "",
            "  ? no-bots → v1",
            '      ? header.user-agent contains "bot"  (missing: user-agent is not in the request)',
            "  ? east-new-users → 25 % canary, the rest v1",
            '      ? region in ["cn-east","cn-north"]  (missing: X-Region is in the request, '
            "but does not count from this peer)",
            '      ? user.registered_at after "2026-01-01"  (missing: X-User-Registered-At is in the '
            "request, but does not count from this peer)",
            '      to match: region in ["cn-east","cn-north"] and user.registered_at after "2026-01-01"',
            "  ✗ staff → canary",
            '      ✗ client_ip in_cidr "10.1.0.0/16"  (saw "127.0.0.1": outside 10.1.0.0/16)',
            "  ✓ default → 5 % canary, the rest v1",
            "",
            "attributes",
            "  region             missing: X-Region is in the request, but does not count from this peer",
            '      · {"header":"X-Region"}: a trusted proxy\'s word',
            "  user.registered_at missing: X-User-Registered-At is in the request, but does not count from this peer",
            '      · {"header":"X-User-Registered-At"}: a trusted proxy\'s word',
        ])

    def test_text_of_how_far_off(self):
        when = {
            "user.registered_at": {"after": "2026-01-01", "between": ["2024-01-01", "2025-12-01"]},
            "region": ["cn-east", "cn-north"],
            "header.x": {"starts_with": "Shop"},
            "age": {"gte": 18},
            "app": {"gt": "5.10"},
        }
        rules = {**RULES, "tests": [], "rules": [{"id": "r", "when": {"any": [when]}, "to": "canary"}]}
        rules["attributes"] = {"age": {"type": "number", "from": [{"header": "Age"}]},
                               "app": {"type": "version", "from": [{"header": "App"}]}}
        self.write("shop.json", rules)
        for header, said in [
                ("X-User-Registered-At: 2025-12-30", '(saw "2025-12-30": 2 days before 2026-01-01)'),
                ("X-User-Registered-At: 2025-12-31T22:30:00Z", ': 1 hour 30 minutes before 2026-01-01)'),
                ("X-User-Registered-At: 2026-01-01", ": exactly the bound, which 'after' leaves out)"),
                ("X-User-Registered-At: 2025-12-01", ": exactly the bound, which 'between' leaves out)"),
                ("X-User-Registered-At: 2023-12-31", ": 1 day before 2024-01-01)"),
                ("X-Region: CN-East", ': only the case of letters differs from "cn-east")'),
                ("X-Region: cn-esat", ': nearly "cn-east")'),
                ("X-Region: de", '(saw "de")'),
                ("X: shopping", ': only the case of letters differs from "Shop")'),
                ("Age: 15", ": 3 below 18)"),
                ("App: 5.9", ": older than 5.10 (part 2: 9, not 10))")]:
            with self.subTest(header=header):
                status, out, err = self.explain("-H", header, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertIn(said + "\n", out)

    def test_text_of_distances_of_versions_and_numbers(self):
        attributes = {"v": {"type": "version", "from": [{"header": "V"}]},
                      "b": {"type": "semver", "from": [{"header": "B"}]},
                      "n": {"type": "number", "from": [{"header": "N"}]}}
        for when, header, said in [
                ({"v": {"gte": "2.10"}}, "V: 2.10-rc.1", ": older than 2.10, of which it is a pre-release)"),
                ({"v": {"gte": "2.10"}}, "V: v2.10.0-rc.1", ": older than 2.10, of which it is a pre-release)"),
                ({"v": {"gte": "2.010"}}, "V: 2.9-rc.1", ": older than 2.010 (part 2: 9, not 010))"),
                ({"v": {"gte": "2.10-rc.2"}}, "V: 2.10-rc.1", ": older than 2.10-rc.2 (pre-release part 2: 1, not 2))"),
                ({"v": {"gte": "2.10-rc.2"}}, "V: 2.10-rc", ": older than 2.10-rc.2 (pre-release part 2: none, not 2))"),
                ({"v": {"lt": "2-a"}}, "V: 2", ": newer than 2-a, which is a pre-release of it)"),
                ({"b": {"gte": "1.0.0"}}, "B: 1.0.0-rc.1+5", ": older than 1.0.0, of which it is a pre-release)"),
                ({"n": {"between": [1, 3]}}, "N: 0.999999999999", ": 1e-12 below 1)"),
                ({"n": {"lt": 3}}, "N: 3.5", ": 0.5 above 3)")]:
            rules = {**RULES, "tests": [], "attributes": attributes, "rules": [{"id": "r", "when": when, "to": "canary"}]}
            self.write("shop.json", rules)
            with self.subTest(when=when, header=header):
                status, out, err = self.explain("-H", header, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertIn(said + "\n", out)

    def test_text_of_local_times(self):
        when = {"now.weekday": ["mon", "fri"], "now.time": {"between": ["22:00", "06:00"]}}
        rules = {**RULES, "tests": [], "time_zone": "Asia/Shanghai", "rules": [
            {"id": "r", "when": when, "window": {"from": "2026-05-29", "until": "2026-06-01"}, "to": "canary"}]}
        self.write("shop.json", rules)
        for now, said in [
                ("2026-05-29T14:00:00Z", "as of 2026-05-29T14:00:00Z (fri 22:00:00 in Asia/Shanghai); another time"),
                ("2026-05-29T14:00:00Z", '✓ now.time between ["22:00","06:00"]  (saw "22:00:00"; in Asia/Shanghai)'),
                ("2026-05-29T13:00:00Z", '(saw "21:00:00": 1 hour before 22:00; in Asia/Shanghai)'),
                ("2026-05-29T05:59:59Z", '(saw "13:59:59": 7 hours 59 minutes after 06:00; in Asia/Shanghai)'),
                ("2026-05-28T22:00:01Z", '(saw "06:00:01": 1 second after 06:00; in Asia/Shanghai)'),
                ("2026-05-28T22:00:00Z", "exactly the bound, which 'between' leaves out; in Asia/Shanghai)"),
                ("2026-05-30T14:00:00Z", '✗ now.weekday in ["mon","fri"]  (saw "sat"; in Asia/Shanghai)'),
                ("2026-05-28T22:00:00Z", '✗ now window from "2026-05-29"  (saw "2026-05-28T22:00:00Z": 2 hours before'),
                ("2026-06-01T15:00:00Z", '✗ now window until "2026-06-01"  (saw "2026-06-01T15:00:00Z": 15 hours after')]:
            with self.subTest(now=now, said=said):
                status, out, err = self.explain("--now", now, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertIn(said, out)

    def test_text_of_how_far_outside(self):
        self.write("users.txt", "u-1\nu-2\n")
        self.write("ages.txt", "1\n2\n3\n")
        cases = [
            ({"client_ip": {"in_cidr": "10.1.0.0/16"}}, ["--client-ip", "10.9.0.1"],
             '"10.9.0.1": outside 10.1.0.0/16, alike in the first 12 of 16 bits)'),
            ({"client_ip": {"in_cidr": ["192.168.0.0/16", "10.1.0.0/16"]}}, ["--client-ip", "10.9.0.1"],
             ": outside all 2 networks, nearest 10.1.0.0/16, alike in the first 12 of 16 bits)"),
            ({"client_ip": {"in_cidr": ["2001:db8::/32", "10.0.0.0/8"]}}, ["--client-ip", "192.0.2.1"],
             ": outside all 2 networks)"),
            ({"client_ip": {"in_cidr": "2001:db8::/32"}}, ["--client-ip", "2001:db9::1"],
             ": outside 2001:db8::/32, alike in the first 31 of 32 bits)"),
            ({"path": {"under": "/car"}}, [], '"/cart": begins with it, but not as a whole segment)'),
            ({"path": {"under": "/Cart"}}, [], ': only the case of letters differs from "/Cart")'),
            ({"path": {"under": "/x"}}, [], '(saw "/cart")'),
            ({"user.id": {"bucket_in": [0, 1], "salt": "s"}}, ["-H", "X-User-Id: u"], " is not in [0, 100))"),
            ({"user.id": {"in_file": "users.txt"}}, ["-H", "X-User-Id: u"], ": none of the file's 2 values)"),
            ({"age": {"in_file": "ages.txt"}}, ["-H", "Age: 4"], ": none of the file's 3 values)"),
            ({"user.id": {"matches": ["a", "b"]}}, ["-H", "X-User-Id: u"], ": none of 2 patterns matches)"),
            ({"user.id": {"ne": "u"}}, ["-H", "X-User-Id: u"], '(saw "u")'),
            ({"user.id": {"not_in": ["t", "u"]}}, ["-H", "X-User-Id: u"], '(saw "u": "u" is excluded)'),
            ({"header.x": {"ne": "b"}}, ["-H", "X: a", "-H", "X: b"], '(saw "a", "b": "b" is excluded)'),
            ({"age": {"gte": 18}}, ["-H", "Age: 3", "-H", "Age: 15", "-H", "Age: 9"],
             ': the nearest is "15": 3 below 18)'),
            ({"age": {"lt": 2}}, ["-H", "Age: 3", "-H", "Age: 15"], ': the nearest is "3": 1 above 2)'),
            ({"age": {"between": [5, 8]}}, ["-H", "Age: 3", "-H", "Age: 9"], ': the nearest is "3": 2 below 5)'),
            ({"header.x": ["c", "d"]}, ["-H", "X: a", "-H", "X: b"], '(saw "a", "b")'),
        ]
        for when, args, said in cases:
            with self.subTest(when=when, args=args):
                self.write("shop.json", {**RULES, "tests": [], "rules": [{"id": "r", "when": when, "to": "canary"}],
                    "attributes": {"age": {"type": "number", "from": [{"header": "Age"}]}}})
                status, out, err = self.explain(*args, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertIn(said + "\n", out)

    def test_text_of_what_a_rule_needs(self):
        when = {"header.a": "1", "any": [{"all": [{"header.b": "1"}, {"header.c": "1"}]}, {"header.d": "1"}],
                "not": {"header.e": {"exists": True}}}
        rules = {**RULES, "tests": [], "rules": [{"id": "r", "when": when, "to": "canary"}]}
        self.write("shop.json", rules)
        for headers, said in [
                ([], 'header.a eq "1" and header.d eq "1"'),
                (["A", "B", "C", "E"], "not header.e exists true"),
                (["B", "E"], 'header.a eq "1" and header.c eq "1" and not header.e exists true'),
                (["A", "D"], None)]:
            with self.subTest(headers=headers):
                args = [arg for name in headers for arg in ("-H", f"{name}: 1")]
                status, out, err = self.explain(*args, URL)
                self.assertEqual((status, err), (0, ""))
                lines = [line for line in out.splitlines() if "to match" in line]
                self.assertEqual(lines, [f"      to match: {said}"] if said else [])

    def test_what_a_rule_needs_can_be(self):
        """The line names conditions that a request can meet and by which the rule decides, or says that none can."""
        first = {"id": "first", "when": {"region": "cn"}, "to": "v1"}
        def either(*branches):
            return {"id": "r", "when": {"any": list(branches)}, "to": "canary"}
        for rules, said in [
                # The cheaper branch contradicts itself.
                ([either({"header.a": "1", "not": {"header.a": "1"}}, {"header.a": "2", "header.b": "1", "header.c": "1"})],
                 'header.a eq "2" and header.b eq "1" and header.c eq "1"'),
                # An earlier rule takes what the cheaper branch wants.
                ([first, either({"region": "cn"}, {"region": "us", "header.b": "1"})],
                 'region eq "us" and header.b eq "1"'),
                ([first, {"id": "r", "when": {"region": "cn", "header.b": "1"}, "to": "canary"}],
                 "impossible, earlier rules take every request that would"),
                ([first, {"id": "r", "when": {"region": ["cn"]}, "to": "canary"}],
                 "impossible, earlier rules take every request that would"),
                ([{"id": "r", "when": {"region": "cn", "not": {"region": ["cn", "us"]}}, "to": "canary"}],
                 "impossible, no request of the route does"),
                ([{"id": "r", "when": {"path": {"under": "/elsewhere"}, "header.b": "1"}, "to": "canary"}],
                 "impossible, no request of the route does"),
                # Of the branches that can be, the one that changes the fewest.
                ([first, either({"region": "cn"}, {"query.a": "1", "query.b": "1", "query.c": "1", "query.d": "1"},
                                {"query.y": "1", "query.z": "1"})], 'query.y eq "1" and query.z eq "1"'),
                ([first, either({"region": "cn"}, {"query.a": "1", "query.b": "1"},
                                {"query.x": "1", "query.c": "1"})], 'query.c eq "1"')]:
            with self.subTest(rules=rules):
                self.write("shop.json", {**RULES, "match": {**RULES["match"], "path_prefix": "/cart"}, "tests": [],
                                         "rules": rules})
                status, out, err = self.explain(URL)
                self.assertEqual((status, err), (0, ""))
                self.assertIn(f"      to match: {said}\n", out)

    def test_text_of_whose_word_an_attribute_is(self):
        """Declared attributes that were asked for, once each; a given one has no source; built-in families none either."""
        config = {**CONFIG, "attributes": {**CONFIG["attributes"], "tier": {"type": "string", "from": [
            {"header": "X-Tier"}, {"cookie": "tier", "trust": "anyone"}, {"query": "t", "trust": "anyone"}]}}}
        rules = {**RULES, "tests": [], "attributes": {"own": {"type": "list", "from": [{"header": "Own"}]}}, "rules": [
            {"id": "r", "when": {"tier": "a", "own": "b", "header.x": "c"}, "to": "canary"},
            {"id": "s", "when": {"tier": "d", "user.registered_at.age": {"gt": "1d"}}, "to": "canary"}]}
        self.write("adit.json", config)
        self.write("shop.json", rules)
        tier = ['      %s {"header":"X-Tier"}: a trusted proxy\'s word', '      %s {"cookie":"tier","trust":"anyone"}: anyone\'s word',
                '      %s {"query":"t","trust":"anyone"}: anyone\'s word']
        own = '      %s {"header":"Own"}: anyone\'s word'
        at = '      %s {"header":"X-User-Registered-At"}: a trusted proxy\'s word'

        def marked(marks):
            return [line % mark for line, mark in zip(tier, marks)]

        for args, said in [
                (["-H", "X-Tier: x", "-H", "Cookie: tier=y", "-H", "X-User-Registered-At: soon", "-H", "Own: p, q"], [
                    '  tier               "x"', *marked("✓··"), '  own                "p", "q"', own % "✓",
                    '  user.registered_at missing: "soon" does not parse as time', at % "✗"]),
                (["--untrusted", "-H", "X-Tier: x", "-H", "Cookie: tier=y"], [
                    '  tier               "y"', *marked("·✓·"), "  own                missing: Own is not in the request",
                    own % "·", "  user.registered_at missing: X-User-Registered-At is not in the request", at % "·"]),
                (["-H", "X-Tier: x", "-H", "X-Tier: y", "--attribute", "own=g"], [
                    "  tier               missing: X-Tier is in several header fields, where only one can be trusted", *marked("✗··"), '  own                "g", as given',
                    "  user.registered_at missing: X-User-Registered-At is not in the request", at % "·"])]:
            with self.subTest(args=args):
                status, out, err = self.explain(*args, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(out.split("\nattributes\n")[1].splitlines(), said)

    def test_text_of_what_the_client_says_of_itself(self):
        """Built-in, and anyone's word: the field that it is of, and what is said where none tells."""
        self.write("shop.json", {**RULES, "tests": [], "rules": [
            {"id": "r", "when": {"device": "mobile", "language": "de-CH"}, "to": "canary"},
            {"id": "s", "when": {"device": "bot", "os.version": {"gte": "17"}}, "to": "canary"}]})
        iphone = "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X)"

        def shown(value, marks, *fields):
            return [value, *(f"      {mark} {field}: anyone's word" for mark, field in zip(marks, fields))]

        device = ("Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "User-Agent")
        version = ("Sec-CH-UA-Platform-Version", "Sec-CH-UA-Platform", "User-Agent")
        for args, said in [
                (["--untrusted", "-H", iphone, "-H", "Accept-Language: de-ch, en;q=0.5", "-H", "Sec-CH-UA-Mobile: ?0"], [
                    *shown('  device             "tablet"', "✓··", *device),
                    *shown('  language           "de-CH"', "✓", "Accept-Language"),
                    *shown('  os.version         "17.1"', "··✓", *version)]),
                (["-H", iphone, "-H", "Accept-Language: *", "--attribute", "device=bot"], [
                    '  device             "bot", as given',
                    *shown("  language           missing: what the client says of itself does not tell", "·", "Accept-Language"),
                    *shown('  os.version         "17.1"', "··✓", *version)]),
                ([], [
                    *shown(f"  device             missing: {' or '.join(device)} is not in the request", "···", *device),
                    *shown("  language           missing: Accept-Language is not in the request", "·", "Accept-Language"),
                    *shown(f"  os.version         missing: {' or '.join(version)} is not in the request", "···", *version)])]:
            with self.subTest(args=args):
                status, out, err = self.explain(*args, URL)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(out.split("\nattributes\n")[1].splitlines(), said)
        request = {"url": URL, "headers": {"User-Agent": iphone[12:]}, "attributes": {"language": "de-CH"}}
        missing = {**request, "attributes": {"language": "de-CH", "device": None}}
        self.assertEqual([one["variant"] for one in self.batch(request, missing)], ["canary", "v1"])
        self.write("shop.json", {**RULES, "tests": [], "attributes": {"browser": {"type": "string", "from": [{"header": "B"}]}}})
        status, _, err = self.explain(URL)
        self.assertEqual(status, 1)
        self.assertIn("attribute 'browser' is built-in and cannot be declared (choose another name)", err)

    def test_text_of_an_attribute_by_address(self):
        """Which source a value is of: a database, a range, or the header behind them; also with --diff and in batches."""
        mmdb.FILES["city.mmdb"](os.path.join(self.directory.name, "city.mmdb"))
        self.write("sites.json", {"10.1.0.0/16": "lab"})
        self.write("adit.json", {**CONFIG, "geoip": {"databases": ["city.mmdb"]}, "attributes": {
            **CONFIG["attributes"], "where": {"type": "string", "from": [
                {"cidr": "sites.json"}, {"geoip": "region"}, {"header": "X-Where"}]}}})
        self.write("shop.json", {**RULES, "tests": [], "rules": [{"id": "r", "when": {"where": "BJ"}, "to": "canary"}]})
        self.write("other.json", {**RULES, "tests": [], "rules": [{"id": "r", "when": {"where": "lab"}, "to": "canary"}]})
        sources = ('{"cidr":"sites.json"}: by client_ip', '{"geoip":"region"}: by client_ip', '{"header":"X-Where"}: a trusted proxy\'s word')
        for ip, value, marks in (("10.1.2.3", '"lab"', "✓··"), ("::ffff:203.0.113.1", '"BJ"', "·✓·"),
                                 ("2001:db8::1", '"13"', "·✓·"), ("203.0.113.129", '"far"', "··✓")):
            with self.subTest(ip=ip):
                status, out, err = self.explain("--client-ip", ip, "-H", "X-Where: far", URL)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual(out.split("\nattributes\n")[1].splitlines(), [
                    f"  where              {value}", *(f"      {mark} {source}" for mark, source in zip(marks, sources))])
        _, out, _ = self.explain("--client-ip", "192.0.2.1", URL)
        self.assertIn("  where              missing: the client's address is in no range\n", out)
        _, out, _ = self.explain("--diff", "other.json", "--client-ip", "10.1.2.3", URL)
        self.assertEqual(out.count('(saw "lab")'), 2, out)
        said = self.batch(*({"url": URL, "client_ip": ip} for ip in ("203.0.113.1", "203.0.113.200", "192.0.2.1")))
        self.assertEqual([one["variant"] for one in said], ["canary", "v1", "v1"])

    def test_text_of_what_does_not_parse(self):
        _, out, _ = self.explain("-H", "X-Region: cn-east", "-H", "X-User-Registered-At: soon", URL)
        self.assertIn('(missing: "soon" does not parse as time)', out)
        rules = {**RULES, "tests": [], "rules": [
            {"id": "new", "when": {"user.registered_at.age": {"lt": "7d"}}, "to": "canary"}]}
        self.write("age.json", rules)
        _, out, _ = self.explain("--rules", "age.json", "-H", "X-User-Registered-At: soon", URL)
        self.assertIn('user.registered_at.age lt "7d"  (missing: "soon" does not parse as time)', out)

    def test_text_without_a_key(self):
        _, out, _ = self.explain(URL)
        self.assertIn("bucket   none: no key is there (user.id), nor a valid sticky cookie; 'adit run' would "
                      "draw an anonymous id and set one\n", out)

    def test_text_of_force(self):
        _, out, _ = self.explain("-H", "X-Canary: always", URL)
        self.assertIn("reason   forced: asked for by the header X-Canary: always\n", out)
        self.assertIn("  · staff → canary  (not asked)\n", out)
        _, out, _ = self.explain("-H", "X-Canary: perhaps", "--bucket", "9000", URL)
        self.assertIn("force    X-Canary is there but does not count: 'perhaps' is none of its values\n", out)
        _, out, _ = self.explain("-H", "X-Canary: always", "-H", "X-Canary: always", URL)
        self.assertIn("force    X-Canary is there but does not count: it comes more than once\n", out)

    def test_text_of_force_by_cookie(self):
        self.write("qa.json", {**RULES, "tests": [], "force": {"cookie": "qa", "allow_from": ["10.1.0.0/16"]}})
        cookie = ("--rules", "qa.json", "-H", "Cookie: qa=always")
        for header in ((), ("-H", "X-Canary: maybe"), ("-H", "X-Canary: never", "-H", "X-Canary: never")):
            _, out, _ = self.explain(*cookie, *header, "--client-ip", "10.1.2.3", URL)
            self.assertIn("reason   forced: asked for by the cookie qa\n", out)
        _, out, _ = self.explain(*cookie, URL)
        self.assertIn("force    qa is there but does not count: client_ip is not in allow_from\n", out)

    def test_fields_that_end_at_the_gateway(self):
        """`run` decides without them, and so do explain, batch and tests."""
        request = {"url": URL, "headers": {"Connection": "X-Foo, X-Region", "X-Foo": "1", "TE": "trailers",
                                           "X-Region": "cn-east"}}
        rules = {**RULES, "rules": [
            {"id": "foo", "when": {"header.x-foo": "1"}, "to": "canary"},
            {"id": "te", "when": {"header.te": {"exists": True}}, "to": "canary"},
            {"id": "kept", "when": {"region": "cn-east"}, "to": "canary"}],
            "tests": [{"name": "as run", "request": request, "expect": {"rule": "kept"}}]}
        self.write("hop.json", rules)
        lines = [part for name, value in request["headers"].items() for part in ("-H", f"{name}: {value}")]
        status, out, _ = self.explain("--rules", "hop.json", "--json", *lines, URL)
        self.assertEqual((status, json.loads(out)["rule"]), (0, "kept"))
        self.assertEqual(self.adit("test", "-c", "adit.json", "hop.json")[0], 0)

    def test_text_without_a_route(self):
        status, out, _ = self.explain("http://other.example.com/")
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith("route    none\nreason   no_route: "), out)

    def test_text_of_a_pin(self):
        _, out, _ = self.explain("--pin", "canary", URL)
        self.assertIn("reason   pinned: --pin stands for a cookie that remembers an earlier draw\n", out)
        self.assertIn("bucket   none: the pin goes before the bucket\n", out)
        _, out, _ = self.explain("--pin", "canry", URL)
        self.assertIn("pin      'canry' is no canary of this route, so it does not count\n", out)

    def test_text_of_a_forged_cookie(self):
        _, out, _ = self.explain("-H", "Cookie: adit_shop=nonsense", URL)
        self.assertRegex(out, r"\ncookie   adit_shop: \w+\n")

    def test_json(self):
        decision = self.decide(*EAST, "--bucket", "100", URL)
        rules = decision.pop("rules")
        self.assertEqual(decision, {"route": "shop", "variant": "canary", "reason": "rule",
                                    "rule": "east-new-users", "bucket": 100})
        self.assertEqual([rule["result"] for rule in rules], ["unknown", "matched", "skipped"])
        self.assertEqual(rules[1]["conditions"][0], {
            "attribute": "region", "op": "in", "value": ["cn-east", "cn-north"], "seen": "cn-east",
            "result": True})
        self.assertEqual(rules[2]["conditions"], [])

    def test_flags(self):
        self.assertEqual(self.decide("--client-ip", "10.1.2.3", URL)["rule"], "staff")
        self.assertEqual(self.decide("--pin", "canary", URL)["reason"], "pinned")
        self.assertEqual(self.decide("-H", "Host: SHOP.example.com.:8080", "http://x/")["route"], "shop")
        self.assertEqual(self.decide("-H", "Host: x", URL)["reason"], "no_route")
        seen = self.decide("-H", "User-Agent;", URL)["rules"][0]["conditions"][0]["seen"]
        self.assertEqual(seen, "")

    def test_attributes_that_are_given(self):
        given = ("--attribute", "region=cn-east", "--attribute", "user.registered_at=2026-03-04")
        decision = self.decide(*given, "--untrusted", "--bucket", "100", URL)
        self.assertEqual((decision["rule"], decision["variant"]), ("east-new-users", "canary"))
        both = ("--attribute", "region=eu", "--attribute", "region=cn=east")
        self.assertEqual(self.decide(*both, URL)["rules"][1]["conditions"][0]["seen"], ["eu", "cn=east"])
        for name in ("regio", "path", "header.user-agent"):
            status, _, err = self.explain("--attribute", f"{name}=x", URL)
            self.assertEqual(status, 2)
            self.assertIn(f"--attribute '{name}' is not a declared attribute", err)
        for text in ("region", "=x"):
            status, _, err = self.explain("--attribute", text, URL)
            self.assertEqual(status, 2)
            self.assertIn(f"--attribute '{text}': write NAME=VALUE", err)

    def test_tokens(self):
        """Explain, batch and diff verify tokens as `run` does, say what is wrong, and never show one."""
        self.write("secret", TOKEN_SECRET)
        self.write("rules.json", {**RULES, "rules": [
            {"id": "beta", "when": {"user.roles": "beta"}, "to": "canary"}], "tests": []})
        config = {**CONFIG, "rules": ["rules.json"],
                  "attributes": {**CONFIG["attributes"],
                                 "user.roles": {"type": "string", "from": [{"jwt": "realm_access.roles"}]}},
                  "jwt": {"keys": {"secret_file": "secret"}, "algorithms": ["HS256"], "audience": "shop"}}
        self.write("adit.json", config)
        good = sign_token(aud="shop", realm_access={"roles": ["user", "beta"]}, exp=2000000000)
        refused = {
            sign_token(aud="other"): "the token is for another audience",
            sign_token(aud="shop", exp=1): "the token has expired",
            sign_token(aud="shop")[:-3]: "the token's signature is wrong",
            "a.b": "the token is not well-formed",
        }
        at = ("--now", "2030-01-01")
        status, out, err = self.explain(*at, "--untrusted", "-H", f"Authorization: Bearer {good}", URL)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("token    the token is verified, until 2033-05-18T03:34:20Z\n", out)
        self.assertIn('✓ user.roles eq "beta"  (saw "user", "beta")', out)
        self.assertNotIn(good.split(".")[1], out)
        _, out, _ = self.explain("--now", "2034-01-01", "-H", f"Authorization: Bearer {good}", URL)
        self.assertIn("token    the token has expired\n", out)
        _, out, _ = self.explain(*at, "-H", f"Authorization: Bearer {sign_token(aud='shop')}", URL)
        self.assertIn("token    the token is verified, and never expires\n", out)
        self.assertIn("(missing: the token has no such claim", out)
        for token, why in refused.items():
            with self.subTest(why):
                _, out, _ = self.explain(*at, "-H", f"Authorization: Bearer {token}", URL)
                self.assertIn(f"token    {why}\n", out)
                self.assertIn(f"(missing: {why})", out)
                self.assertNotIn(token, out)
        _, out, _ = self.explain(URL)
        self.assertNotIn("\ntoken ", out)
        self.assertIn("(missing: the request has no token)", out)

        lines = [{"url": URL, "now": "2030-01-01", "headers": {"Authorization": f"Bearer {token}"}}
                 for token in (good, *refused)]
        _, out, _ = self.adit("explain", "-c", "adit.json", "--batch",
                              stdin="".join(json.dumps(line) + "\n" for line in lines).encode())
        self.assertEqual([json.loads(line)["variant"] for line in out.splitlines()], ["canary"] + ["v1"] * 4)
        self.write("other.json", {**RULES, "rules": [
            {"id": "user", "when": {"user.roles": "user"}, "to": "v1"}], "tests": []})
        status, out, _ = self.explain("--diff", "other.json", *at, "-H", f"Authorization: Bearer {good}", URL)
        self.assertEqual(status, 1, out)
        self.assertIn("after    v1, rule: rule 'user' matches", out)

        self.write("adit.json", {**config, "jwt": {**config["jwt"], "on_invalid": "401", "on_absent": "401"}})
        _, out, _ = self.explain(*at, "-H", f"Authorization: Bearer {next(iter(refused))}", URL)
        self.assertIn("token    the token is for another audience; the gateway answers 401\n", out)
        _, out, _ = self.explain(URL)
        self.assertIn("token    the request has no token; the gateway answers 401\n", out)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.write("adit.json", {**config, "jwt": {**config["jwt"], "algorithms": ["RS256"], "on_invalid": "401",
                                                       "keys": {"url": f"http://127.0.0.1:{closed.getsockname()[1]}/"}}})
            _, out, _ = self.explain(*at, "-H", f"Authorization: Bearer {good}", URL)
        self.assertRegex(out, r"token    the keys that verify tokens could not be fetched yet: Failed to connect.*; "
                              r"the gateway answers 503\n")

    def test_attributes_that_a_test_gives(self):
        rules = {**RULES, "rules": [{"id": "east", "when": {"region": "e"}, "to": "canary"}], "tests": [
            {"request": {"url": URL, "attributes": {"region": "e"}, "trusted": False}, "expect": {"rule": "east"}}]}
        self.write("given.json", rules)
        self.assertEqual(self.adit("test", "-c", "adit.json", "given.json")[0], 0)
        rules["tests"][0]["request"]["attributes"] = {"regio": "e"}
        self.write("given.json", rules)
        status, _, err = self.adit("test", "-c", "adit.json", "given.json")
        self.assertEqual(status, 1)
        self.assertIn("the request gives 'regio', which is not a declared attribute (declare it", err)

    def write_other(self, **changes):
        self.write("other.json", {**json.loads(json.dumps(RULES)), "tests": [], **changes})

    def test_diff(self):
        self.write_other(default={"split": {"canary": 50}}, rules=[
            {"id": "staff", "when": {"client_ip": {"in_cidr": "10.0.0.0/8"}}, "to": "canary"}])
        status, out, err = self.explain("--diff", "other.json", "--bucket", "700", URL)
        self.assertEqual((status, err), (1, ""))
        self.assertEqual(out.split("\n\n")[0], (
            "before   v1, default: no rule matches, and the default split decides\n"
            "after    canary, default: no rule matches, and the default split decides\n"
            "differs  where the files say otherwise:"))
        lines = out.split("\n\n")[1].splitlines()
        self.assertEqual([line for line in lines if not line.startswith("   ")], [
            "- ? no-bots → v1",
            "- ? east-new-users → 25 % canary, the rest v1",
            "- ✗ staff → canary",
            "+ ✗ staff → canary",
            "- ✓ default → 5 % canary, the rest v1",
            "+ ✓ default → 50 % canary, the rest v1"])
        status, out, _ = self.explain("--diff", "other.json", "--bucket", "70", URL)
        self.assertEqual(status, 0)
        self.assertIn("same     the decision, though the files say otherwise:\n", out)
        status, out, _ = self.explain("--diff", "shop.json", URL)
        self.assertEqual(status, 0)
        self.assertTrue(out.endswith("same     the files say the same to this request\n"), out)
        status, out, _ = self.explain("--json", "--diff", "other.json", "--bucket", "700", URL)
        got = json.loads(out)
        self.assertEqual((status, got["same"], got["before"]["variant"], got["after"]["variant"]),
                         (1, False, "v1", "canary"))

    def test_diff_beside_the_rules(self):
        upstreams = {**CONFIG["upstreams"], "other-v1": {"endpoints": ["127.0.0.1:9003"]}}
        self.write("adit.json", {**CONFIG, "upstreams": upstreams})
        canary = RULES["variants"]["canary"]
        stable = RULES["variants"]["v1"]
        self.write_other(variants={"v1": "other-v1", "canary": canary})
        status, out, _ = self.explain("--diff", "other.json", "--bucket", "700", URL)
        self.assertEqual((status, out), (1,
            f"before   v1 (upstream {stable}), default: no rule matches, and the default split decides\n"
            "after    v1 (upstream other-v1), default: no rule matches, and the default split decides\n"
            "differs  where the files say otherwise:\n\n"
            f"- variants v1 → {stable} (stable), canary → {canary}\n"
            f"+ variants v1 → other-v1 (stable), canary → {canary}\n"))
        status, out, _ = self.explain("--json", "--diff", "other.json", "--bucket", "700", URL)
        self.assertEqual((status, json.loads(out)["same"], json.loads(out)["upstreams"]), (1, False, [stable, "other-v1"]))
        status, out, err = self.adit("explain", "-c", "adit.json", "--batch", "--diff", "other.json",
                                     stdin=json.dumps({"url": URL, "bucket": 700}).encode())
        self.assertEqual((status, json.loads(out)["upstreams"]), (1, [stable, "other-v1"]))
        self.assertEqual(err, "1 of 1 requests decided otherwise\n"
                              f"        1  shop v1 (upstream {stable}, default) → shop v1 (upstream other-v1, default)\n")
        for changes, arguments, expected in (
                ({"sticky": {"salt": "another"}}, ("-H", "X-User-Id: u-1"),
                 ["- sticky   by user.id, salt 'shop', cookie adit_shop, epoch 1, ttl 7d",
                  "+ sticky   by user.id, salt 'another', cookie adit_shop, epoch 1, ttl 7d",
                  "- bucket   6319 of 0..9999: the bucket of user.id \"u-1\" with salt 'shop'",
                  "+ bucket   8320 of 0..9999: the bucket of user.id \"u-1\" with salt 'another'"]),
                ({"state": "drain"}, ("--bucket", "700"), ["- state    on", "+ state    drain"]),
                ({"force": {"header": "X-Qa", "values": {"1": "canary"}, "cookie": "qa", "allow_from": ["10.0.0.0/8"]}},
                 ("-H", "X-Canary: always"),
                 ['- force    header X-Canary: "always" → canary, "never" → v1',
                  '+ force    header X-Qa, cookie qa: "1" → canary; from 10.0.0.0/8']),
                ({"force": False}, ("-H", "X-Canary: always"), ["+ force    nobody may"])):
            self.write_other(**changes)
            _, out, _ = self.explain("--diff", "other.json", *arguments, URL)
            self.assertEqual([line for line in expected if line not in out.splitlines()], [], out)

    def test_diff_keeps_the_other_routes(self):
        other = {**RULES, "route": "blog", "match": {"hosts": ["blog.example.com"]}, "tests": [], "state": "off"}
        self.write("blog.json", other)
        self.write("adit.json", {**CONFIG, "rules": ["shop.json", "blog.json"]})
        self.write_other(state="full")
        status, _, _ = self.explain("--diff", "other.json", "http://blog.example.com/")
        self.assertEqual(status, 0)
        status, out, _ = self.explain("--diff", "other.json", "http://shop.example.com/")
        self.assertEqual(status, 1)
        self.assertIn("after    canary, full: the route is full", out)
        self.write_other(match={"hosts": ["new.example.com"]})
        status, out, _ = self.explain("--diff", "other.json", "http://shop.example.com/")
        self.assertEqual(status, 1)
        self.assertIn("after    no route, no_route: ", out)

    def test_diff_that_cannot_be_made(self):
        status, _, err = self.explain("--diff", "nope.json", URL)
        self.assertEqual(status, 1)
        self.assertIn("nope.json: error: cannot read", err)
        self.write_other(state="ful")
        status, _, err = self.explain("--diff", "other.json", URL)
        self.assertEqual(status, 1)
        self.assertIn("other.json:", err)
        self.assertEqual(self.explain("--diff", "shop.json", "--batch", "--trace")[0], 2)

    def test_method_and_now(self):
        rules = json.loads(json.dumps(RULES))
        rules["rules"] = [
            {"id": "puts", "when": {"method": "PUT"}, "to": "canary"},
            {"id": "later", "when": {"now": {"after": "2030-01-01"}}, "to": "canary"},
        ]
        rules["tests"] = []
        self.write("shop.json", rules)
        self.assertEqual(self.decide("-X", "PUT", URL)["rule"], "puts")
        self.assertEqual(self.decide("--now", "2031-01-01", URL)["rule"], "later")
        self.assertEqual(self.decide("--now", "2029-01-01", URL)["reason"], "default")
        _, out, _ = self.explain("--now", "2031-01-01", URL)
        self.assertIn("time     as of 2031-01-01T00:00:00Z; another time may give another answer\n", out)

    def test_rules_file(self):
        rules = json.loads(json.dumps(RULES))
        rules["state"] = "off"
        rules["tests"] = []
        self.write("other.json", rules)
        self.assertEqual(self.decide("--rules", "other.json", URL)["reason"], "off")

    def test_what_does_not_load(self):
        self.write("shop.json", "{")
        status, out, err = self.explain(URL)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("shop.json:1:", err)


class Batch(Case):
    def test_diff(self):
        other = {**RULES, "default": {"split": {"canary": 50}}, "tests": []}
        self.write("other.json", other)
        lines = [{"url": URL, "bucket": bucket} for bucket in (499, 500, 4999, 5000)]
        raw = b"\n".join(json.dumps(line).encode() for line in [*lines, {"url": 1}])
        status, out, err = self.adit("explain", "-c", "adit.json", "--batch", "--diff", "other.json", stdin=raw)
        answers = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(status, 1)
        self.assertEqual([answer["line"] for answer in answers], [2, 3, 5])
        self.assertIn("error", answers[2])
        self.assertEqual(answers[0], {"same": False, "line": 2,
            "before": {"route": "shop", "variant": "v1", "reason": "default", "rule": None, "bucket": 500},
            "after": {"route": "shop", "variant": "canary", "reason": "default", "rule": None, "bucket": 500}})
        self.assertEqual(err, "2 of 4 requests decided otherwise\n"
                              "        2  shop v1 (default) → shop canary (default)\n")
        status, out, err = self.adit("explain", "-c", "adit.json", "--batch", "--diff", "shop.json", stdin=raw)
        self.assertEqual((status, err), (0, "0 of 4 requests decided otherwise\n"))

    def test_decisions(self):
        got = self.batch(
            {"url": URL, "bucket": 499},
            {"url": URL, "bucket": 500},
            {"url": "http://other.example.com/"},
            {"url": URL, "headers": {"X-Canary": "always"}},
            {"url": URL, "headers": [["X-Canary", "always"]], "pin": "canary"},
            {"url": URL, "client_ip": "10.1.0.9"},
            {"url": URL, "trusted": False, "headers": {"X-Region": "cn-east"}, "bucket": 0},
            {"url": URL, "attributes": {"region": None, "regin": "x"}},
        )
        none = {"rule": None, "bucket": None}
        self.assertEqual(got, [
            {"route": "shop", "variant": "canary", "reason": "default", "rule": None, "bucket": 499},
            {"route": "shop", "variant": "v1", "reason": "default", "rule": None, "bucket": 500},
            {"route": None, "variant": None, "reason": "no_route", **none},
            {"route": "shop", "variant": "canary", "reason": "forced", **none},
            {"route": "shop", "variant": "canary", "reason": "forced", **none},
            {"route": "shop", "variant": "canary", "reason": "rule", "rule": "staff", "bucket": None},
            {"route": "shop", "variant": "canary", "reason": "default", "rule": None, "bucket": 0},
            {"error": "request: 'regin' is not a declared attribute", "line": 8},
        ])

    def test_trace(self):
        (plain,) = self.batch({"url": URL})
        (traced,) = self.batch({"url": URL}, trace=True)
        self.assertNotIn("rules", plain)
        self.assertEqual([rule["id"] for rule in traced.pop("rules")], ["no-bots", "east-new-users", "staff"])
        self.assertEqual(traced, plain)

    def test_bad_lines(self):
        lines = [
            b"",
            {"url": URL},
            b"   \t\r",
            b"{",
            b"[]",
            {"url": URL, "urk": 1},
            b'{"url":"%s","url":"%s"}' % (URL.encode(), URL.encode()),
            {"url": URL, "client_ip": "x"},
            {"url": URL, "now": "x"},
            {"url": URL, "bucket": 10000},
            {"url": "http://shop.example.com/%zz"},
            {"method": "GET"},
            b'{"url":"' + URL.encode() + b'"} // no comments here',
            b"\xff",
            {"url": URL},
        ]
        got = self.batch(*lines)
        numbers = [answer["line"] for answer in got if "error" in answer]
        self.assertEqual(numbers, list(range(4, 15)))
        for answer in got:
            if "error" in answer:
                self.assertEqual(set(answer), {"error", "line"})
                self.assertTrue(answer["error"])
            else:
                self.assertEqual(answer["route"], "shop")
        self.assertEqual(len(got), 13)

    def test_long_lines(self):
        # Exactly 1 MiB is read; one byte more is a bad line, whatever follows it.
        request = {"url": URL, "bucket": 0}
        fits = json.dumps(request).encode()
        fits += b" " * ((1 << 20) - len(fits))
        got = self.batch(fits, fits + b" ", b"x" * (3 << 20), request)
        self.assertEqual(got[0]["variant"], "canary")
        self.assertEqual([answer.get("line") for answer in got], [None, 2, 3, None])
        self.assertEqual(got[3], got[0])

    def test_last_line_without_newline(self):
        status, out, err = self.adit("explain", "-c", "adit.json", "--batch",
                                     stdin=json.dumps({"url": URL}).encode())
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(json.loads(out)["route"], "shop")
        self.assertEqual(self.adit("explain", "-c", "adit.json", "--batch"), (0, "", ""))

    def test_many_lines(self):
        n = 5000
        got = self.batch(*[{"url": URL, "bucket": i % 1000} for i in range(n)])
        self.assertEqual([answer["bucket"] for answer in got], [i % 1000 for i in range(n)])
        self.assertTrue(all((answer["variant"] == "canary") == (answer["bucket"] < 500) for answer in got))

    def test_answers_come_when_no_input_waits(self):
        child = subprocess.Popen(
            [ADIT, "explain", "-c", "adit.json", "--batch"], cwd=self.directory.name,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        try:
            for i in range(3):
                line = json.dumps({"url": URL, "bucket": i}).encode()
                child.stdin.write(line + b"\n" + line[:10])  # half a line more does not hold it up
                ready, _, _ = select.select([child.stdout], [], [], TIMEOUT)
                self.assertTrue(ready, "no answer while the input is open")
                self.assertEqual(json.loads(child.stdout.readline())["bucket"], i)
                child.stdin.write(line[10:] + b"\n")
                self.assertEqual(json.loads(child.stdout.readline())["bucket"], i)
            child.stdin.close()
            self.assertEqual(child.stdout.read(), b"")
            self.assertEqual(child.wait(TIMEOUT), 0)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


class Import(Case):
    MANIFEST = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, annotations: {kubernetes.io/ingress.class: inner}}
spec:
  rules:
    - http: {paths: [{path: /, backend: {service: {name: shop, port: {number: 80}}}}]}
"""

    def expect_import(self, *args, status=0, err="", stdin=b""):
        got = self.adit("import", *args, stdin=stdin)
        self.assertEqual((got[0], got[2]), (status, err))
        return got[1]

    def read(self, name):
        with open(os.path.join(self.directory.name, name), encoding="utf-8") as file:
            return file.read()

    def test_writes_and_tries_what_it_wrote(self):
        self.write("in.yaml", self.MANIFEST)
        out = self.expect_import("ingress-nginx", "-o", "out", "in.yaml")
        self.assertEqual(out, "out/adit.json and 1 rule file; of 1 test 1 passes\n")
        self.expect(["check", "-c", "out/adit.json", "--strict"], 0,
                    "out/adit.json: 1 route, 1 test: 0 errors, 0 warnings\n", "")

    def test_reads_standard_input(self):
        self.expect_import("ingress-nginx", "--output=out", "-", stdin=self.MANIFEST.encode())
        self.assertIn("(stdin:3:18)", self.read("out/rules/shop.json"))
        self.expect_import("ingress-nginx", "-o", "out2", "-", stdin=b"a: ]", status=1, err=(
            "stdin:1:4: error: not YAML: while parsing a block node, did not find expected node content\n"
            "adit import: nothing was written\n"))

    def test_does_not_overwrite(self):
        self.write("in.yaml", self.MANIFEST)
        self.expect_import("ingress-nginx", "in.yaml", status=1, err=(
            "adit import: ./adit.json exists: nothing was written (--force overwrites)\n"))
        self.assertEqual(json.loads(self.read("adit.json")), CONFIG)
        self.assertFalse(os.path.exists(os.path.join(self.directory.name, "rules")))
        self.expect_import("ingress-nginx", "--force", "in.yaml")
        self.assertIn("default-shop-80", self.read("adit.json"))

    def test_a_rule_file_in_the_way(self):
        self.write("in.yaml", self.MANIFEST)
        os.makedirs(os.path.join(self.directory.name, "out/rules"))
        self.write("out/rules/shop.json", "mine")
        self.expect_import("ingress-nginx", "-o", "out", "in.yaml", status=1, err=(
            "adit import: out/rules/shop.json exists: nothing was written (--force overwrites)\n"))
        self.assertEqual(self.read("out/rules/shop.json"), "mine")
        self.assertFalse(os.path.exists(os.path.join(self.directory.name, "out/adit.json")))

    def test_says_when_other_files_are_in_conflict(self):
        self.write("in.yaml", self.MANIFEST)
        self.expect_import("ingress-nginx", "-o", "out", "in.yaml")
        self.write("out/rules/other.json", self.read("out/rules/shop.json"))
        status, _, err = self.adit("import", "ingress-nginx", "-o", "out", "--force", "in.yaml")
        self.assertEqual(status, 1)
        self.assertIn("out/rules/shop.json", err)

    def test_namespace_and_class(self):
        self.write("in.yaml", self.MANIFEST)
        self.expect_import("ingress-nginx", "-o", "out", "-n", "team", "--class", "inner", "in.yaml")
        self.assertIn('"team-shop-80"', self.read("out/adit.json"))
        self.expect_import("ingress-nginx", "-o", "none", "--class", "nginx", "in.yaml", status=1, err=(
            "in.yaml: error: there is no Ingress\n"
            "in.yaml:3:18: note: Ingress 'shop' is of class 'inner': passed over\n"
            "adit import: nothing was written\n"))

    def test_what_cannot_be_read_or_written(self):
        self.write("in.yaml", self.MANIFEST)
        self.expect_import("ingress-nginx", "in.yaml", "none.yaml", status=1, err=(
            "none.yaml: error: cannot read 'none.yaml': No such file or directory (create it, or "
            "correct the path)\n"))
        self.expect_import("ingress-nginx", "-o", "in.yaml", "in.yaml", status=1, err=(
            "adit import: cannot write in.yaml/adit.json: Not a directory\n"))

    def test_usage(self):
        tail = "; see 'adit help import'\n"
        self.expect_import(status=2, err="adit import: import from what? 'ingress-nginx' is known" + tail)
        self.expect_import("traefik", "x", status=2, err=(
            "adit import: cannot import from 'traefik': only 'ingress-nginx' is known" + tail))
        self.expect_import("ingress-nginx", status=2, err=(
            "adit import: which manifests? give FILE... or - for standard input" + tail))


class Demo(Case):
    """What `adit demo` shows is checked by `adit demo --check`; here, that both begin and end."""

    def test_check(self):
        status, out, err = self.adit("demo", "--check")
        self.assertEqual(status, 0, out + err)
        self.assertRegex(out.splitlines()[-1], r"\A\d+ passed, 0 failed\Z")
        self.assertGreaterEqual(out.count("ok: "), 9)

    def test_lines_work_and_ctrl_c_ends_it(self):
        environment = {**os.environ, "TMPDIR": self.directory.name}
        child = subprocess.Popen([ADIT, "demo", "--port", "0"], stdout=subprocess.PIPE, env=environment)
        try:
            lines = []
            while not lines or lines[-1] != "Ctrl-C ends it.":
                line = child.stdout.readline().decode()
                self.assertTrue(line, "it ended")
                lines.append(line.rstrip("\n"))
            (directory,) = [name for name in os.listdir(self.directory.name) if name.startswith("adit-demo-")]
            config = os.path.join(self.directory.name, directory, "adit.json")
            self.expect(["check", "--strict", "-c", config], 0,
                        f"{config}: 1 route, 12 tests: 0 errors, 0 warnings\n", "")
            self.run_lines([line.strip() for line in lines if line.startswith("  ") and "#" not in line[:4]])
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(TIMEOUT), 0)
            self.assertFalse(os.path.exists(os.path.join(self.directory.name, directory)))
        finally:
            child.kill()
            child.wait()
            child.stdout.close()

    def run_lines(self, lines):
        self.assertGreaterEqual(len(lines), 10)
        for line in lines:
            if line.startswith(("curl", "for")) and not self.has_curl():
                continue
            for _ in range(2):
                done = subprocess.run(line, shell=True, capture_output=True, timeout=TIMEOUT, check=False)
                self.assertEqual(done.returncode, 0, line)
                expected = b"variant  " if " explain " in line else b" says hello: GET / "
                self.assertIn(expected, done.stdout, line)

    @staticmethod
    def has_curl():
        return subprocess.run(["which", "curl"], capture_output=True, check=False).returncode == 0

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            port = str(taken.getsockname()[1])
            self.expect(["demo", "--check", "--port", port], 1, "",
                        f"adit demo: port {port} is in use; give another, or none\n")


def main():
    if not ADIT:
        sys.exit(__doc__)
    began = time.monotonic()
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    sys.stderr.flush()
    print(f"cli: {time.monotonic() - began:.1f} s")
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
