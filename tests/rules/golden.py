#!/usr/bin/env python3
"""Golden rule files: what `adit check` says of mistakes, and what `adit explain` decides.

    golden.py ADIT [NAME…]       compares; NAME picks files by the beginning of their names
    golden.py --write ADIT [NAME…]  writes the .err files anew, to be read before they are kept

X.bad.json    a rule file with mistakes; X.bad.err is what check prints on stderr, byte for byte, and
              its exit status is 1.
X.cases.json  {"rules": FILE, "cases": [{"name": …, "request": {…}, "expect": {…}}]}: each request
              is a line of `explain --batch --trace` under that rule file. Every member of `expect`
              equals the decision's; of its "rules", those that are named by id are compared, again
              by the members that are given. {"expect": {"error": TEXT}} is a part of the message.
              FILE may be a list of files.
X.table.json  conditions, each with requests and what it gives: {"conditions": [{"name": …, "when":
              {…}, "requests": [[REQUEST, true | false | null]]}]}; null is unknown. A request
              without a url asks for http://shop.example.com/. "attributes" and "segments" beside
              "conditions" are those of the rule file that each condition is put into.

X.find.json   a rule file without mistakes; X.find.err is what `check --notes` finds in it on
              2026-06-01. X.beside*.json are other routes beside it. With `--strict` the exit status is
              1 where there are warnings, and every witness is a request that `explain` answers.

Everything runs under this folder's adit.json, in a copy of the folder whose key only we can read,
as git does not keep that. The last line is "N passed, N failed".
"""

import difflib
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 60


class Adit:
    """The program under test, in a copy of this folder."""

    def __init__(self, binary, folder):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = pathlib.Path(folder) / "rules"
        shutil.copytree(FOLDER, self.folder)
        (self.folder / "sticky.key").chmod(0o600)

    def run(self, *arguments, stdin=""):
        return subprocess.run([self.binary, *arguments], cwd=self.folder, input=stdin,
                              capture_output=True, encoding="utf-8", errors="replace",
                              timeout=TIMEOUT_SECONDS, check=False)


def show(title, lines):
    print(f"FAILED {title}")
    for line in lines:
        print(f"  {line.rstrip()}")


def diff(expected, got):
    return list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected", "got",
                                     lineterm="")) or ["(they differ in the newline at the end)"]


