#!/usr/bin/env python3
"""What holds of every split, asked of the program itself: properties.py ADIT [PART]

Each property writes rule files into a folder of its own, one route a host, and sends requests
through `adit explain --batch`. Buckets are computed here a second time, by a murmur3 that was
written from its description and is held against published vectors first.

Keys are numbered, so that a run is the same each time; where a share is measured, five standard
deviations of the binomial distribution are allowed (a good hash fails that once in two million).

PART: only every so manieth key and bucket is asked for. That is for a program with sanitizers, which
takes five times as long; that each bucket is whose it should be is held against a release build.

The last line is "N passed, N failed".
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

BUCKETS = 10000
MANY_KEYS = 100_000
SOME_KEYS = 20_000
SIGMAS = 5
TIMEOUT_SECONDS = 300

# (text, murmur3_x86_32 with seed 0), as published: SMHasher's own results, and the tests of
# implementations in other languages.
VECTORS = [
    (b"", 0), (b"\0\0\0\0", 0x2362F9DE), (b"\xff\xff\xff\xff", 0x76293B50),
    (b"\x21\x43\x65\x87", 0xF55B516B), (b"\x21\x43\x65", 0x7E4A8634), (b"\x21\x43", 0xA0F7B07A),
    (b"\x21", 0x72661CF4), (b"test", 0xBA6BD213), (b"hello", 0x248BFA47),
    (b"hello, world", 0x149BBB7F), (b"Hello, world!", 0xC0363E43),
    (b"19 Jan 2038 at 3:14:07 AM", 0xE31E8A70),
    (b"The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    (b"The quick brown fox jumps over the lazy dog.", 0xD5C48BFC),
]


def murmur3(data):
    """murmur3_x86_32, seed 0."""
    def rotate(x, n):
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    def scramble(k):
        return rotate(k * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF

    state = 0
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        state = rotate(state ^ scramble(int.from_bytes(data[i:i + 4], "little")), 13)
        state = (state * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= scramble(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    state = (state ^ state >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return state ^ state >> 16


def bucket_of(salt, key):
    return murmur3(salt + b":" + key) * BUCKETS >> 32


# ---- the program ---------------------------------------------------------------------------------

CONFIG = {
    "listen": [{"address": "127.0.0.1:0"}],
    "rules": ["route-*.json"],
    "attributes": {"user.id": {"type": "string", "from": [{"header": "X-User-Id"}]}},
    "upstreams": {name: {"endpoints": ["127.0.0.1:9001"]} for name in ("v1", "a", "b", "c", "d")},
}


class Program:
    """The program under test, and how thoroughly it is asked."""

    def __init__(self, binary, part=1):
        self.binary = str(pathlib.Path(binary).resolve())
        self.part = part
        self.many_keys = MANY_KEYS // part
        self.some_keys = SOME_KEYS // part
        self.buckets = range(0, BUCKETS, part)


class Adit:
    """The program under some routes: {name: members of its rule file}. A route's host is its name."""

    def __init__(self, program, routes):
        self.binary = program.binary
        self.buckets = program.buckets
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.write("adit.json", CONFIG)
        for name, members in routes.items():
            canaries = members.get("canaries", ["a", "b"])
            self.write(f"route-{name}.json", {
                "route": name, "match": {"hosts": [name]}, "stable": "v1", "canaries": canaries,
                "variants": {variant: variant for variant in ["v1", *canaries]}, **members})

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document), encoding="utf-8")

    def decide(self, requests):
        """The decisions on requests (without their urls' common part)."""
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        done = subprocess.run([self.binary, "explain", "-c", "adit.json", "--batch"],
                              cwd=self.folder, input=lines, capture_output=True, encoding="utf-8",
                              timeout=TIMEOUT_SECONDS, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(requests) or any("error" in answer for answer in answers):
            raise AssertionError(f"explain --batch: exit status {done.returncode}, {len(answers)} "
                                 f"answers to {len(requests)} requests\n{done.stderr}"
                                 f"{next((a for a in answers if 'error' in a), '')}")
        return answers

    def variants(self, hosts, count):
        """For each host, of each of `count` users the variant."""
        answers = iter(self.decide([{"url": f"http://{host}/", "headers": {"X-User-Id": f"user-{i}"}}
                                    for host in hosts for i in range(count)]))
        return [[next(answers)["variant"] for _ in range(count)] for _ in hosts]

    def variants_by_bucket(self, hosts):
        """For each host, of each bucket that is asked for the variant."""
        answers = iter(self.decide([{"url": f"http://{host}/", "bucket": bucket}
                                    for host in hosts for bucket in self.buckets]))
        return [{bucket: next(answers)["variant"] for bucket in self.buckets} for _ in hosts]


def check_share(share, expected, n, what):
    """`share` of n draws that each have the probability `expected`."""
    allowed = SIGMAS * math.sqrt(expected * (1 - expected) * n)
    assert abs(share - expected * n) <= allowed, \
        f"{what}: {share} of {n}, expected {expected * n:.0f} ± {allowed:.0f}"


# ---- buckets -------------------------------------------------------------------------------------

def test_this_murmur3_gives_the_published_values(_):
    for text, expected in VECTORS:
        assert murmur3(text) == expected, f"{text!r}: {murmur3(text):08x}, not {expected:08x}"


def test_buckets_are_those_of_the_published_vectors(program):
    """A vector with a colon in it is a salt and a key."""
    asked = [(text.split(b":", 1), value) for text, value in VECTORS if b":" in text]
    assert asked
    adit = Adit(program, {f"r{i}": {"sticky": {"salt": salt.decode()}, "default": {"split": {"a": 1}}}
                         for i, ((salt, _), _) in enumerate(asked)})
    answers = adit.decide([{"url": f"http://r{i}/", "headers": {"X-User-Id": key.decode()}}
                           for i, ((_, key), _) in enumerate(asked)])
    for (_, value), answer in zip(asked, answers):
        assert answer["bucket"] == value * BUCKETS >> 32, answer


def test_buckets_of_many_salts_and_keys(program):
    """Keys of any length and of any bytes, as text received: of a query key, decoded."""
    salts = ["shop", "s", "a:b", "a longer salt, with blanks", "grün", "x" * 100]
    keys = [bytes([first]) + bytes((first * 7 + i * 31) % 255 + 1 for i in range(length))
            for first in range(256) for length in (first % 9, first % 40)]
    adit = Adit(program, {f"r{i}": {"sticky": {"salt": salt, "by": ["query.k"]},
                                   "default": {"split": {"a": 50}}} for i, salt in enumerate(salts)})
    asked = [(i, salt, key) for i, salt in enumerate(salts) for key in keys]
    answers = adit.decide([{"url": f"http://r{i}/?k={urllib.parse.quote_from_bytes(key, safe='')}"}
                           for i, _, key in asked])
    for (_, salt, key), answer in zip(asked, answers):
        expected = bucket_of(salt.encode(), key)
        assert answer["bucket"] == expected, f"{salt!r}, {key!r}: {answer}, expected {expected}"
        assert answer["variant"] == ("a" if expected < BUCKETS // 2 else "v1"), answer


def test_an_attribute_has_a_bucket_of_its_own(program):
    """bucket_in holds from its first number on and below its second, by its own salt."""
    bounds = [(0, 0.01), (0, 10), (10, 10.5), (33.33, 66.67), (99.99, 100), (0, 100)]
    keys = [f"k{i}" for i in range(program.some_keys // 10)]
    for salt, extra in (("r", {}), ("other", {"salt": "other"})):
        rules = [{"id": f"r{i}", "when": {"query.k": {"bucket_in": list(pair), **extra},
                                          "query.i": str(i)}, "to": "a"}
                 for i, pair in enumerate(bounds)]
        adit = Adit(program, {"r": {"rules": rules}})
        answers = iter(adit.decide([{"url": f"http://r/?i={i}&k={key}"}
                                    for i in range(len(bounds)) for key in keys]))
        for low, high in bounds:
            for key in keys:
                bucket = bucket_of(salt.encode(), key.encode())
                inside = round(low * 100) <= bucket < round(high * 100)
                answer = next(answers)
                assert answer["variant"] == ("a" if inside else "v1"), \
                    f"salt {salt}, [{low}, {high}), {key} of bucket {bucket}: {answer}"


# ---- weights -------------------------------------------------------------------------------------

def test_raising_a_weight_never_moves_anyone_back(program):
    weights = [0, 0.01, 10, 25, 50, 100]
    for place, members in (
            ("in default", lambda w: {"default": {"split": {"a": w}}}),
            ("in a rule", lambda w: {"rules": [{"id": "r", "when": {"method": "GET"},
                                                "split": {"a": w}}]})):
        adit = Adit(program, {f"w{i}": {"sticky": {"salt": "release"}, **members(w)}
                             for i, w in enumerate(weights)})
        before = ["v1"] * program.some_keys
        everyone = adit.variants([f"w{i}" for i in range(len(weights))], program.some_keys)
        for weight, now in zip(weights, everyone):
            back = [n for n, (old, new) in enumerate(zip(before, now)) if old == "a" != new]
            assert not back, f"{place}, at {weight} %: {len(back)} users went back, user-{back[0]}"
            before = now
        assert set(before) == {"a"}, f"{place}: not everybody has the canary at 100 %"


def test_of_two_canaries_raising_one_moves_people_from_stable_only(program):
    steps = [(0, 0), (10, 0), (10, 5), (25, 5), (25, 40), (50, 40), (50, 50)]
    adit = Adit(program, {f"s{i}": {"sticky": {"salt": "release"},
                                   "default": {"split": {"a": a, "b": b}}}
                         for i, (a, b) in enumerate(steps)})
    before = ["v1"] * program.some_keys
    for step, now in zip(steps, adit.variants([f"s{i}" for i in range(len(steps))], program.some_keys)):
        moved = {(old, new) for old, new in zip(before, now) if old != new}
        assert all(old == "v1" for old, _ in moved), f"at {step} people moved {sorted(moved)}"
        before = now
    assert "v1" not in before


def test_shares_over_many_keys(program):
    weights = [0.01, 10, 33.33]
    adit = Adit(program, {f"w{i}": {"default": {"split": {"a": weight}}}
                         for i, weight in enumerate(weights)})
    everyone = adit.variants([f"w{i}" for i in range(len(weights))], program.many_keys)
    for weight, found in zip(weights, everyone):
        check_share(found.count("a"), weight / 100, program.many_keys, f"{weight} %")


def test_shares_of_several_canaries_over_many_keys(program):
    split = {"a": 20, "b": 7.5, "c": 12.25}
    adit = Adit(program, {"r": {"canaries": ["a", "b", "c"], "default": {"split": split}}})
    found, = adit.variants(["r"], program.many_keys)
    for variant, weight in {**split, "v1": 100 - sum(split.values())}.items():
        check_share(found.count(variant), weight / 100, program.many_keys, variant)


def test_buckets_are_used_alike(program):
    """Pearson's test over a hundred classes of buckets; 99 ± 5 × sqrt(198)."""
    adit = Adit(program, {"r": {"default": {"split": {"a": 50}}}})
    classes, n = [0] * 100, program.many_keys
    for answer in adit.decide([{"url": "http://r/", "headers": {"X-User-Id": f"user-{i}"}}
                               for i in range(n)]):
        classes[answer["bucket"] // 100] += 1
    expected = n / 100
    chi_squared = sum((found - expected) ** 2 / expected for found in classes)
    assert abs(chi_squared - 99) <= SIGMAS * math.sqrt(198), f"chi squared is {chi_squared:.1f}"


def test_another_salt_draws_other_people(program):
    adit = Adit(program, {name: {"sticky": {"salt": name}, "default": {"split": {"a": 10}}}
                         for name in ("release-1", "release-2")})
    pairs = list(zip(*adit.variants(["release-1", "release-2"], program.many_keys)))
    check_share(pairs.count(("a", "a")), 0.01, program.many_keys, "drawn by both salts")


def test_one_user_is_drawn_once(program):
    """Neither what else a request says nor the order of requests changes a draw."""
    adit = Adit(program, {"r": {"default": {"split": {"a": 50}}}})
    users = [f"user-{i}" for i in range(program.some_keys // 10)]
    plain = adit.decide([{"url": "http://r/", "headers": {"X-User-Id": user}} for user in users])
    other = adit.decide([{"url": f"http://r/p?q={user}", "method": "POST", "client_ip": "10.9.8.7",
                          "headers": {"Cookie": "adit_r=forged", "X-User-Id": user}}
                         for user in reversed(users)])
    assert plain == other[::-1]


# ---- places --------------------------------------------------------------------------------------

def place_by_contract(canaries, split):
    """The variant of each bucket: the first upward, the second downward, others after the first."""
    places = ["v1"] * BUCKETS
    position = 0
    for i, canary in enumerate(canaries):
        weight = round(split.get(canary, 0) * 100)
        start = BUCKETS - weight if i == 1 else position
        places[start:start + weight] = [canary] * weight
        position += 0 if i == 1 else weight
    return places


def test_every_bucket_of_weights(program):
    cases = [
        (["a"], {"a": 25}), (["a"], {"a": 100}), (["a"], {"a": 0}), (["a"], {"a": 0.01}),
        (["a", "b"], {"a": 10, "b": 5}), (["a", "b"], {"b": 5}), (["b", "a"], {"a": 10, "b": 5}),
        (["a", "b"], {"a": 50, "b": 50}), (["a", "b"], {"b": 5, "a": 10}),
        (["a", "b", "c", "d"], {"a": 10.05, "b": 20, "c": 30.3, "d": 5}),
        (["a", "b", "c", "d"], {"d": 40, "b": 60}), (["d", "c", "b", "a"], {"a": 1, "c": 2, "d": 3}),
        (["a", "b", "c"], {"a": 33.33, "b": 33.33, "c": 33.34}),
    ]
    adit = Adit(program, {f"r{i}": {"canaries": canaries, "default": {"split": split}}
                         for i, (canaries, split) in enumerate(cases)})
    everywhere = adit.variants_by_bucket([f"r{i}" for i in range(len(cases))])
    for (canaries, split), found in zip(cases, everywhere):
        expected = place_by_contract(canaries, split)
        wrong = next((k for k in found if found[k] != expected[k]), None)
        assert wrong is None, \
            f"{canaries}, {split}: bucket {wrong} is {found[wrong]}'s, expected {expected[wrong]}'s"
        for canary in canaries if len(found) == BUCKETS else ():
            assert list(found.values()).count(canary) == round(split.get(canary, 0) * 100), f"{split}: not exact"


def test_every_bucket_of_ranges(program):
    cases = [
        {"a": [0, 33.33], "b": [33.33, 66.66]}, {"b": [0, 1], "a": [99.99, 100]},
        {"a": [10, 20]}, {"a": [0, 100]}, {"a": [0.01, 0.02]}, {"a": [50, 50]},
        {"a": [66.67, 100], "b": [0, 33.33], "c": [33.33, 66.67]},
    ]
    adit = Adit(program, {f"r{i}": {"canaries": ["a", "b", "c"], "default": {"split": split}}
                         for i, split in enumerate(cases)})
    for split, found in zip(cases, adit.variants_by_bucket([f"r{i}" for i in range(len(cases))])):
        for bucket, variant in found.items():
            expected = next((name for name, (low, high) in split.items()
                             if round(low * 100) <= bucket < round(high * 100)), "v1")
            assert variant == expected, f"{split}: bucket {bucket} is {variant}'s, not {expected}'s"


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    program = Program(arguments[0], *map(int, arguments[1:]))
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test(program)
            passed += 1
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as problem:
            print(f"FAILED {name.removeprefix('test_').replace('_', ' ')}: {problem}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
