"""Running with few rights: who the process is, what it may do, and what it says when it may not."""
import contextlib
import functools
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import time

from harness import DEADLINE, merge
from test_startup import run as run_to_the_end
from visitors import answer_names, served_by

NOBODY = "nobody"
SECCOMP_FILTER = "2"


def for_root(test):
    """Only root can become another user; for anyone else there is nothing to be seen."""
    @functools.wraps(test)
    def only_for_root(bench):
        if os.geteuid() == 0:
            test(bench)
    return only_for_root


def statuses(gateway):
    """What the kernel says of each thread."""
    for task in pathlib.Path(f"/proc/{gateway.process.pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())


def expect_no_rights(gateway, seccomp=SECCOMP_FILTER):
    threads = list(statuses(gateway))
    assert len(threads) >= 3, "main, resolver, and a worker"
    for thread in threads:
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[kind], 16) == 0, (kind, thread[kind])
        assert thread["NoNewPrivs"] == "1" and thread["Seccomp"] == seccomp, thread


def expect_user(gateway, name):
    user = pwd.getpwnam(name)
    for thread in statuses(gateway):
        assert thread["Uid"].split() == [str(user.pw_uid)] * 4, thread["Uid"]
        assert thread["Gid"].split() == [str(user.pw_gid)] * 4, thread["Gid"]
        assert set(thread["Groups"].split()) <= {str(user.pw_gid)}, thread["Groups"]
        assert int(thread["CapBnd"], 16) == 0, thread["CapBnd"]


def give_files_to(bench, name):
    """The files of the test, and a program that this user can reach."""
    user = pwd.getpwnam(name)
    for path in (bench.directory.name, *map(str, pathlib.Path(bench.directory.name).iterdir())):
        os.chown(path, user.pw_uid, user.pw_gid)
    program = os.path.join(bench.directory.name, "adit")
    shutil.copy(bench.binary, program)
    bench.binary = program


def as_user(name, *options):
    """The command that starts a program as another user."""
    return ["setpriv", "--reuid", name, "--regid", str(pwd.getpwnam(name).pw_gid), "--clear-groups", *options, "--"]


def write_for(bench, name, **config):
    bench.write_files(config=config)
    give_files_to(bench, name)


def change(bench, name, **members):
    """Writes one of the files anew; its owner stays."""
    path = os.path.join(bench.directory.name, name)
    with open(path, encoding="utf-8") as file:
        before = json.load(file)
    bench.write(name, merge(before, members))


def expect_work(bench):
    """Traffic, a reload with a pattern and with a name to look up, and a drain."""
    answer_names(bench.v1, bench.canary)
    assert served_by(bench) == "v1"
    port = bench.canary.address.rpartition(":")[2]
    change(bench, "adit.json", upstreams={"shop-canary": {"endpoints": [f"localhost:{port}"]}})
    change(bench, "shop.json", rules=[
        {"id": "east", "when": {"header.x-region": {"matches": "^cn-(east|north)$"}}, "to": "canary"}])
    assert bench.gateway.reload()[-1] == "adit: reloaded: 1 routes", bench.gateway.lines
    deadline = time.monotonic() + DEADLINE
    while served_by(bench, "X-Region: cn-east") != "canary":  # until the name has an address
        assert time.monotonic() < deadline, "the name is not looked up"
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()


# ---- who it is


def test_no_thread_has_rights(bench):
    bench.start(config={"workers": 2})
    expect_no_rights(bench.gateway)
    expect_work(bench)


def test_sandbox_can_be_left_out(bench):
    bench.start(config={"sandbox": False})
    own = re.search(r"^Seccomp:\t(\d)", pathlib.Path("/proc/self/status").read_text(), re.M)[1]
    expect_no_rights(bench.gateway, seccomp=own)


@for_root
def test_root_becomes_the_user_that_is_named(bench):
    write_for(bench, NOBODY, user=NOBODY)
    bench.run(before=["setpriv", "--groups", "0,4,24", "--"])
    expect_no_rights(bench.gateway)
    expect_user(bench.gateway, NOBODY)
    assert not any("warning" in line for line in bench.gateway.lines), bench.gateway.lines
    expect_work(bench)