def compare_stderr(path, done, status, write):
    """What is wrong with what a command says on stderr, beside X.err, and with its exit status."""
    golden = path.with_suffix(".err")
    if write:
        golden.write_text(done.stderr, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8") if golden.exists() else None
    problems = []
    if expected is None:
        problems = [f"there is no {golden.name}; check says:", *done.stderr.splitlines()]
    elif done.stderr != expected:
        problems = diff(expected, done.stderr)
    if done.returncode != status:
        problems.append(f"exit status {done.returncode}, expected {status}")
    return problems


FIND = ("check", "-c", "adit.json", "--now", "2026-06-01", "--notes")


def check_find(adit, path, write):
    """One rule file with findings. Returns whether all is as expected."""
    beside = sorted(one.name for one in FOLDER.glob(path.name.replace(".find.json", ".beside*.json")))
    done = adit.run(*FIND, path.name, *beside)
    problems = compare_stderr(path, done, 0, write)
    strict = adit.run(*FIND, "--strict", path.name, *beside)
    if strict.returncode != (": warning: " in done.stderr):
        problems.append(f"--strict: exit status {strict.returncode}")
    witnesses = [line.split(": note: witness: ")[1] for line in done.stderr.splitlines() if ": witness: " in line]
    rules = [argument for name in (path.name, *beside) for argument in ("--rules", name)]
    answers = adit.run("explain", "-c", "adit.json", *rules, "--batch", stdin="".join(f"{line}\n" for line in witnesses))
    for witness, answer in zip(witnesses, answers.stdout.splitlines()):
        if "error" in json.loads(answer):
            problems.append(f"witness {witness}: {answer}")
    if problems:
        show(path.name, problems)
    return not problems


def check_bad(adit, path, write):
    """One rule file with mistakes. Returns whether all is as expected."""
    done = adit.run("check", "-c", "adit.json", path.name)
    problems = compare_stderr(path, done, 1, write)
    if problems:
        show(path.name, problems)
    return not problems


def differences(expected, got, where=""):
    """What of `expected` does not hold in the decision `got`, as lines."""
    found = []
    for key, value in expected.items():
        if key == "rules" and "rules" in got:
            by_id = {rule["id"]: rule for rule in got["rules"]}
            for rule in value:
                found += differences(rule, by_id.get(rule["id"], {}), f"{where}rule {rule['id']}: ")
        elif key == "error" and "error" in got:
            if value not in got["error"]:
                found.append(f"{where}error: expected a part {value!r}, got {got['error']!r}")
        elif key not in got or got[key] != value or isinstance(got[key], bool) != isinstance(value, bool):
            found.append(f"{where}{key}: expected {json.dumps(value)}, got "
                         f"{json.dumps(got[key]) if key in got else 'nothing'}")
    return found


def check_cases(adit, path):
    """One file of requests. Returns (passed, failed)."""
    document = json.loads(path.read_text(encoding="utf-8"))
    cases = document["cases"]
    lines = "".join(json.dumps(case["request"]) + "\n" for case in cases)
    files = document["rules"] if isinstance(document["rules"], list) else [document["rules"]]
    rules = [argument for name in files for argument in ("--rules", name)]
    done = adit.run("explain", "-c", "adit.json", *rules, "--batch", "--trace", stdin=lines)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(answers) != len(cases):
        show(path.name, [f"exit status {done.returncode}, {len(answers)} answers to {len(cases)} "
                         "requests", *done.stderr.splitlines()])
        return 0, len(cases)
    failed = 0
    for number, (case, answer) in enumerate(zip(cases, answers), start=1):
        problems = differences(case["expect"], answer)
        if problems:
            show(f"{path.name}: {case.get('name', f'case {number}')}",
                 [*problems, f"answer: {json.dumps(answer)}"])
            failed += 1
    return len(cases) - failed, failed


URL = "http://shop.example.com/"
ANY_HOST = re.compile(r"^http://(h|shop\.example\.com)(?=/)")
RESULTS = {True: "matched", False: "unmatched", None: "unknown"}


def is_told_apart_by_host(condition):
    """Whether it can be asked beside others, at a host of its own: nothing in it depends on the host or on the route's
    name, which is the salt."""
    return not re.search("host|bucket", json.dumps(condition)) and \
        all(ANY_HOST.match(request.get("url", URL)) for request, _ in condition["requests"])


def ask_conditions(adit, document, conditions):
    """(exit status, stderr, for each condition the answers) of one process; each has a route of its own."""
    members = {key: document[key] for key in ("attributes", "segments") if key in document}
    rules, lines = [], []
    for i, condition in enumerate(conditions):
        name, match = "table", {}
        if len(conditions) > 1:
            name, match = f"table-{i}", {"match": {"hosts": [f"table-{i}"]}}
        rules += ["--rules", f"{name}.json"]
        (adit.folder / f"{name}.json").write_text(json.dumps({
            **members, **match, "route": name, "variants": {"v1": "shop-v1", "canary": "shop-canary"},
            "rules": [{"id": "rule", "when": condition["when"], "to": "canary"}]}), encoding="utf-8")
        for request, _ in condition["requests"]:
            url = request.get("url", URL)
            url = ANY_HOST.sub(f"http://{name}", url) if match else url
            lines.append(json.dumps({**request, "url": url}) + "\n")
    done = adit.run("explain", "-c", "adit.json", *rules, "--batch", "--trace", stdin="".join(lines))
    answers = iter([json.loads(line) for line in done.stdout.splitlines()])
    return done.returncode, done.stderr, [list(itertools.islice(answers, len(one["requests"]))) for one in conditions]


def check_condition(condition, answers):
    """What is wrong with one condition of a table, as lines."""
    problems = [] if len(answers) == len(condition["requests"]) else [f"{len(answers)} answers"]
    for (request, expected), answer in zip(condition["requests"], answers):
        rule = (answer.get("rules") or [{}])[0]
        if rule.get("result") != RESULTS[expected]:
            problems += [f"{json.dumps(request)}: expected {RESULTS[expected]}",
                         f"answer: {json.dumps(answer)}"]
    return problems


def check_table(adit, path):
    """One table of conditions. Returns (passed, failed)."""
    document = json.loads(path.read_text(encoding="utf-8"))
    together = [one for one in document["conditions"] if is_told_apart_by_host(one)]
    failed = 0
    for conditions in filter(None, [together, *([one] for one in document["conditions"] if one not in together)]):
        status, said, answered = ask_conditions(adit, document, conditions)
        for condition, answers in zip(conditions, answered):
            problems = check_condition(condition, answers)
            if status != 0:
                problems = [f"exit status {status}", *said.splitlines(), *problems]
            if problems:
                show(f"{path.name}: {condition['name']}", problems)
                failed += 1
    return len(document["conditions"]) - failed, failed


def check_all(adit, names, write):
    passed = failed = 0
    for path in sorted(FOLDER.glob("*.bad.json")):
        if path.name.startswith(names):
            ok = check_bad(adit, path, write)
            passed, failed = passed + ok, failed + (not ok)
    for path in sorted(FOLDER.glob("*.find.json")):
        if path.name.startswith(names):
            ok = check_find(adit, path, write)
            passed, failed = passed + ok, failed + (not ok)
    for path in sorted(FOLDER.glob("*.cases.json")):
        if path.name.startswith(names):
            good, bad = check_cases(adit, path)
            passed, failed = passed + good, failed + bad
    for path in sorted(FOLDER.glob("*.table.json")):
        if path.name.startswith(names):
            good, bad = check_table(adit, path)
            passed, failed = passed + good, failed + bad
    return passed, failed


def main(arguments):
    write = arguments[:1] == ["--write"]
    arguments = arguments[1:] if write else arguments
    if not arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    names = tuple(arguments[1:]) or ("",)
    with tempfile.TemporaryDirectory() as folder:
        passed, failed = check_all(Adit(arguments[0], folder), names, write)
    if passed + failed == 0:
        show("golden", ["no file was found"])
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
