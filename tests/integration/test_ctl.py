"""adit ctl: the admin API from a shell."""
import json
import signal
import socket
import subprocess

from admin import ADMIN, admin_port
from harness import DEADLINE, response

RULES = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}]}


def ctl(bench, *arguments, status=0, text=None, to=True):
    """(stdout, stderr)"""
    address = [f"--address=127.0.0.1:{admin_port(bench)}"] if to else []
    ran = subprocess.run([bench.binary, "ctl", *address, *arguments], cwd=bench.directory.name, input=text,
                         capture_output=True, text=True, timeout=60)
    assert ran.returncode == status, ran
    return ran.stdout, ran.stderr


def test_status_and_endpoints(bench):
    bench.start(config={**ADMIN, "workers": 2}, rules=RULES)
    page, _ = ctl(bench, "status")
    lines = page.splitlines()
    assert lines[0].startswith("gateway    serving, version ") and lines[0].endswith("2 workers, 0 connections")
    assert lines[2].endswith(", all files were taken over")
    assert "shop                 on          1  v1 = shop-v1 (stable), canary = shop-canary" in lines
    table, _ = ctl(bench, "endpoints")
    assert page.endswith("\n\n" + table)
    upstream, address, weight, health, share, active, idle = table.splitlines()[1].split()
    assert (upstream, address, weight, health, share, active, idle) == ("shop-v1", bench.v1.address, "1", "unchecked", "100%", "0", "0")
    said = json.loads(ctl(bench, "status", "--json")[0])
    assert said["stage"] == "serving" and said["routes"][0]["name"] == "shop"