@for_root
def test_without_root_from_the_start(bench):
    write_for(bench, NOBODY, user=None)
    bench.run(before=as_user(NOBODY, "--bounding-set=-all"))
    expect_no_rights(bench.gateway)
    expect_user(bench.gateway, NOBODY)
    expect_work(bench)


def test_the_user_that_one_is(bench):
    bench.start(config={"user": pwd.getpwuid(os.geteuid()).pw_name})
    assert not any("warning" in line for line in bench.gateway.lines), bench.gateway.lines
    expect_no_rights(bench.gateway)


@for_root
def test_root_is_warned(bench):
    bench.start(config={"user": None})
    assert bench.gateway.lines[0] == (
        'adit: warning: adit.json: running as root; name a user to become in "user", or start as another')
    expect_no_rights(bench.gateway)


def test_user_that_is_not_there(bench):
    bench.write_files(config={"user": "no-such-user"})
    said = run_to_the_end(bench)
    assert said == ["adit: error: adit.json: there is no user 'no-such-user' on this machine"], said


@for_root
def test_only_root_becomes_another(bench):
    write_for(bench, NOBODY, user="daemon")
    said = run_to_the_end(bench, before=as_user(NOBODY))
    assert said == ["adit: error: adit.json: cannot become user 'daemon': Operation not permitted;"
                    " start as root, or as that user"], said


@for_root
def test_what_the_user_cannot_read_is_told_at_once(bench):
    """Root reads the key, and serves; the reload is what would fail."""
    write_for(bench, NOBODY, user=NOBODY)
    key = os.path.join(bench.directory.name, "sticky.key")
    os.chown(key, 0, 0)
    place = bench.place_of("adit.json", "sticky.key")
    mistake = f"{place}: error: cannot read 'sticky.key': Permission denied"
    bench.run()
    assert bench.gateway.lines[0].startswith(mistake), bench.gateway.lines
    assert bench.gateway.lines[1] == (
        "adit: warning: what is said above will keep reloads from being taken up: let user 'nobody' read these"
        " files, without capabilities"), bench.gateway.lines
    said = bench.gateway.reload()
    assert said[0].startswith(mistake) and said[-1].startswith("adit: error: reload refused"), said
    answer_names(bench.v1)
    assert served_by(bench) == "v1"


def test_user_and_sandbox_wait_for_the_next_start(bench):
    bench.start()
    bench.write_files(config={"user": "someone", "sandbox": False})
    said = bench.gateway.reload()
    assert said[:-1] == [f"adit: warning: adit.json: a change of '{key}' is taken up at the next start"
                         for key in ("user", "sandbox")], said


# ---- low ports


def low_port(bench):
    """One that needs a right, and that nobody else has until the test is over; None where none does."""
    unprivileged = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    for port in range(min(unprivileged, 1024) - 1, 0, -1):
        with contextlib.suppress(OSError):
            return bench.hold(port)
    return None


@for_root
def test_low_port_by_capability(bench):
    port = low_port(bench)
    if port is None:
        return
    write_for(bench, NOBODY, user=None, listen=[{"address": f"127.0.0.1:{port}"}])
    said = run_to_the_end(bench, before=as_user(NOBODY, "--bounding-set=-all"))
    assert said == [f"adit: error: cannot listen on 127.0.0.1:{port}: Permission denied; ports below 1024 need"
                    " CAP_NET_BIND_SERVICE or socket activation"], said
    capability = ("--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service")
    bench.run(before=as_user(NOBODY, *capability))
    assert bench.port == port
    expect_no_rights(bench.gateway)
    expect_work(bench)


@for_root
def test_low_port_by_root(bench):
    port = low_port(bench)
    if port is None:
        return
    write_for(bench, NOBODY, user=NOBODY, listen=[{"address": f"127.0.0.1:{port}"}])
    bench.run()
    assert bench.port == port
    expect_user(bench.gateway, NOBODY)
    expect_work(bench)
