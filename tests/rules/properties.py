#!/usr/bin/env python3
"""What holds of every split, asked of the program itself: properties.py ADIT

Each property writes rule files into a folder of its own, one route a host, and sends requests
through `adit explain --batch`. Buckets are computed here a second time, by a murmur3 that was
written from its description and is held against published vectors first.

Keys are numbered, so that a run is the same each time; where a share is measured, five standard
deviations of the binomial distribution are allowed (a good hash fails that once in two million).

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


class Adit:
    """The program under some routes: {name: members of its rule file}. A route's host is its name."""

    def __init__(self, binary, routes):
        self.binary = str(pathlib.Path(binary).resolve())
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

    def variants(self, host, count):
        """Of each of `count` users the variant."""
        return [answer["variant"] for answer in self.decide(
            [{"url": f"http://{host}/", "headers": {"X-User-Id": f"user-{i}"}}
             for i in range(count)])]

    def variants_by_bucket(self, host):
        """Of each bucket the variant."""
        return [answer["variant"] for answer in self.decide(
            [{"url": f"http://{host}/", "bucket": bucket} for bucket in range(BUCKETS)])]


def check_share(share, expected, n, what):
    """`share` of n draws that each have the probability `expected`."""
    allowed = SIGMAS * math.sqrt(expected * (1 - expected) * n)
    assert abs(share - expected * n) <= allowed, \
        f"{what}: {share} of {n}, expected {expected * n:.0f} ± {allowed:.0f}"


# ---- buckets -------------------------------------------------------------------------------------

def test_this_murmur3_gives_the_published_values(_):
    for text, expected in VECTORS:
        assert murmur3(text) == expected, f"{text!r}: {murmur3(text):08x}, not {expected:08x}"


def test_buckets_are_those_of_the_published_vectors(binary):
    """A vector with a colon in it is a salt and a key."""
    asked = [(text.split(b":", 1), value) for text, value in VECTORS if b":" in text]
    assert asked
    adit = Adit(binary, {f"r{i}": {"sticky": {"salt": salt.decode()}, "default": {"split": {"a": 1}}}
                         for i, ((salt, _), _) in enumerate(asked)})
    answers = adit.decide([{"url": f"http://r{i}/", "headers": {"X-User-Id": key.decode()}}
                           for i, ((_, key), _) in enumerate(asked)])
    for (_, value), answer in zip(asked, answers):
        assert answer["bucket"] == value * BUCKETS >> 32, answer


