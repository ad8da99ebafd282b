#!/usr/bin/env python3
"""Files that mean harm, or come of a mishap: hostile.py ADIT [NAME…]

Rule files, files of values and adit.json that are huge, deep, endless, or no text at all. `adit check`
must end soon, in bounded memory, and say where and what is wrong; `holds` are those that may pass.

Memory is the largest resident set of the process itself; under AddressSanitizer, which takes some of
its own, the bound is wider. Time is processor time, which a busy machine does not change much, with
bounds that only something unbounded reaches. The last line is "N passed, N failed".
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}],
    "rules": ["r.json"],
    "attributes": {
        "region": {"type": "string", "from": [{"header": "X-Region"}]},
        "score": {"type": "number", "from": [{"header": "X-Score"}]},
    },
    "upstreams": {name: {"endpoints": ["127.0.0.1:9001"]} for name in ("v1", "canary")},
    "sticky": {"keys": [{"id": "k", "file": "sticky.key"}]},
}
ROUTE = {"route": "r", "variants": {"v1": "v1", "canary": "canary"}}
MIB = 1 << 20
SECONDS_MAX, SECONDS_MAX_SANITIZED = 90, 300
BYTES_MAX, BYTES_MAX_SANITIZED = 1 << 30, 4 << 30
MESSAGES_BYTES_MAX = 1 << 19  # two hundred messages of 2 KiB at most


class Adit:
    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())
        sanitized = b"__asan_init" in pathlib.Path(binary).read_bytes()
        self.seconds_max = SECONDS_MAX_SANITIZED if sanitized else SECONDS_MAX
        self.bytes_max = BYTES_MAX_SANITIZED if sanitized else BYTES_MAX

    def check(self, folder, *arguments):
        """(exit status, what it said, bytes). One that takes too long is ended by a signal."""
        limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (self.seconds_max, self.seconds_max))
        with open(folder / "said", "w+b") as said:
            with subprocess.Popen([self.binary, "check", *arguments], cwd=folder, stdout=said, stderr=said,
                                  stdin=subprocess.DEVNULL, preexec_fn=limit) as process:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            return process.returncode, said.read().decode("utf-8", "replace"), used.ru_maxrss << 10


# ---- texts ---------------------------------------------------------------------------------------

def route(**members):
    return json.dumps({**ROUTE, **members})


def rule(when, name="x"):
    return {"id": name, "when": when, "to": "canary"}


def rules(*conditions):
    return route(rules=[rule(when, f"x{i}") for i, when in enumerate(conditions)])


def pattern(text):
    return rules({"region": {"matches": text}})


def with_score(number):
    return rules({"score": 1}).replace('"score": 1', f'"score": {number}')


def nested(before, after, depth):
    return rules({"region": "a"}).replace('{"region": "a"}', before * depth + '{"region": "a"}' + after * depth)


def chain(length, last):
    segments = {f"s{i}": {"segment": f"s{i + 1}"} for i in range(length)}
    return route(segments={**segments, f"s{length}": last}, rules=[rule({"segment": "s0"})])


def doubling(levels):
    """Segments each of which holds the next ten times."""
    segments = {f"s{i}": {"any": [{"segment": f"s{i + 1}"}] * 10} for i in range(levels)}
    return route(segments={**segments, f"s{levels}": {"region": "a"}}, rules=[rule({"segment": "s0"})])


def config(**members):
    return json.dumps({**CONFIG, **members})


def attributes(count, text):
    return {f"a{i}": {"type": "string", "from": [{"header": "X", "regex": f"{i}{text}"}]} for i in range(count)}


# ---- rule files: (name, the file, what must be said); None: it passes ------------------------------

DEEP = "more than 64 levels of nesting (nest less deeply)"
VALUES = "more than 4000000 values in one text (divide it"
TEXTS = [
    ("nothing", "", "r.json:1:1: error: there is nothing in it (a JSON value is expected"),
    ("a number", "7", "r.json:1:1: error: a rule file must be an object, not a number"),
    ("a byte order mark", b"\xef\xbb\xbf" + route().encode(), "r.json:1:1: error: byte order mark at the start (save"),
    ("UTF-16", b"\xff\xfe" + route().encode("utf-16-le"), "r.json:1:1: error: the text is UTF-16 (save"),
    ("UTF-16, the other end first", b"\xfe\xff" + route().encode("utf-16-be"), "error: the text is UTF-16 (save"),
    ("Latin-1", rules({"region": "é"}).replace("\\u00e9", "é").encode("latin-1"),
     "error: byte 0xE9 is not UTF-8 (save the file as UTF-8)"),
    ("a NUL", rules({"region": "a"}).replace('"a"', '"a\0"'), "error: control byte 0x00 in a string"),
    ("an escaped NUL", rules({"region": "\0"}), "error: \\u0000 is not allowed (leave it out"),
    ("half a surrogate pair", rules({"region": "\ud800"}), "error: lone surrogate \\ud800 (write the character"),
    ("10^400", with_score("1e400"), "error: number out of range (the largest is about 1.8e308)"),
    ("10^400, all digits", with_score("1" + "0" * 400), "error: number out of range"),
    ("a number of 50 million digits", with_score("1" + "0" * 50_000_000), "error: number out of range"),
    ("a number that is none", with_score("NaN"), "error: expected a value, found 'N' (JSON has no such number)"),
    ("a key twice", '{"route": "r",\n "route": "s"}', "r.json:2:2: error: duplicate key 'route' (it is in line 1"),
    ("a million keys that are one", '{"route": "r"' + ', "route": "r"' * 1_000_000 + "}", "and 999800 more"),
    ("a million unknown keys", "{" + ", ".join(f'"key{i}": 1' for i in range(1_000_000)) + "}",
     "unknown key 'key0'"),
    ("50 MB of brackets", "[" * 50_000_000, f"r.json:1:65: error: {DEEP}"),
    ("50 MB of keys within each other", '{"a":' * 10_000_000, f"error: {DEEP}"),
    ("any in any", nested('{"any": [', "]}", 100_000), DEEP),
    ("all in all", nested('{"all": [', "]}", 100_000), DEEP),
    ("not in not", nested('{"not": ', "}", 100_000), DEEP),
    ("not in not, as deep as may be", nested('{"not": ', "}", 60), None),
    ("lists in the place of a value", rules({"region": 1}).replace('"region": 1', '"region": ' + "[" * 50 + "]" * 50),
     "error: "),
    ("50 MB of bytes", b"\x80" + os.urandom(50_000_000), "r.json:1:1: error: "),
    ("50 MB of garbage in a rule file", route()[:-1] + ", " + '"x' * 25_000_000, "error: expected ':' after the key"),
    ("60 MB of zeros", '{"a": [' + "0," * 30_000_000 + "0]}", VALUES),
    ("60 MB of empty lists", '{"a": [' + "[]," * 20_000_000 + "0]}", VALUES),
    ("a file of more than 64 MiB", " " * (64 * MIB + 1), "r.json: error: cannot read 'r.json': it is larger than "
     "67108864 bytes (make it smaller or divide it)"),
    ("400,000 rules", rules(*[{"region": f"r{i}", "header.x": {"contains": "y"}} for i in range(400_000)]),
     "error: 400000 rules are more than the limit of 100000"),
    ("99,999 rules of 50 MB", rules(*[{"region": f"r{i}", "header.x": {"contains": f"y{i}" * 60}}
                                      for i in range(99_999)]), None),
    ("a list of a million texts", rules({"region": [f"r{i}-abcdefghijklmnopqrstuvwxyz" for i in range(1_000_000)]}),
     None),
    ("a text of 50 MB", rules({"region": "x" * 50_000_000}), None),
    ("a comment of 50 MB", "//" + "x" * 50_000_000 + "\n" + rules({"region": "a"}), None),
    ("a name of 50 MB", route(rules=[rule({"region": "a"}, "x" * 50_000_000)]), "... (1 to 64 letters, digits"),
    ("an attribute's name of 10 MB", rules({"y" * 10_000_000: "a"}), "error: rule 'x0': unknown attribute 'yyy"),
    ("a text of a megabyte as a pattern", pattern("a" * MIB), "bad pattern for 'region': regular expression is too large"),
    ("a megabyte of groups", pattern("(a|b?)" * (MIB // 6)), "too many capturing groups (maximum 65535) (behind byte"),
    ("a megabyte of parentheses", pattern("(" * (MIB // 2) + ")" * (MIB // 2)),
     "parentheses are too deeply nested (behind byte 251 of the pattern)"),
    ("repetitions of repetitions", pattern("((((a{1,1000}){1,1000}){1,1000}){1,1000})"), "regular expression is too large"),
    ("patterns that grow when compiled", rules(*[{"region": {"matches": f"{i}" + "(a|b)?" * 600}} for i in range(3_000)]),
     "error: rule 'x", "the patterns of the file take more than 256 MiB of memory (write fewer of them, or simpler ones)"),
    ("attributes that grow when compiled", route(attributes=attributes(3_000, "(a|b)?" * 600)),
     "the patterns of the attributes take more than 256 MiB of memory (write fewer"),
    ("a segment that is itself", chain(0, {"segment": "s0"}), "error: segment 's0': segment leads to itself: s0 -> s0"),
    ("segments in a circle", chain(2, {"not": {"any": [{"segment": "s0"}]}}), "leads to itself: s0 -> s1 -> s2 -> s0"),
    ("segments in a circle of 100,000", chain(100_000, {"segment": "s0"}), "conditions are nested more than 128 deep"),
    ("a hundred segments in a chain", chain(100, {"region": "a"}), None),
    ("100,000 segments in a chain", chain(100_000, {"region": "a"}), "conditions are nested more than 128 deep"),
    ("segments that double", doubling(30), "more than 1000000 conditions in the file, segments opened"),
    ("a weight of 10^400", route(default={"split": {"canary": 1}}).replace('"canary": 1', '"canary": 1e400'),
     "error: number out of range"),
    ("a weight below zero", route(default={"split": {"canary": -1}}), "-1 for 'canary' is not from 0 to 100"),
]

# ---- files of values: (name, how it is made, what must be said) --------------------------------------

VALUE_FILES = [
    ("is not there", lambda path: None, "cannot read 'values': No such file or directory (create it, or correct"),
    ("is a directory", os.mkdir, "cannot read 'values': it is a directory (name a file in it)"),
    ("is a pipe", os.mkfifo, "cannot read 'values': it is not a regular file (copy its content into a file)"),
    ("is /dev/zero", lambda path: os.symlink("/dev/zero", path), "cannot read 'values': it is not a regular file"),
    ("is a link to itself", lambda path: os.symlink("values", path), "cannot read 'values': Too many levels of symb"),
    ("is larger than 64 MiB", lambda path: path.write_bytes(b"a\n" * (32 * MIB + 1)),
     "cannot read 'values': it is larger than 67108864 bytes"),
    ("has 33 million values", lambda path: path.write_bytes(b"a\n" * (32 * MIB)),
     "'values' has more than 1000000 values (divide it into several files)"),
    ("has a million values", lambda path: path.write_text("".join(f"v{i}\n" for i in range(1_000_000))), None),
    ("is one line of 50 MB", lambda path: path.write_bytes(b"x" * 50_000_000), None),
    ("is no text", lambda path: path.write_bytes(bytes(range(256)) * 4_000),
     "r.json:1:116: error: rule 'x0': 'values' is not a text: it holds a byte 0x00"),
]

# ---- adit.json ---------------------------------------------------------------------------------------

CONFIGS = [
    ("50 MB", config()[:-1] + " " * 50_000_000 + "}", "adit.json: error: cannot read 'adit.json': it is larger than "
     "16777216 bytes (make it smaller or divide it)"),
    ("16 MB of brackets", "[" * 16_000_000, f"adit.json:1:65: error: {DEEP}"),
    ("16 MB of bytes", b"\x80" + os.urandom(16_000_000), "adit.json:1:1: error: "),
    ("a key twice", config()[:-1] + ', "rules": []}', "error: duplicate key 'rules'"),
    ("10^400 workers", config()[:-1] + ', "workers": 1e400}', "error: number out of range"),
    ("segments in a circle", config(segments={"a": {"segment": "b"}, "b": {"segment": "a"}}),
     "segment 'b': segment leads to itself: a -> b -> a"),
    ("a megabyte of groups as an attribute's pattern", config(attributes=attributes(1, "(a|b?)" * (MIB // 6))),
     "attribute 'a0': regex does not compile, at offset"),
    ("attributes that grow when compiled", config(attributes=attributes(3_000, "(a|b)?" * 600)),
     "the patterns of the attributes take more than 256 MiB of memory (write fewer"),
    ("200,000 upstreams", config(upstreams={**CONFIG["upstreams"], **{
        f"u{i}": {"endpoints": ["127.0.0.1:9001"]} for i in range(200_000)}}), ""),
    ("200,000 attributes", config(attributes={**CONFIG["attributes"], **{
        f"u{i}": {"type": "string", "from": [{"header": "X"}]} for i in range(200_000)}}), ""),
    ("an upstream of 600,000 endpoints", config(upstreams={"canary": {"endpoints": ["127.0.0.1:9001"]}, "v1": {
        "endpoints": ["127.0.0.1:9001"] * 600_000}}), ""),
    ("a million trusted networks", config(trusted_proxies=["10.0.0.0/8"] * 1_000_000), ""),
    ("a million names of rule files", config(rules=["r.json"] * 1_000_000), ""),
    ("300,000 addresses to listen on", config(listen=[{"address": "127.0.0.1:0"}] * 300_000), ""),
]


# ---- the checks --------------------------------------------------------------------------------------

def problems_of(adit, folder, wanted):
    """What is wrong with the answer to the files in `folder`. `wanted`: None, it passes; else what
    must be said, with exit status 1; or [""], where any of both will do."""
    status, said, used = adit.check(folder, "-c", "adit.json")
    problems = [f"nothing says {one!r}" for one in wanted or () if one not in said]
    if wanted != [""] and status != (1 if wanted else 0) or status not in (0, 1):
        problems.append(f"exit status {status}")
    if used > adit.bytes_max:
        problems.append(f"it has taken {used} bytes")
    if len(said) > MESSAGES_BYTES_MAX:
        problems.append(f"it says {len(said)} bytes")
    return problems and [*problems, *(line[:300] for line in said.splitlines()[:5])]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))


def cases():
    """(name, what makes the files in a folder, what is wanted)."""
    for name, text, *wanted in TEXTS:
        yield f"rules: {name}", lambda folder, text=text: write(folder / "r.json", text), wanted
    for name, make, *wanted in VALUE_FILES:
        def values(folder, make=make):
            write(folder / "r.json", rules({"region": {"in_file": "values"}}))
            make(folder / "values")
        yield f"values: the file {name}", values, wanted
    for name, text, *wanted in CONFIGS:
        yield f"adit.json: {name}", lambda folder, text=text: write(folder / "adit.json", text), wanted


def main(arguments):
    if not arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    adit = Adit(arguments[0])
    passed = failed = 0
    for name, make, wanted in cases():
        if arguments[1:] and not any(name.startswith(one) for one in arguments[1:]):
            continue
        with tempfile.TemporaryDirectory(prefix="adit-hostile-") as parent:
            folder = pathlib.Path(parent)
            write(folder / "adit.json", config())
            write(folder / "r.json", rules({"region": "a"}))
            (folder / "sticky.key").touch(mode=0o600)
            write(folder / "sticky.key", "k" * 48)
            make(folder)
            problems = problems_of(adit, folder, None if wanted == [None] else wanted)
        passed, failed = passed + (not problems), failed + bool(problems)
        if problems:
            print(f"FAILED {name}")
            for line in problems:
                print(f"  {line}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
