#!/usr/bin/env python3
"""The JSON Schemas of docs/ beside the parser: run.py PATH-OF-ADIT [PATH-OF-A-FAST-ONE]

1. Both are schemas of 2020-12; each property has a description.
2. Every good file of rules/, docs/ and the tests validates.
3. Mistakes (tests/rules/*.bad.json, each rule and test of them for itself; adit.json in
   tests/unit/test_config.c): what the parser refuses the schema refuses, unless each message is one
   that only the parser can give (parser_only.py has them, with reasons).
4. Drift: `adit help config` and the parser's own "known here: …" name the schema's keys, both ways.
   rules.json and adit.json here use every key; with one thing changed (dropped, renamed, of another
   type, out of bounds, an unknown key beside it) the parser and the schema judge alike, as in 3.

A new key: one place in the schema, one line in rules.json or adit.json here.
Each adit.json takes a process, so the fast program, without sanitizers, judges them; test_config.c has the mistakes of
3 with sanitizers.
The last line is "N passed, N failed".
"""
import concurrent.futures
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/schema"
sys.path.insert(0, str(ROOT / "tests/support"))

import jsonc  # noqa: E402
import mmdb  # noqa: E402
from parser_only import excused  # noqa: E402
from results import Results  # noqa: E402

NAMES = ("rules", "adit")
SCHEMAS = {name: json.loads((ROOT / f"docs/{name}.schema.json").read_text(encoding="utf-8")) for name in NAMES}
STORE = {f"file:///{name}.schema.json": schema for name, schema in SCHEMAS.items()}
VALIDATORS = {name: jsonschema.Draft202012Validator(
    schema, resolver=jsonschema.RefResolver(f"file:///{name}.schema.json", schema, store=STORE))
    for name, schema in SCHEMAS.items()}
BATCH = 60
CLASH = re.compile(r"the name '[^']*' is the route's in '|(is|are) route '.*' of '|takes the same requests")
PARSER_KNOWS = {"trust"}  # of a source in rule files, to say that it has no place there
NOT_IN_EXAMPLE = {("listen", "tls"): "an error in this version", ("jwt_keys", "file"): "beside 'url'",
                  ("jwt_keys", "secret_file"): "beside 'url'", ("jwt_from", "cookie"): "beside 'header'"}
MINIMAL = {"route": "only", "match": {"hosts": ["only.a.example.com"]}, "variants": {"v1": "shop-v1"}}


def complaint(name, document):
    """What the schema says is wrong, or ''."""
    error = jsonschema.exceptions.best_match(VALIDATORS[name].iter_errors(document))
    return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" if error else ""


class Adit:
    """`adit check` in a folder that has what the complete files name."""

    def __init__(self, binary, folder, files):
        self.binary, self.folder = str(pathlib.Path(binary).resolve()), pathlib.Path(folder)
        for path in files:
            (self.folder / path.name).write_bytes(path.read_bytes())
        for name in ("key", "sticky.key", "token", "good.key"):
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text("k" * 48, encoding="utf-8")
        (self.folder / "ranges.json").write_text('{ "10.0.0.0/8": "office" }', encoding="utf-8")
        mmdb.FILES["city.mmdb"](self.folder / "country.mmdb")
        self.environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}

    def write(self, name, document):
        text = document if isinstance(document, str) else json.dumps(document)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def errors(self, config, files):
        """Messages by file."""
        done = subprocess.run([self.binary, "check", "-c", config, *files], cwd=self.folder,
                              env=self.environment, capture_output=True, encoding="utf-8",
                              errors="replace", timeout=60, check=False)
        if done.returncode not in (0, 1) or "and " in done.stderr.splitlines()[-1:]:
            raise RuntimeError(done.stdout + done.stderr)
        said = {}
        for line in done.stderr.splitlines():
            match = re.match(r"([^:]+):(?:\d+:\d+:)? error: (.*)", line)
            if match:
                said.setdefault(match.group(1), []).append(match.group(2))
        if done.returncode == 1 and not said:
            raise RuntimeError(done.stdout + done.stderr)
        return said

    def judge_config(self, number, document):
        name = self.write(f"adit-{number}.json", document)
        said = self.errors(name, ["only.json"])
        return [message for messages in said.values() for message in messages]

    def judge_rules(self, number, documents):
        """Each file's messages; beside a broken one nobody is linked, so routes never clash."""
        names = [self.write(f"r-{number}-{i}.json", one) for i, one in enumerate(documents)]
        said = self.errors("adit.json", [*names, self.write("broken.json", "[]")])
        return [[one for one in said.get(name, []) + said.get("values.txt", []) * (len(names) == 1)
                 if not CLASH.search(one)] for name in names]


