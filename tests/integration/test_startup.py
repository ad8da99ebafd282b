"""What a gateway does not start with: status 1, nothing served, and a message that says where."""
import os
import re
import socket

from harness import Gateway
from visitors import answer_names, served_by

CLOSING = "adit: error: nothing is served: mend the errors above"


def run(bench, **started):
    """Starts what is to end by itself. Gives what it said; a sanitizer would make another status."""
    gateway = Gateway(bench.binary, bench.directory.name, bench.transcript, **started)
    try:
        status = gateway.wait_end()
    finally:
        gateway.process.kill()
    assert status == 1, (status, gateway.lines)
    assert not any(line.startswith("adit: ready") for line in gateway.lines), gateway.lines
    return gateway.lines


def refuse(bench, *errors):
    """The files do not load, and these are the errors."""
    said = run(bench)
    assert said == [*errors, CLOSING], said


def refuse_change(bench, where, message, config=None, rules=None):
    """One mistake: `where` is what the message points at."""
    bench.write_files(config=config, rules=rules)
    place = bench.place_of("shop.json" if rules else "adit.json", where)
    refuse(bench, f"{place}: error: {message}")


def write_bytes(bench, name, content):
    with open(os.path.join(bench.directory.name, name), "wb") as file:
        file.write(content)


def remove(bench, name):
    os.remove(os.path.join(bench.directory.name, name))


# ---- files


def test_configuration_that_is_not_there(bench):
    refuse(bench, "adit.json: error: cannot read 'adit.json': No such file or directory (create it, or"
                  " correct the path)")


def test_configuration_that_is_no_file(bench):
    os.mkdir(os.path.join(bench.directory.name, "adit.json"))
    refuse(bench, "adit.json: error: cannot read 'adit.json': it is a directory (name a file in it)")


def test_rule_file_that_is_not_there(bench):
    bench.write_files()
    remove(bench, "shop.json")
    place = bench.place_of("adit.json", "shop.json")
    refuse(bench, f"{place}: error: rule file 'shop.json' does not exist (create it, or remove it from"
                  ' "rules")')


def test_no_rule_files(bench):
    hint = 'so nothing can be served (name at least one rule file in "rules")'
    bench.write_files(config={"rules": ["shop.jsonx*"]})
    place = bench.place_of("adit.json", "shop.jsonx*")
    refuse(bench, f"{place}: error: there are no rule files, {hint}")
    for none in ([], None):
        bench.write_files(config={"rules": none})
        refuse(bench, f"adit.json: error: there are no rule files, {hint}")


def test_directory_of_rules_that_is_not_there(bench):
    bench.write_files(config={"rules": ["none/*.json"]})
    place = bench.place_of("adit.json", "none/*.json")
    refuse(bench, f"{place}: error: 'none/*.json': its directory cannot be read (check that it exists"
                  " and may be read)")


def test_key_file_that_is_not_there(bench):
    bench.write_files()
    remove(bench, "sticky.key")
    place = bench.place_of("adit.json", "sticky.key")
    refuse(bench, f"{place}: error: cannot read 'sticky.key': No such file or directory (create it, or"
                  " correct the path)")


def test_key_file_that_may_not_be_read(bench):
    if os.geteuid() == 0:
        return  # root reads everything
    bench.write_files()
    os.chmod(os.path.join(bench.directory.name, "sticky.key"), 0)
    said = run(bench)
    assert re.fullmatch(r"adit\.json:\d+:\d+: error: cannot read 'sticky\.key': Permission denied.*", said[0]), said


def test_key_file_that_is_no_file(bench):
    os.mkdir(os.path.join(bench.directory.name, "folder"))
    refuse_change(bench, "folder", "cannot read 'folder': it is a directory (name a file in it)",
                  config={"sticky": {"keys": [{"id": "a", "file": "folder"}]}})


