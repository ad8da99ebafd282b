#!/usr/bin/env python3
"""The example rules in rules/: they load, alone and together, and their tests test them.

    examples.py ADIT

1. As they stand: `adit check` takes them, with one warning at most (rules/adit.json names no key).
2. With a key, in a copy: `adit check --strict` and `adit test` pass, all together and each alone,
   and count every route and every test that the files hold.
3. Each use that the examples are there for has its file.
4. Controls: a copy that is broken must fail. A mistake, a false expectation; and each file again
   and again with one thing of its own changed (a rule left out, a weight moved by one bucket, force
   switched off), which one of its own tests must notice.

The last line is "N passed, N failed".
"""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import mmdb  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "rules"
USES = ("qa-force", "region", "new-users", "ramp", "several-canaries", "app-version", "staff", "employees",
        "beta", "tenants", "api-only", "experiments", "hold-out", "drain", "reads-first", "devices",
        "robots", "basket-web", "basket-api", "from-ingress", "office-hours", "directory", "geography", "tokens",
        "rehearsal")
KEY = '{ "sticky": { "keys": [{ "id": "test", "file": "sticky.key" }] },'
KEY_WARNING = "rules/adit.json: warning: no sticky keys: "
TIMEOUT_SECONDS = 60


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, ok, *details):
        if ok:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED {name}")
        for detail in details:
            for line in str(detail).rstrip().splitlines():
                print(f"  {line}")


