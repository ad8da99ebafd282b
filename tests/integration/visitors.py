"""visitors: who comes, what they keep, and the sticky cookie as docs/adr/0003 describes it.

Buckets and cookies are computed here a second time, from their description, so that what the
gateway does is compared with something.
"""
import base64
import hashlib
import hmac
import struct
import time
from typing import NamedTuple

from messages import request, response, to_bytes

KEY_ID = "test"
SECRET = b"an integration test's key, 32 or more bytes"
SOME_ID = base64.urlsafe_b64encode(bytes(range(16))).decode().rstrip("=")
MASK = 0xFFFFFFFF
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


# ---- buckets


def rotate_left(x, n):
    return (x << n | x >> (32 - n)) & MASK


def murmur3(data):
    """murmur3_x86_32 with seed 0."""
    def mixed(k):
        return rotate_left(k * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK

    whole = len(data) & ~3
    h = 0
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        h = (rotate_left(h ^ mixed(k), 13) * 5 + 0xE6546B64) & MASK
    h ^= mixed(int.from_bytes(data[whole:], "little")) ^ len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def bucket(salt, key):
    """0 to 9999."""
    return murmur3(f"{salt}:{key}".encode()) * 10000 >> 32


def keys(salt, low, high, n=1, prefix="user-"):
    """The first n keys whose bucket is in [low, high)."""
    found = []
    number = 0
    while len(found) < n:
        key = f"{prefix}{number}"
        if low <= bucket(salt, key) < high:
            found.append(key)
        number += 1
    return found


# ---- the sticky cookie


class Sticky(NamedTuple):
    """What a cookie's value says."""

    version: str
    key_id: str
    variant: str
    epoch: str
    id: str
    issued: str
    tag: str

    @property
    def issued_seconds(self):
        return int(self.issued) / 1000


def sign(name, fields, secret=SECRET):
    parts = [b"adit sticky cookie", name.encode(), *(field.encode() for field in fields)]
    signed = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    tag = hmac.new(secret, signed, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(tag).decode().rstrip("=")


def sticky(name="adit_shop", variant="canary", epoch=1, anonymous_id=SOME_ID, age=0, version="1",
           key_id=KEY_ID, secret=SECRET):
    """The value of a cookie that was issued `age` seconds ago."""
    issued = int((time.time() - age) * 1000)
    fields = [version, key_id, variant, str(epoch), anonymous_id, str(issued)]
    return "~".join([*fields, sign(name, fields, secret)])


def parse_sticky(value, name="adit_shop", secret=SECRET):
    """The fields of a value that is signed as it should be."""
    cookie = Sticky(*value.split("~"))
    assert cookie.tag == sign(name, cookie[:-1], secret), value
    return cookie


# ---- visits


def answer_names(*origins):
    """From now on an origin answers with its name, and tells which rule it was told of."""
    for origin in origins:
        origin.serve(lambda head, name=origin.name: response(
            "200 OK", *(b"X-Told-Rule: " + rule for rule in head.all("X-Adit-Rule")),
            body=name.encode()))


def told_rule(answer):
    rules = answer.all("X-Told-Rule")
    return rules[0].decode() if rules else None


def set_cookies(answer):
    """Name → value of the cookies that an answer sets."""
    pairs = (line.decode().partition(";")[0].split("=", 1) for line in answer.all("Set-Cookie"))
    return dict(pairs)


def ask(bench, *lines, target="/", method="GET", source=None):
    """The answer to one request on a connection of its own."""
    client = bench.client(source=source)
    client.send(request(f"{method} {target} HTTP/1.1", *lines))
    answer = client.read_response(method)
    client.close()
    return answer


def served_by(bench, *lines, **more):
    """The name of the origin that answers one request."""
    answer = ask(bench, *lines, **more)
    assert answer.status == 200, answer.head
    return answer.body.decode()


class Visitor:
    """Says the same of itself each time, and keeps the cookies that it is given (or none)."""

    def __init__(self, *lines, keeps_cookies=True):
        self.lines = [to_bytes(line) for line in lines]
        self.keeps_cookies = keeps_cookies
        self.cookies = {}

    def request(self, target="/", *more):
        lines = [*self.lines, *more]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        return request(f"GET {target} HTTP/1.1", *lines)

    def keep(self, answer):
        if self.keeps_cookies:
            self.cookies.update(set_cookies(answer))
        return answer

    def ask(self, client, target="/", *more):
        client.send(self.request(target, *more))
        return self.keep(client.read_response())

    def sticky(self, name="adit_shop"):
        """What its sticky cookie says, or None."""
        return parse_sticky(self.cookies[name], name) if name in self.cookies else None