def test_key_that_is_too_short(bench):
    bench.write_files()
    place = bench.place_of("adit.json", "sticky.key")
    for content, size in (("", 0), ("\n", 0), ("x" * 31 + "\n", 31)):
        bench.write("sticky.key", content)
        refuse(bench, f"{place}: error: sticky key 'test': the file has {size} bytes, not at least 32"
                      " (make one: head -c 32 /dev/urandom | base64 > FILE)")


def test_file_of_values_that_is_not_there(bench):
    refuse_change(
        bench, "none.txt", "cannot read 'none.txt': No such file or directory (create it, or correct the path)",
        rules={"rules": [{"id": "x", "when": {"host": {"in_file": "none.txt"}}, "to": "canary"}]})


# ---- JSON


def test_json_is_strict(bench):
    """In adit.json and in rule files alike: comments and trailing commas, and nothing else."""
    for text, place, message in (
            (b"", "1:1", None),
            (b"{", "1:2", None),
            (b'{ "workers": 01 }', "1:14", "number with a leading zero"),
            (b'{ "workers": +1 }', "1:14", None),
            (b'{ "workers": .5 }', "1:14", None),
            (b'{ "workers": 1. }', None, None),
            (b'{ "workers": 1e999 }', "1:14", None),
            (b'{ "workers": 0x1 }', None, None),
            (b'{ "workers": NaN }', "1:14", None),
            (b'{ "workers": True }', "1:14", None),
            (b"{\n  'workers': 1 }", "2:3", None),
            (b'{\n  workers: 1 }', "2:3", None),
            (b'{ "workers" 1 }', "1:13", None),
            (b'{ "workers": 1 "via": true }', "1:16", None),
            (b'{ "workers": 1,, }', "1:16", None),
            (b'{ , "workers": 1 }', "1:3", None),
            (b'{ "rules": [1,,2] }', "1:15", None),
            (b'{ "via": "a\nb" }', None, None),
            (b'{ "via": "a\tb" }', None, None),
            (b'{ "via": "\\x" }', None, None),
            (b'{ "via": "\\u12" }', None, None),
            (b'{ "via": "\\ud800" }', None, None),
            (b'{ "via": "\\u0000" }', None, None),
            (b'{ "via": "\xff" }', None, None),
            (b'{ "via": "\xc0\x80" }', None, None),
            (b'{ "via": "\xed\xa0\x80" }', None, None),
            (b'{ "workers": 1 } x', "1:18", None),
            (b'{ "workers": 1 } {}', "1:18", None),
            (b'{ "workers": 1 } /* no end', None, None),
            (b"{ # comment\n }", "1:3", None),
            (b"[]", None, None),
            (b"\xef\xbb\xbf{}", "1:1", "byte order mark at the start"),
            (b"\0", "1:1", None),
            (b"[" * 5000, None, None)):
        bench.write_files()
        for name in ("shop.json", "adit.json"):
            write_bytes(bench, name, text)
            said = run(bench)
            pattern = re.escape(name) + (f":{place}" if place else r":\d+:\d+") + ": error: "
            errors = [line for line in said if re.match(pattern, line)]
            assert errors and (message is None or message in errors[0]), (name, text, said)
            assert said[-1] == CLOSING


def test_duplicate_keys(bench):
    bench.write_files()
    for name, text, place, key, line in (
            ("adit.json", '{\n  "workers": 1,\n  "via": true, "workers": 1\n}', "3:16", "workers", "line 2"),
            ("shop.json", '{ "route": "a",\n  "route": "a" }', "2:3", "route", "line 1"),
            ("shop.json", '{ "variants": { "v1": "shop-v1", "v\\u0031": "shop-v1" } }', "1:34", "v1", "this line")):
        bench.write_files()
        bench.write(name, text)
        said = run(bench)
        assert said[0] == f"{name}:{place}: error: duplicate key '{key}' (it is in {line} already)", said