def judge(adit, kind, cases):
    """Messages of the parser for each (what, document)."""
    documents = [document for _, document in cases]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        if kind == "adit":
            return list(pool.map(adit.judge_config, range(len(documents)), documents))
        parts = [documents[i:i + BATCH] for i in range(0, len(documents), BATCH)]
        return [one for part in pool.map(adit.judge_rules, range(len(parts)), parts) for one in part]


def compare(adit, results, kind, cases):
    for (what, document), messages in zip(cases, judge(adit, kind, cases)):
        parsed = jsonc.loads(document) if isinstance(document, str) else document
        refused, own = complaint(kind, parsed), [one for one in messages if not excused(one)]
        problem = ""
        if refused and not messages:
            problem = f"adit check takes it, the schema does not: {refused}"
        elif own and not refused:
            problem = f"the schema takes it, adit check does not: {own[0]}"
        results.check(f"{kind}: {what}", problem)


# ---- walking a document beside its schema --------------------------------------------------------

def branches(schema, node):
    """Of if, then and else: the one that is for `node`; without a node both."""
    taken = None if node is None else isinstance(node, dict) and set(schema["if"]["required"]) <= set(node)
    return [schema[word] for word, is_for in (("then", True), ("else", False)) if taken in (None, is_for)]


def resolve(kind, schema, node=None):
    """(kind, schema) and all that it refers to or is made of."""
    yield kind, schema
    if "required" in schema.get("if", {}):
        for one in branches(schema, node):
            yield from resolve(kind, one, node)
    if "$ref" in schema:
        file, pointer = schema["$ref"].split("#")
        kind_of = file.removesuffix(".schema.json") or kind
        target = SCHEMAS[kind_of]
        for part in pointer.strip("/").split("/"):
            target = target[part]
        yield from resolve(kind_of, target, node)
    for word in ("allOf", "anyOf"):
        for one in schema.get(word, []):
            yield from resolve(kind, one, node)


def member(kind, schema, key, node=None):
    """Schemas of a member, by where it is described."""
    for of, one in resolve(kind, schema, node):
        if key in one.get("properties", {}):
            yield of, one["properties"][key], (id(one), key)
            continue
        patterns = [value for pattern, value in one.get("patternProperties", {}).items() if re.search(pattern, key)]
        for value in patterns or [one.get("additionalProperties")]:
            if isinstance(value, dict):
                yield of, value, None


def walk(kind, schema, node, path=()):
    """Every object and value: (path, node, all its schemas, property used)."""
    todo = [(path, node, [(kind, schema)])]
    while todo:
        path, node, schemas = todo.pop()
        flat = [one for of, entry in schemas for one in resolve(of, entry, node)]
        yield path, node, [one for _, one in flat]
        if isinstance(node, dict):
            for key, value in node.items():
                todo.append((path + (key,), value, [(of, one) for k, s in schemas for of, one, _ in member(k, s, key, node)]))
        elif isinstance(node, list):
            for i, value in enumerate(node):
                todo.append((path + (i,), value, [(of, one["items"]) for of, one in flat if isinstance(one.get("items"), dict)]))


def shown(path):
    return ".".join(map(str, path)) or "top level"


def changed(document, path, change):
    """A copy in which change(parent, key) was made."""
    copied = copy.deepcopy(document)
    parent = copied
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return copied


def rename(parent, key):
    parent[f"{key}~"] = parent.pop(key)


OTHERS = (None, True, 7, "~", [], {})
BOUNDS = {str: ("",), int: (-1, 10**15, 0.5), float: (-1, 10**15)}