def read(path):
    """A file with comments, as Python has it."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)
    text = token.sub(lambda match: match.group(0) if match.group(0)[0] == '"' else " ",
                     path.read_text(encoding="utf-8"))
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text))


class Adit:
    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())

    def __call__(self, command, *arguments, folder):
        done = subprocess.run([self.binary, command, *arguments], cwd=folder, capture_output=True,
                              encoding="utf-8", errors="replace", timeout=TIMEOUT_SECONDS,
                              check=False)
        done.said = f"{done.stdout}{done.stderr}"
        return done


# ---- what must pass ------------------------------------------------------------------------------

def check_as_they_stand(adit, results):
    done = adit("check", "-c", "rules/adit.json", folder=FOLDER.parent)
    said = done.stderr.splitlines()
    results.check("the examples as they stand", done.returncode == 0 and
                  all(line.startswith(KEY_WARNING) for line in said) and len(said) <= 1, done.said)


def copy_with_key(folder):
    """The examples in `folder`, with a key that only we can read."""
    shutil.copytree(FOLDER, folder)
    config = folder / "adit.json"
    config.write_text(config.read_text(encoding="utf-8").replace("{", KEY, 1), encoding="utf-8")
    (folder / "sticky.key").touch(mode=0o600)
    (folder / "sticky.key").write_text("k" * 48, encoding="utf-8")


def check_strictly(adit, results, folder, name, files, counts):
    routes, tests = len(counts), sum(counts)
    done = adit("check", "--strict", "-c", "adit.json", *files, folder=folder)
    plural = "" if routes == 1 else "s"
    line = f"adit.json: {routes} route{plural}, {tests} tests: 0 errors, 0 warnings\n"
    results.check(f"check --strict, {name}", done.returncode == 0 and done.said == line,
                  f"expected {line}", done.said)
    done = adit("test", "-c", "adit.json", *files, folder=folder)
    last = done.stdout.splitlines()[-1:]
    results.check(f"test, {name}", done.returncode == 0 and last == [f"{tests} passed, 0 failed"],
                  f"expected {tests} passed", done.said)


def check_names(results, examples):
    listed = read(FOLDER / "adit.json")["rules"]
    results.check("rules/adit.json names every example", sorted(listed) == sorted(examples),
                  f"it names {sorted(listed)}", f"there are {sorted(examples)}")
    for use in USES:
        results.check(f"{use}.json is there", f"{use}.json" in examples)
    for kind, values in (
            ("route", [document["route"] for document in examples.values()]),
            ("place", [(host, document.get("match", {}).get("path_prefix")) for document in examples.values()
                       for host in document.get("match", {}).get("hosts", [document["route"]])])):
        results.check(f"each example has a {kind} of its own", len(set(values)) == len(values),
                      values)


def check_database(results):
    """rules/example.mmdb is what tests/support/mmdb.py writes."""
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "city.mmdb"
        mmdb.FILES["city.mmdb"](made)
        results.check("rules/example.mmdb", made.read_bytes() == (FOLDER / "example.mmdb").read_bytes(),
                      "tests/support/mmdb.py writes another city.mmdb: copy it there")


# ---- what must fail ------------------------------------------------------------------------------

def overlaps(split):
    ranges = sorted(share for share in split.values() if isinstance(share, list))
    return any(low[1] > high[0] for low, high in zip(ranges, ranges[1:]))


def moved_weights(split):
    """The same split with one number a bucket higher or lower, as (what, split)."""
    for name, share in split.items():
        bounds = share if isinstance(share, list) else [share]
        for i, bound in enumerate(bounds):
            for step in (-0.01, 0.01):
                changed = list(bounds)
                changed[i] = round(bound + step, 2)
                value = changed if isinstance(share, list) else changed[0]
                moved = {**split, name: value}
                if 0 <= changed[i] <= 100 and not overlaps(moved):
                    yield f"{name} {json.dumps(value)}", moved


def mutants(document):
    """The document with one thing changed that its tests must notice, as (what, document)."""
    for i, rule in enumerate(document.get("rules", [])):
        without = copy.deepcopy(document)
        del without["rules"][i]
        for test in without["tests"]:
            if test["expect"].get("rule") == rule["id"]:
                del test["expect"]["rule"]  # else it would not load, which says nothing
        yield f"without rule {rule['id']}", without
        for what, split in moved_weights(rule.get("split", {})):
            changed = copy.deepcopy(document)
            changed["rules"][i]["split"] = split
            yield f"rule {rule['id']} with {what}", changed
    if "state" in document:
        yield "state on", {**document, "state": "on"}
        return  # a weight says nothing then
    for what, split in moved_weights(document.get("default", {}).get("split", {})):
        yield f"default with {what}", {**document, "default": {"split": split}}
    if document.get("force"):
        yield "force switched off", {**document, "force": False}
    yield "state off", {**document, "state": "off"}


def check_mutant(adit, results, folder, name, what, document):
    (folder / "mutant.json").write_text(json.dumps(document), encoding="utf-8")
    done = adit("test", "-c", "adit.json", "mutant.json", folder=folder)
    noticed = re.search(r"^\d+ passed, [1-9]\d* failed$", done.stdout, re.M)
    results.check(f"a test of {name} notices: {what}", done.returncode == 1 and noticed, done.said)


def check_broken(adit, results, folder, name, text, wanted):
    (folder / "broken.json").write_text(text, encoding="utf-8")
    done = adit("check", "-c", "adit.json", "broken.json", folder=folder)
    results.check(name, done.returncode == 1 and wanted in done.stderr, f"expected {wanted}",
                  done.said)


def check_controls(adit, results, folder, examples):
    text = (folder / "region.json").read_text(encoding="utf-8")
    for name, old, new, wanted in (
            ("an unknown operator", '"starts_with": "eu-"', '"begins_with": "eu-"',
             "unknown operator 'begins_with'"),
            ("an unknown variant", '"to": "canary"', '"to": "canry"', "did you mean 'canary'"),
            ("a false expectation", '"expect": { "variant": "canary"', '"expect": { "variant": "v1"',
             "test 'a first region' failed"),
            ("a brace too few", text, text.rstrip()[:-1], "error: ")):
        results.check(f"control: {name} can be put in", old in text)
        check_broken(adit, results, folder, f"control: {name}", text.replace(old, new, 1), wanted)
    twice = (folder / "ramp.json").read_text(encoding="utf-8")
    (folder / "twice.json").write_text(twice, encoding="utf-8")
    done = adit("check", "-c", "adit.json", "ramp.json", "twice.json", folder=folder)
    results.check("control: two routes of one name and host", done.returncode == 1, done.said)
    for name, document in examples.items():
        for what, mutant in mutants(document):
            check_mutant(adit, results, folder, name, what, mutant)


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    adit, results = Adit(arguments[0]), Results()
    examples = {path.name: read(path) for path in sorted(FOLDER.glob("*.json"))
                if path.name != "adit.json"}
    check_as_they_stand(adit, results)
    check_names(results, examples)
    check_database(results)
    with tempfile.TemporaryDirectory() as parent:
        folder = pathlib.Path(parent) / "rules"
        copy_with_key(folder)
        counts = {name: len(document["tests"]) for name, document in examples.items()}
        check_strictly(adit, results, folder, "all together", [], list(counts.values()))
        for name, count in counts.items():
            check_strictly(adit, results, folder, name, [name], [count])
        check_controls(adit, results, folder, examples)
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