def test_comments_and_trailing_commas_are_fine(bench):
    bench.write_files()
    with open(os.path.join(bench.directory.name, "adit.json"), encoding="ascii") as file:
        text = file.read()
    bench.write("adit.json", "// one\n/* two\n */" + re.sub(r"([\]}])(?=\s*[\]}])", r"\1, // last", text))
    bench.write("shop.json", '{ "route": "shop", "variants": { "v1": "shop-v1", }, /**/ "stable": "v1", } // end')
    answer_names(bench.v1)
    assert served_by(bench.run()) == "v1"


# ---- keys and values


def test_unknown_keys(bench):
    for where, message, config, rules in (
            ("wokers", "configuration: unknown key 'wokers' (did you mean 'workers'?)", {"wokers": 1}, None),
            ("haeder", "timeouts: unknown key 'haeder' (did you mean 'header'?)",
             {"timeouts": {"haeder": "1s"}}, None),
            ("defualt", "rule file: unknown key 'defualt' (did you mean 'default'?)", None, {"defualt": {}})):
        refuse_change(bench, where, message, config, rules)


def test_wrong_types(bench):
    duration = '(a whole number and one of ms s m h d, like "10s")'
    for where, message, config in (
            ("2", "configuration: 'workers' must be a number, not string", {"workers": "2"}),
            (b"98765", f"timeouts: 'idle' must be a string, not number {duration}", {"timeouts": {"idle": 98765}}),
            ("98765", f"timeouts: 'idle': '98765' is not a duration {duration}", {"timeouts": {"idle": "98765"}}),
            ("32KB", "limits: 'header_bytes': '32KB' is not a size (a whole number and one of B KiB MiB GiB,"
                     ' like "64KiB")', {"limits": {"header_bytes": "32KB"}}),
            (b"{}", 'listen must be a list, not object ("listen": [{ "address": "0.0.0.0:8080" }])',
             {"listen": {}}),
            ("localhost", "listen: 'localhost' has no port (add it: 127.0.0.1:8080)",
             {"listen": [{"address": "localhost"}]})):
        refuse_change(bench, where, message, config)


def test_unknown_names(bench):
    for where, message, rules in (
            ("shop-canry", "variant 'canary': unknown upstream 'shop-canry' (did you mean 'shop-canary'?)",
             {"variants": {"canary": "shop-canry"}}),
            ("regoin", "rule 'r': unknown attribute 'regoin'",
             {"rules": [{"id": "r", "when": {"regoin": "east"}, "to": "canary"}]}),
            ("canry", "rule 'r': 'to': unknown variant 'canry' (did you mean 'canary'?)",
             {"rules": [{"id": "r", "to": "canry"}]})):
        bench.write_files(rules=rules)
        said = run(bench)
        place = bench.place_of("shop.json", where)
        assert len(said) == 2 and said[0].startswith(f"{place}: error: {message}"), said


def test_several_errors_are_told_together(bench):
    """In both files, in the order in which they stand."""
    bench.write_files(config={"wokers": 1, "timeouts": {"idle": 5, "body": "x"}})
    said = run(bench)
    assert [line.split(": error: ")[0] for line in said[:-1]] == [
        bench.place_of("adit.json", where) for where in ("wokers", b"5,", "x")], said
    bench.write("cart.json", {"route": "cart", "variants": {"v1": "shop-v2"}, "stable": "v1"})
    bench.write_files(config={"rules": ["cart.json", "shop.json"]}, rules={"stabel": 1, "default": {"spilt": {}}})
    said = run(bench)
    places = [line.split(": error: ")[0] for line in said if ": error: " in line][:-1]
    assert places[0] == bench.place_of("cart.json", "shop-v2"), said
    for key in ("stabel", "spilt"):
        assert bench.place_of("shop.json", key) in places, said


def test_routes_in_conflict(bench):
    bench.write("cart.json", {"route": "cart", "variants": {"v1": "shop-v1"}, "stable": "v1"})
    bench.write_files(config={"rules": ["shop.json", "cart.json"]})
    said = run(bench)
    assert any(re.match(r"cart\.json:\d+:\d+: error: ", line) and "shop" in line for line in said), said