def mutants(document, kind):
    for path, node, _ in walk(kind, SCHEMAS[kind], document):
        if isinstance(node, dict):
            yield f"{shown(path)}: unknown key", changed({"d": document}, ("d", *path), lambda p, k: p[k].update({"~": 1}))["d"]
        if not path:
            continue
        yield f"{shown(path)}: dropped", changed(document, path, lambda p, k: p.pop(k))
        if isinstance(path[-1], str):
            yield f"{shown(path)}: renamed", changed(document, path, rename)
        # Of the types that it has not, some for each place, in turn: each costs time.
        others = [other for other in OTHERS if type(other) is not type(node)]
        first, n = len(shown(path)) % len(others), 3 if kind == "rules" else 1
        others = (others + others)[first:first + n]
        for other in (*others, *(BOUNDS.get(type(node), ()))):
            yield f"{shown(path)}: {json.dumps(other)}", changed(document, path, lambda p, k, v=other: p.__setitem__(k, v))


# ---- the parts -----------------------------------------------------------------------------------

def check_schemas(results):
    for name, schema in SCHEMAS.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        todo = [schema]
        while todo:
            one = todo.pop()
            for key, value in one.get("properties", {}).items() if isinstance(one, dict) else ():
                if isinstance(one.get("properties"), dict) and isinstance(value, dict):
                    said = any("description" in part for _, part in resolve(name, value))
                    results.check(f"docs/{name}.schema.json: {key}", "" if said else "it has no description")
            todo += [value for value in (one.values() if isinstance(one, dict) else one) if isinstance(value, (dict, list))]


def good_files():
    for path in [*ROOT.glob("rules/*.json"), *ROOT.glob("docs/examples/**/*.json"), *ROOT.glob("tests/rules/*.json"),
                 *HERE.glob("*.json")]:
        if not re.search(r"\.(bad|cases|table)\.json$", path.name):
            yield path


def check_good(results):
    for path in sorted(good_files()):
        kind = "adit" if path.name == "adit.json" else "rules"
        results.check(path.relative_to(ROOT), complaint(kind, jsonc.loads(path.read_text(encoding="utf-8"))))


def parts_of(document):
    """A file of many mistakes as files of few: one rule, one test each."""
    for key in ("rules", "tests"):
        parts = document.get(key) if isinstance(document, dict) else None
        if isinstance(parts, list) and len(parts) > 1:
            return [(f"{key} {i}", {**document, key: [part]}) for i, part in enumerate(parts, 1)]
    return [("", document)]


def check_bad_rules(adit, results):
    for path in sorted((ROOT / "tests/rules").glob("*.bad.json")):
        document = jsonc.loads(path.read_text(encoding="utf-8"))
        if path.name == "route-duplicate-key.bad.json":
            continue  # JSON as Python has it keeps the last one only
        compare(adit, results, "rules", [(f"{path.name} {what}", part) for what, part in parts_of(document)])


def check_bad_configs(adit, results):
    text = (ROOT / "tests/unit/test_config.c").read_text(encoding="utf-8")
    part = text[text.index("START_TEST(refuses_fragments)"):text.index("START_TEST(refuses_addresses)")]
    found = re.findall(r'^ +\{("(?:\\.|[^"\\])*"(?:\s*"(?:\\.|[^"\\])*")*),', part, re.M)
    fragments = ["".join(json.loads(one) for one in re.findall(r'"(?:\\.|[^"\\])*"', each)) for each in found]
    results.check("mistakes of test_config.c", "" if len(fragments) > 60 else "they are not found any more")
    base = '{"listen":[{"address":"127.0.0.1:0"}],"upstreams":{"shop-v1":{"endpoints":["127.0.0.1:1"]}},'
    compare(adit, results, "adit", [(fragment, base + fragment + "}") for fragment in fragments])


def check_example(results, used, kind, document):
    for path, node, schemas in walk(kind, SCHEMAS[kind], document):
        for schema in schemas:
            if isinstance(node, dict):
                used |= {(id(schema), key) for key in node if key in schema.get("properties", {})}


