"""No trick of encoding reaches a route around its rules, with a real nginx as the origin.

nginx says which path it reads in the bytes that reached it. Whatever the spelling: where that path
lies under /admin the decision must have been the one for /admin, and where it does not, the other.
"""
import contextlib
import random

from harness import request
from nginx import READER, Nginx

PREFIX = "/admin"
SPELLINGS = [
    # plainly, and what only looks alike
    "/admin", "/admin/", "/admin/x", "/administrator", "/admin.", "/admin..", "/Admin", "/ADMIN/x", "/admin-x",
    "/x/admin", "/admin;x=1", "/admin;x=1/y", "/;x=1/admin", "/admin/;x", "/admin/..;/x", "/x/..;/admin",
    "/admin+x", "/admin,x", "/admin:x", "/admin@x", "/admin&x", "/~admin", "/admin~",
    # letters encoded, once and twice
    "/%61dmin", "/%61%64%6D%69%6E/x", "/%61%64%6d%69%6e/x", "/adm%69n", "/admin%78", "/%41dmin", "/%2561dmin",
    "/%25%36%31dmin", "/%%361dmin", "/%2%35%61dmin", "/a%dmin", "/admin%", "/admin%2", "/admin%zz", "/admin%u002f",
    # slashes, merged and encoded
    "//admin", "///admin//x", "/admin//", "/x//admin", "/%2fadmin", "/%2Fadmin", "/%2f%2Fadmin/x", "//%2fadmin",
    "/%2f/admin", "/admin%2f", "/admin%2fx", "/admin%2Fx/y", "/admin%2f%2fx", "/x%2fadmin", "/x/%2fadmin",
    "/%252fadmin", "/admin%252fx", "/admin%25%32%66x", "/adm%2fin", "/%2f", "/%2f%2f",
    # backslashes
    "/\\admin", "\\admin", "/admin\\x", "/admin\\..\\x", "/%5cadmin", "/admin%5cx", "/admin%5Cx", "/x\\..\\admin",
    "/x%5c..%5cadmin", "/x/..\\admin", "/admin\\%2fx",
    # dot segments
    "/./admin", "/././admin", "/admin/.", "/admin/./x", "/x/../admin", "/x/../admin/y", "/x/y/../../admin", "/..",
    "/../admin", "/x/../../admin", "/admin/..", "/admin/../x", "/admin/../admin", "/admin/x/../../y", "/x/./../admin",
    "/x//../admin", "/admin//../x", "/admin/..//x", "/...", "/.../admin", "/admin/...", "/.admin", "/x/.../admin",
    # ... encoded
    "/%2e/admin", "/%2E%2f/admin", "/%2e%2fadmin", "/.%2fadmin", "/%2f.%2fadmin", "/x/%2e%2e/admin", "/x/.%2e/admin",
    "/x/%2e./admin", "/x/%2E%2E/admin", "/admin/%2e%2e/x", "/admin/.%2E/x", "/%2e%2e/admin", "/x/..%2fadmin",
    "/x%2f../admin", "/x%2f..%2fadmin", "/x/%2e%2e%2fadmin", "/x%2f%2e%2e%2fadmin", "/admin%2f..", "/admin%2f../x",
    "/admin/..%2fx", "/admin%2f%2e%2e%2fx", "/admin/.%2fx", "/x%2fy/../admin", "/admin%2fy/../x", "/admin%2fy/..",
    "/x%2fy/../../admin", "/admin%2f/../x", "/x%2f/../admin", "/%252e%252e/admin", "/x/%252e%252e/admin",
    "/admin/%252e%252e/x", "/x/%25%32%65%25%32%65/admin", "/x/..%00/admin", "/x/..%0a/admin", "/x/%2e%2e%00/admin",
    # overlong and other UTF-8: only bytes
    "/%c0%afadmin", "/x/%c0%ae%c0%ae/admin", "/admin%c0%afx", "/%e0%80%afadmin", "/%ef%bc%8fadmin", "/%ef%bd%81dmin",
    "/x/%ef%bc%8e%ef%bc%8e/admin", "/admi%c5%84", "/%C4%81dmin", "/\xe1dmin", "/admin\xff", "/x%c0%2fadmin",
    # queries, fragments and what only looks like one
    "/admin?x", "/admin?/../x", "/x?/admin", "/x?/../admin", "/?/admin", "/admin%3f", "/admin%3Fx", "/x%3f/../admin",
    "/x%3f/admin", "/admin%3f/../x", "/admin#x", "/x#/../admin", "/x#", "/admin%23", "/x%23/../admin", "/%23/admin",
    "/admin%23/../x", "/x%26/../admin", "?/admin", "#/admin", "/admin?%2f..%2f",
    # controls and blanks
    "/admin%00", "/%00/admin", "/%00admin", "/x%00/../admin", "/admin\0", "/admin%20", "/%20/admin", "/admin%09x",
    "/admin%0d%0ax", "/admin\tx", "/admin x", "/admin%7f", "/admin\x7f", "/admin%ff", "/admin%80/x",
    # other forms
    "http://shop.example.com/admin", "http://shop.example.com//admin", "http://shop.example.com/x/../admin",
    "http://shop.example.com/%61dmin", "http://shop.example.com/%2fadmin", "http://shop.example.com",
    "http://shop.example.com?/admin", "http://shop.example.com/?/admin", "http://shop.example.com#/admin",
    "http://shop.example.com\\admin", "http://shop.example.com%2fadmin", "HTTP://SHOP.EXAMPLE.COM/admin",
    "http:/admin", "http:///admin", "http:admin", "//shop.example.com/admin", "/http://shop.example.com/admin",
    "admin", "*", "/*", "./admin", "../admin", "%2fadmin", "%61dmin", ";/admin",
]
PIECES = ["/", "/", "/", "//", "%2f", "%2F", "\\", "%5c", ".", "..", "%2e", "%2E%2e", "admin", "admin", "%61dmin",
          "adm%69n", "x", ";y", "%252f", "%252e", "%3f", "%23", "%c0%af", "%20"]