def test_buckets_of_many_salts_and_keys(binary):
    """Keys of any length and of any bytes, as text received: of a query key, decoded."""
    salts = ["shop", "s", "a:b", "a longer salt, with blanks", "grün", "x" * 100]
    keys = [bytes([first]) + bytes((first * 7 + i * 31) % 255 + 1 for i in range(length))
            for first in range(256) for length in (first % 9, first % 40)]
    adit = Adit(binary, {f"r{i}": {"sticky": {"salt": salt, "by": ["query.k"]},
                                   "default": {"split": {"a": 50}}} for i, salt in enumerate(salts)})
    asked = [(i, salt, key) for i, salt in enumerate(salts) for key in keys]
    answers = adit.decide([{"url": f"http://r{i}/?k={urllib.parse.quote_from_bytes(key, safe='')}"}
                           for i, _, key in asked])
    for (_, salt, key), answer in zip(asked, answers):
        expected = bucket_of(salt.encode(), key)
        assert answer["bucket"] == expected, f"{salt!r}, {key!r}: {answer}, expected {expected}"
        assert answer["variant"] == ("a" if expected < BUCKETS // 2 else "v1"), answer


def test_an_attribute_has_a_bucket_of_its_own(binary):
    """bucket_in holds from its first number on and below its second, by its own salt."""
    bounds = [(0, 0.01), (0, 10), (10, 10.5), (33.33, 66.67), (99.99, 100), (0, 100)]
    keys = [f"k{i}" for i in range(2000)]
    for salt, extra in (("r", {}), ("other", {"salt": "other"})):
        rules = [{"id": f"r{i}", "when": {"query.k": {"bucket_in": list(pair), **extra},
                                          "query.i": str(i)}, "to": "a"}
                 for i, pair in enumerate(bounds)]
        adit = Adit(binary, {"r": {"rules": rules}})
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

def test_raising_a_weight_never_moves_anyone_back(binary):
    weights = [0, 0.01, 10, 25, 50, 100]
    for place, members in (
            ("in default", lambda w: {"default": {"split": {"a": w}}}),
            ("in a rule", lambda w: {"rules": [{"id": "r", "when": {"method": "GET"},
                                                "split": {"a": w}}]})):
        adit = Adit(binary, {f"w{i}": {"sticky": {"salt": "release"}, **members(w)}
                             for i, w in enumerate(weights)})
        before = ["v1"] * 20_000
        for i, weight in enumerate(weights):
            now = adit.variants(f"w{i}", 20_000)
            back = [n for n, (old, new) in enumerate(zip(before, now)) if old == "a" != new]
            assert not back, f"{place}, at {weight} %: {len(back)} users went back, user-{back[0]}"
            before = now
        assert set(before) == {"a"}, f"{place}: not everybody has the canary at 100 %"


def test_of_two_canaries_raising_one_moves_people_from_stable_only(binary):
    steps = [(0, 0), (10, 0), (10, 5), (25, 5), (25, 40), (50, 40), (50, 50)]
    adit = Adit(binary, {f"s{i}": {"sticky": {"salt": "release"},
                                   "default": {"split": {"a": a, "b": b}}}
                         for i, (a, b) in enumerate(steps)})
    before = ["v1"] * 20_000
    for i, step in enumerate(steps):
        now = adit.variants(f"s{i}", 20_000)
        moved = {(old, new) for old, new in zip(before, now) if old != new}
        assert all(old == "v1" for old, _ in moved), f"at {step} people moved {sorted(moved)}"
        before = now
    assert "v1" not in before


def test_shares_over_many_keys(binary):
    weights = [0.01, 10, 33.33]
    adit = Adit(binary, {f"w{i}": {"default": {"split": {"a": weight}}}
                         for i, weight in enumerate(weights)})
    for i, weight in enumerate(weights):
        found = adit.variants(f"w{i}", MANY_KEYS).count("a")
        check_share(found, weight / 100, MANY_KEYS, f"{weight} %")


def test_shares_of_several_canaries_over_many_keys(binary):
    split = {"a": 20, "b": 7.5, "c": 12.25}
    adit = Adit(binary, {"r": {"canaries": ["a", "b", "c"], "default": {"split": split}}})
    found = adit.variants("r", MANY_KEYS)
    for variant, weight in {**split, "v1": 100 - sum(split.values())}.items():
        check_share(found.count(variant), weight / 100, MANY_KEYS, variant)


def test_buckets_are_used_alike(binary):
    """Pearson's test over a hundred classes of buckets; 99 ± 5 × sqrt(198)."""
    adit = Adit(binary, {"r": {"default": {"split": {"a": 50}}}})
    classes = [0] * 100
    for answer in adit.decide([{"url": "http://r/", "headers": {"X-User-Id": f"user-{i}"}}
                               for i in range(MANY_KEYS)]):
        classes[answer["bucket"] // 100] += 1
    expected = MANY_KEYS / 100
    chi_squared = sum((n - expected) ** 2 / expected for n in classes)
    assert abs(chi_squared - 99) <= SIGMAS * math.sqrt(198), f"chi squared is {chi_squared:.1f}"


def test_another_salt_draws_other_people(binary):
    adit = Adit(binary, {name: {"sticky": {"salt": name}, "default": {"split": {"a": 10}}}
                         for name in ("release-1", "release-2")})
    pairs = list(zip(adit.variants("release-1", MANY_KEYS), adit.variants("release-2", MANY_KEYS)))
    check_share(pairs.count(("a", "a")), 0.01, MANY_KEYS, "drawn by both salts")


def test_one_user_is_drawn_once(binary):
    """Neither what else a request says nor the order of requests changes a draw."""
    adit = Adit(binary, {"r": {"default": {"split": {"a": 50}}}})
    users = [f"user-{i}" for i in range(2000)]
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


def test_every_bucket_of_weights(binary):
    cases = [
        (["a"], {"a": 25}), (["a"], {"a": 100}), (["a"], {"a": 0}), (["a"], {"a": 0.01}),
        (["a", "b"], {"a": 10, "b": 5}), (["a", "b"], {"b": 5}), (["b", "a"], {"a": 10, "b": 5}),
        (["a", "b"], {"a": 50, "b": 50}), (["a", "b"], {"b": 5, "a": 10}),
        (["a", "b", "c", "d"], {"a": 10.05, "b": 20, "c": 30.3, "d": 5}),
        (["a", "b", "c", "d"], {"d": 40, "b": 60}), (["d", "c", "b", "a"], {"a": 1, "c": 2, "d": 3}),
        (["a", "b", "c"], {"a": 33.33, "b": 33.33, "c": 33.34}),
    ]
    adit = Adit(binary, {f"r{i}": {"canaries": canaries, "default": {"split": split}}
                         for i, (canaries, split) in enumerate(cases)})
    for i, (canaries, split) in enumerate(cases):
        found = adit.variants_by_bucket(f"r{i}")
        expected = place_by_contract(canaries, split)
        wrong = next((k for k in range(BUCKETS) if found[k] != expected[k]), None)
        assert wrong is None, \
            f"{canaries}, {split}: bucket {wrong} is {found[wrong]}'s, expected {expected[wrong]}'s"
        for canary in canaries:
            assert found.count(canary) == round(split.get(canary, 0) * 100), f"{split}: not exact"


def test_every_bucket_of_ranges(binary):
    cases = [
        {"a": [0, 33.33], "b": [33.33, 66.66]}, {"b": [0, 1], "a": [99.99, 100]},
        {"a": [10, 20]}, {"a": [0, 100]}, {"a": [0.01, 0.02]}, {"a": [50, 50]},
        {"a": [66.67, 100], "b": [0, 33.33], "c": [33.33, 66.67]},
    ]
    adit = Adit(binary, {f"r{i}": {"canaries": ["a", "b", "c"], "default": {"split": split}}
                         for i, split in enumerate(cases)})
    for i, split in enumerate(cases):
        found = adit.variants_by_bucket(f"r{i}")
        for bucket, variant in enumerate(found):
            expected = next((name for name, (low, high) in split.items()
                             if round(low * 100) <= bucket < round(high * 100)), "v1")
            assert variant == expected, f"{split}: bucket {bucket} is {variant}'s, not {expected}'s"


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test(arguments[0])
            passed += 1
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as problem:
            print(f"FAILED {name.removeprefix('test_').replace('_', ' ')}: {problem}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