def check_all_used(results, used):
    for kind, schema in SCHEMAS.items():
        for where, one in [("top level", schema), *schema["$defs"].items()]:
            for key in one.get("properties", {}):
                missing = (id(one), key) not in used and (where, key) not in NOT_IN_EXAMPLE
                results.check(f"{kind}.schema.json, {where}: {key}", f"tests/schema/{kind}.json does not use it" if missing else "")


def known_keys(message):
    match = re.search(r"\(known here: ([^()]*)\)$", message) or re.search(r"(?:attributes have|path has) ([^()]*)\)$", message)
    return set(re.split(r",? ", match.group(1))) if match else None


def check_known(adit, results, kind, document):
    """What the parser says that it knows, at each object of the complete file."""
    places = [(path, schemas) for path, node, schemas in walk(kind, SCHEMAS[kind], document)
              if isinstance(node, dict) and any(one.get("additionalProperties") is False for one in schemas)]
    cases = [(shown(path), changed({"d": document}, ("d", *path), lambda p, k: p[k].update({"~~~~~~~~~~~~~~~~": 1}))["d"])
             for path, _ in places]
    compared = 0
    for (path, schemas), messages in zip(places, judge(adit, kind, cases)):
        known = next((keys for keys in map(known_keys, messages) if keys), None)
        if known is None:
            results.check(f"{kind}: {shown(path)}", f"an unknown key gives no list of known ones: {messages}")
            continue
        keys = {key for one in schemas for key in one.get("properties", {})}
        known -= PARSER_KNOWS - keys
        compared += 1
        operators = "exists" in known
        beside = {"missing", "ignore_case", "salt"} if operators else set()
        declared = operators and SCHEMAS["rules"]["$defs"]["declared_test"] in schemas
        results.check(f"{kind}: {shown(path)}", f"the parser knows {sorted(known - keys)}, the schema does not" if known - keys
                      else f"the schema has {sorted(keys - known - beside)}, the parser does not know them"
                      if keys - known - beside and not declared else "")
    results.check(f"{kind}: known keys", "" if compared > 10 else "hardly any object was compared")


def check_help(adit, results):
    rows = subprocess.run([adit.binary, "help", "config"], capture_output=True, encoding="utf-8", check=True)
    listed = {}
    for line in rows.stdout.splitlines()[1:]:
        key, kind, _, default, _ = re.split(r"  +", line.strip())
        listed[key] = (kind, default)
    for key, (kind, default) in listed.items():
        found = [("adit", SCHEMAS["adit"])]
        for part in re.findall(r"[^.\[\]]+|\[\]", key):
            flat = [one for of, schema in found for one in resolve(of, schema)]
            found = [(of, one["items"]) for of, one in flat if "items" in one] if part == "[]" else \
                [(of, one) for k, s in found for of, one, _ in member(k, s, part)]
        text = {True: "true", False: "false"}
        given = [one["default"] for _, one in found if "default" in one]
        given = given[0][0] if given and isinstance(given[0], list) else given[0] if given else None
        given = text[given] if isinstance(given, bool) else str(given)
        results.check(f"adit help config: {key}", "the schema does not know it" if not found else
                      f"the default is {default}, in the schema {given}"
                      if default not in ("none", "required") and given != default else "")


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    results = Results()
    check_schemas(results)
    check_good(results)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as golden:
        adit = Adit(arguments[0], folder, [*HERE.glob("*.txt"), *HERE.glob("*.json")])
        adit.write("only.json", MINIMAL)
        programs = {"rules": adit.binary, "adit": str(pathlib.Path(arguments[-1]).resolve())}
        check_bad_rules(Adit(arguments[0], golden, [*(ROOT / "tests/rules").glob("*.txt"), ROOT / "tests/rules/adit.json",
                                                    ROOT / "tests/rules/force.token"]), results)
        check_help(adit, results)
        used = set()
        for kind in NAMES:
            document = jsonc.loads((HERE / f"{kind}.json").read_text(encoding="utf-8"))
            adit.binary = programs[kind]
            check_example(results, used, kind, document)
            check_known(adit, results, kind, document)
            compare(adit, results, kind, list(mutants(document, kind)))
        adit.binary = programs["adit"]
        check_bad_configs(adit, results)
        check_all_used(results, used)
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