def test_watch(bench):
    """Again and again, also when the gateway is away for a while, as one that restarts: what failed is said."""
    there = response("200 OK", "Server: adit-admin", body=b'{"upstreams":[{"name":"shop-v1","endpoints":[{"address":"127.0.0.1:1"}]}]}')
    admin = bench.origin("admin")
    watching = subprocess.Popen([bench.binary, "ctl", f"--address={admin.address}", "endpoints", "--watch"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def asked(answer):
        gateway = admin.accept()
        assert gateway.read_request().target == b"/api/v1/status"
        if answer:
            gateway.send(answer)
        gateway.sock.close()
    for answer in there, None, there:
        asked(answer)
        if answer:
            while not watching.stdout.readline().startswith("shop-v1 "):
                assert watching.poll() is None
        else:
            assert "is the gateway running" in watching.stderr.readline()
    watching.kill()
    assert watching.communicate(timeout=DEADLINE)[1] == ""


def test_watch_of_nothing(bench):
    """The first answer is wanted: who names a wrong address is not left waiting."""
    refusing = bench.refusing().address
    assert "is the gateway running" in ctl(bench, "status", "--watch", f"--address={refusing}", to=False, status=1)[1]
    foreign = bench.origin("foreign")
    foreign.serve(lambda got: response(body=b"{}"))
    assert "like an Adit" in ctl(bench, "endpoints", "--watch", f"--address={foreign.address}", to=False, status=1)[1]


def test_ready(bench):
    """What a health check asks: it fails before and after, and while the gateway drains."""
    refusing = bench.refusing().address
    assert "is the gateway running" in ctl(bench, "ready", f"--address={refusing}", to=False, status=1)[1]
    bench.start(config={**ADMIN, "timeouts": {"drain_delay": "1h"}})
    assert ctl(bench, "ready") == ("ready\n", "")
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    assert "stops" in ctl(bench, "ready", status=1)[1]


def test_gateway_that_does_not_answer(bench):
    """The two at once, as each waits for its whole time."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        asked = [subprocess.Popen([bench.binary, "ctl", f"--address=127.0.0.1:{mute.getsockname()[1]}", *what],
                                  stderr=subprocess.PIPE, text=True) for what in (["ready"], ["state", "shop", "off"])]
        reading, changing = [one.communicate(timeout=60)[1] for one in asked]
    assert [one.returncode for one in asked] == [1, 1]
    assert reading.endswith("no answer within 5 s\n"), reading
    assert "no answer within 10 s; it may still take effect: look at 'adit ctl status'" in changing, changing


def test_reload(bench):
    bench.start(config=ADMIN, rules=RULES)
    assert ctl(bench, "reload")[0].endswith(", all files were taken over\n")
    bench.write_files(config=ADMIN, rules={"stable": "v2"})
    out, err = ctl(bench, "reload", status=1)
    lines = out.splitlines()
    assert lines[0].endswith(", routes with errors stay as they were") and not err
    assert any(line.startswith("shop.json:") and ": error: " in line and "'v2'" in line for line in lines)
    assert ctl(bench, "status")[0].splitlines()[2:5] == [f"last load  {lines[0]}", *lines[1:3]]
    bench.write("adit.json", "{")
    assert "refused: everything stays as it was" in ctl(bench, "reload", status=1)[0]
    assert json.loads(ctl(bench, "reload", "--json", status=1)[0])["outcome"] == "refused"


def test_explain(bench):
    bench.start(config=ADMIN, rules=RULES)
    asked = {"url": "http://shop.example.com/", "headers": {"X-Beta": "1"}}
    out, _ = ctl(bench, "explain", json.dumps(asked))
    assert json.loads(out) == {"route": "shop", "variant": "canary", "reason": "rule", "rule": "beta", "bucket": None}
    lines = [json.dumps(asked), "", " \r", '{"url":"http://a.example/"}']
    out, _ = ctl(bench, "explain", "--trace", text="\n".join(lines))
    got = [json.loads(line) for line in out.splitlines()]
    assert [(one["variant"], len(one["rules"])) for one in got] == [("canary", 1), ("v1", 1)]
    out, _ = ctl(bench, "explain", '{"url":1}', status=1)
    assert "must be a string" in json.loads(out)["error"]
    # A line that cannot be decided does not hold up the others, however long it is: more than the server takes, or ctl.
    wrong = ['{"url":1}', "", json.dumps({**asked, "headers": {"X": "x" * (256 << 10)}}), "x" * (1 << 20) + "x"]
    out, _ = ctl(bench, "explain", text="\n".join([*wrong, lines[0]]) + "\n", status=1)
    got = [json.loads(line) for line in out.splitlines()]
    assert [one.get("line") for one in got] == [1, 3, 4, None] and got[3]["variant"] == "canary"
    for one, why in zip(got, ("must be a string", "up to 262144 bytes", "longer than 1 MiB")):
        assert why in one["error"]
    for nothing in "", "\n \r\n":
        assert "there is no line on standard input" in ctl(bench, "explain", text=nothing, status=2)[1]
    # A batch of the same lines says the same.
    batch = subprocess.run([bench.binary, "explain", "-c", "adit.json", "--batch", "--trace"], cwd=bench.directory.name,
                           input="\n".join(lines), capture_output=True, text=True, timeout=60)
    assert batch.stdout == ctl(bench, "explain", "--trace", text="\n".join(lines))[0]


def test_token_and_address_of_the_file(bench):
    """Also of a file that does not load any more, as long as it is JSON."""
    bench.write("admin.token", "a token\n")
    bench.start(config={"admin": {"address": "0.0.0.0:0", "token_file": "admin.token"}})
    port = admin_port(bench)
    said = ctl(bench, "status", status=1)[1]
    assert "answered 401" in said and "--token-file" in said
    assert ctl(bench, "status", "--token-file=admin.token")[0]
    assert "chosen by the kernel: give --address" in ctl(bench, "-c", "adit.json", "status", to=False, status=1)[1]
    bench.write_files(config={"admin": {"address": f"0.0.0.0:{port}", "token_file": "admin.token"}, "nonsense": 1, "workers": "x"})
    assert ctl(bench, "-c", "adit.json", "status", to=False)[0].startswith("gateway    serving")
    assert ctl(bench, "-c", f"{bench.directory.name}/adit.json", "endpoints", to=False)[0]
    bench.write("other.token", "another")
    said = ctl(bench, "-c", "adit.json", "--token-file=other.token", "status", to=False, status=1)[1]
    assert "another token is wanted" in said and "(is the file that of this gateway?)" in said
    assert "no-such" in ctl(bench, "-c", "adit.json", "--token-file=no-such", "status", to=False, status=1)[1]
    bench.write_files(config={"admin": None})
    assert 'has no "admin"' in ctl(bench, "-c", "adit.json", "status", to=False, status=1)[1]
    bench.write("adit.json", "{")
    assert "give --address" in ctl(bench, "-c", "adit.json", "status", to=False, status=1)[1]


def test_mistakes(bench):
    bench.start(config=ADMIN)
    for arguments, why in (([], "what is to be done"), (["stat"], "no 'ctl stat'"), (["status", "x"], "unexpected argument 'x'"),
                           (["reload", "--watch"], "no --watch"), (["status", "--trace"], "no --trace"),
                           (["status", "--jason"], "unknown option")):
        said = ctl(bench, *arguments, status=2)[1]
        assert why in said and "\\x" not in said, said
    assert "which gateway" in ctl(bench, "status", to=False, status=2)[1]
    for address in ("127.0.0.1", "http://127.0.0.1:1", "127.0.0.1:99999"):
        assert "HOST:PORT" in ctl(bench, "status", f"--address={address}", status=1)[1], address
    refusing = bench.refusing().address
    assert "is the gateway running" in ctl(bench, "status", f"--address={refusing}", status=1)[1]


def test_not_the_admin_server(bench):
    """Whatever has the port instead, and however well it answers."""
    bench.start(config=ADMIN, rules={"match": {"hosts": ["shop.example.com"]}})
    others = {f"127.0.0.1:{bench.port}": 404}
    for status, body in ((200, b'{"outcome":"loaded","stage":"serving","upstreams":[]}'), (200, b"ready\n"), (503, b"draining\n")):
        foreign = bench.origin(f"foreign-{len(others)}")
        foreign.serve(lambda got, status=status, body=body: response(f"{status} So", "Content-Type: application/json", "Server: other", body=body))
        others[foreign.address] = status
    for address, status in others.items():
        for what in (["ready"], ["reload"], ["status", "--json"], ["state", "shop", "off"], ["explain", "{}"]):
            out, said = ctl(bench, *what, f"--address={address}", status=1)
            assert f"{address} does not answer like an Adit admin server (it answered {status})" in said and not out, (what, said)