SEED, RANDOM_SPELLINGS = 20261124, 1500


def random_spellings():
    dice = random.Random(SEED)
    for _ in range(RANDOM_SPELLINGS):
        yield "/" + "".join(dice.choices(PIECES, k=dice.randint(2, 9)))


@contextlib.contextmanager
def two_readers(bench):
    """v1 and canary; each answers with its name, and the path that it has read."""
    readers = [Nginx(name, bench.directory.name, READER) for name in ("v1", "canary")]
    try:
        for reader in readers:
            reader.start()
        yield readers
    finally:
        for reader in readers:
            reader.release()


def lies_under_prefix(path):
    return path == PREFIX.encode() or path.startswith(PREFIX.encode() + b"/")


def ask_all(bench):
    """The spellings that reached the wrong variant, and how many were answered by a reader, of these
    how many under the prefix."""
    wrong, answered, protected = [], 0, 0
    client = bench.client()
    for spelling in [*SPELLINGS, *random_spellings()]:
        client.send(request(b"GET " + spelling.encode("latin-1") + b" HTTP/1.1"))
        answer = client.read_response()
        if answer.has("Connection"):
            client.expect_end()
            client = bench.client()
        if answer.status == 400:
            continue
        assert answer.status == 200, f"{spelling}: {answer.head!r}"
        name, path = answer.body.split(b" ", 1)
        answered += 1
        protected += lies_under_prefix(path)
        if (name == b"v1") != lies_under_prefix(path):
            wrong.append(f"{spelling!r} is {path!r} of {name.decode()}")
    return wrong, answered, protected


def expect_no_way_around(bench):
    wrong, answered, protected = ask_all(bench)
    assert not wrong, f"{len(wrong)} of {answered}:\n" + "\n".join(wrong[:40])
    assert answered > 800 and protected > 80, f"{answered} were answered, {protected} under {PREFIX}"


def test_no_way_around_a_route(bench):
    """/admin has a file of its own, without a canary."""
    with two_readers(bench) as (v1, canary):
        bench.write("admin.json", {
            "route": "admin", "match": {"path_prefix": PREFIX}, "variants": {"v1": "shop-v1"}, "stable": "v1"})
        bench.start(v1=[v1], canary=[canary], config={"rules": ["admin.json", "shop.json"]},
                    rules={"default": {"split": {"canary": 100}}})
        expect_no_way_around(bench)


def test_no_way_around_a_rule(bench):
    """A rule of the route keeps /admin on v1."""
    with two_readers(bench) as (v1, canary):
        bench.start(v1=[v1], canary=[canary], rules={
            "rules": [{"id": "admin", "when": {"path": {"under": PREFIX}}, "to": "v1"}],
            "default": {"split": {"canary": 100}}})
        expect_no_way_around(bench)