def test_what_files_may_claim(bench):
    claim = {"files": "*.json", "hosts": ["*.a.test"], "upstreams": ["shop-v1"]}
    os.mkdir(os.path.join(bench.directory.name, "team-a"))
    bench.write("team-a/cart.json", {
        "route": "cart", "match": {"hosts": ["x.a.test", "b.test"]},
        "variants": {"v1": "shop-v1", "canary": "shop-canary"}, "stable": "v1"})
    bench.write_files(config={"rules": ["shop.json", {**claim, "files": "team-a/*.json"}]})
    said = run(bench)
    for text, message in (("b.test", "this file may not claim host 'b.test'"), ("shop-canary", "'shop-canary'")):
        place = bench.place_of("team-a/cart.json", text)
        assert any(line.startswith(f"{place}: error: ") and message in line for line in said), said


# ---- addresses


def test_port_in_use(bench):
    """Said in one line, with what to do; also when another gateway has it, which would share it."""
    address = bench.v1.address
    bench.write_files(config={"listen": [{"address": "127.0.0.1:0"}, {"address": address}]})
    message = "Address already in use; stop the process that has it, or listen on another port"
    assert run(bench) == [f"adit: error: cannot listen on {address}: {message}"]
    answer_names(*bench.origins)
    bench.start()
    bench.write_files(config={"listen": [{"address": f"127.0.0.1:{bench.port}"}]})
    assert run(bench) == [f"adit: error: cannot listen on 127.0.0.1:{bench.port}: {message}"]
    assert served_by(bench) == "v1", "the first gateway was disturbed"


def test_address_that_is_not_ours(bench):
    bench.write_files(config={"listen": [{"address": "203.0.113.1:8080"}]})
    assert run(bench) == ["adit: error: cannot listen on 203.0.113.1:8080: Cannot assign requested address;"
                          " this machine has no such address"]


def test_port_that_was_just_left(bench):
    """A restart must not wait until old connections have timed out."""
    answer_names(bench.v1)
    bench.start(config={"listen": [{"address": f"127.0.0.1:{bench.hold()}"}]})
    client = bench.client()
    served_by(bench)
    bench.gateway.process.terminate()
    bench.gateway.expect_clean_end()  # it ends the connection first: TIME_WAIT is on its side
    client.expect_end()
    assert served_by(bench.run()) == "v1"


# ---- what is only a warning


def test_warnings(bench):
    """Served all the same."""
    bench.write("other.key", "x" * 32)
    os.chmod(os.path.join(bench.directory.name, "other.key"), 0o644)
    answer_names(bench.v1)
    bench.start(
        config={"sticky": {"keys": [{"id": "other", "file": "other.key"}]}, "rules": ["shop.json", "*.nothing"]},
        rules={"tests": [{
            "name": "wrong", "request": {"url": "http://a.test/"}, "expect": {"variant": "canary"}}]})
    assert served_by(bench) == "v1"
    said = bench.gateway.lines
    for pattern in (r"adit\.json:\d+:\d+: warning: sticky key 'other': every user of this machine can read ",
                    r"adit\.json:\d+:\d+: warning: no rule file matches '\*\.nothing'",
                    r"shop\.json:\d+:\d+: warning: test 'wrong' failed: expected variant canary; got "):
        assert any(re.match(pattern, line) for line in said), (pattern, said)


def test_ready_line(bench):
    """It names the real ports."""
    answer_names(bench.v1)
    bench.write_files(config={"workers": 3, "listen": [{"address": "127.0.0.1:0"}, {"address": "[::1]:0"}]})
    gateway = Gateway(bench.binary, bench.directory.name, bench.transcript)
    bench.gateway = gateway
    match = gateway.wait_line(
        r"^adit: ready, 1 routes, 3 workers, listening on 127\.0\.0\.1:(\d+), \[::1\]:(\d+)$")
    bench.port = int(match[1])
    assert served_by(bench) == "v1"
    with socket.create_connection(("::1", int(match[2]))):
        pass
