"""SIGUSR2: a new process on the same sockets, while the old one drains; and what becomes of it when it fails."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket

from admin import ADMIN, admin_port, ask as ask_admin
from harness import DEADLINE, Gateway, request, response
from successors import children, listening_inodes, name_of, upgrades
from test_privileges import NOBODY, expect_no_rights, expect_user, for_root, give_files_to, low_port
from test_socket_activation import address_of, handing_over, listening
from test_startup import run as run_to_the_end
from visitors import answer_names, served_by

TO_CANARY = {"rules": [{"id": "all", "to": "canary"}]}
UNDER_WAY = "adit: warning: cannot upgrade: an upgrade is under way"


class Process:
    """One of the family, for what looks at a gateway's process."""

    def __init__(self, pid):
        self.process = self
        self.pid = pid


def own_program(bench):
    """A copy of the program that the test can replace; the path of another copy."""
    program, real = (os.path.join(bench.directory.name, name) for name in ("adit", "real-adit"))
    shutil.copy(bench.binary, program)
    shutil.copy(bench.binary, real)
    bench.binary = program
    return real


def replace_program(bench, script=None, copy_of=None):
    """As an installation does, by another file under the same name."""
    new = bench.binary + ".new"
    if copy_of:
        shutil.copy(copy_of, new)
    else:
        with open(new, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(new, 0o755)
    os.rename(new, bench.binary)


def begin(bench, line="GET / HTTP/1.1"):
    client = bench.client()
    client.send(request(line))
    origin = bench.v1.accept()
    origin.read_request()
    return client, origin


# ---- it works


def test_new_process_takes_over(bench):
    """It serves with the files of now; what runs in the old one ends there."""
    bench.start(config={"timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        client, origin = begin(bench)
        bench.canary.serve(lambda head: response(body=b"canary"))
        bench.write_files(rules=TO_CANARY)
        old = family.upgrade()
        assert served_by(bench) == "canary"
        origin.send(response(body=b"old"))
        answer = client.read_response()
        assert answer.body == b"old" and answer.one("Connection") == b"close", answer.head
        client.expect_end()
        family.expect_end(old)
        family.wait_line(f"^adit: upgrade: process {family.current} goes on alone$")
        assert served_by(bench) == "canary"
        said = [line for line in bench.gateway.lines if "warning" in line or "error" in line]
        assert not said, said


def test_sockets_stay(bench):
    """The same ones, and as many, whatever the number of workers: each of them is served."""
    answer_names(bench.v1)
    bench.start(config={"workers": 2})
    with upgrades(bench) as family:
        first = listening_inodes(family.current)
        assert len(first) == 2
        for workers in (1, 5, 2):
            bench.write_files(config={"workers": workers})
            family.expect_end(family.upgrade())
            assert listening_inodes(family.current) == first
            family.wait_line(rf"ready, 1 routes, {workers} workers, listening on 127.0.0.1:{bench.port}$")
            for _ in range(20):  # the kernel gives each socket its share
                assert served_by(bench) == "v1"


def test_nothing_that_waits_is_lost(bench):
    """Connections that the kernel has taken for the old one: either of them may serve them."""
    bench.start(config={"workers": 3, "timeouts": {"drain": "60s"}},
                rules={"match": {"hosts": ["other.example.com"]}})
    with upgrades(bench) as family:
        bench.gateway.freeze()
        clients = [bench.client() for _ in range(200)]
        for client in clients:
            client.send(request())
        family.signal(signal.SIGUSR2)
        since = len(bench.gateway.lines)
        bench.gateway.thaw()
        for client in clients:
            assert client.read_response().status == 404
        old = family.expect_upgrade(since)
        for client in clients:
            client.close()
        family.expect_end(old)


def test_socket_of_a_service_manager(bench):
    answer_names(bench.v1)
    with listening() as one:
        bench.write_files(config={"workers": 2, "listen": [{"address": address_of(one)}]})
        bench.run(**handing_over(one))
        with upgrades(bench) as family:
            for _ in range(2):
                family.expect_end(family.upgrade())
                assert list(listening_inodes(family.current)) == [os.fstat(one.fileno()).st_ino]
                assert served_by(bench) == "v1"


def test_admin_server_moves(bench):
    """Its port stays, and no question finds the service not ready; who was asking is answered."""
    answer_names(bench.v1)
    bench.start(config={**ADMIN, "timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        client, origin = begin_tunnel(bench)
        asking = bench.client(port=admin_port(bench))
        asking.send("GET /readyz HTTP/1.1\r\n")
        old = family.upgrade()
        asking.send("Host: localhost\r\n\r\n")
        assert asking.read_response().status == 200
        for _ in range(20):
            assert ask_admin(bench, "GET /readyz").status == 200
        bench.write_files(config={**ADMIN, "timeouts": {"drain": "60s"}}, rules=TO_CANARY)
        assert json.loads(ask_admin(bench, "POST /api/v1/reload").body)["outcome"] == "loaded"
        answer_names(bench.canary)
        assert served_by(bench) == "canary"
        client.close()
        family.expect_end(old)
        assert ask_admin(bench, "GET /readyz").status == 200
        del origin


def begin_tunnel(bench):
    """A WebSocket through the gateway, which a drain leaves alone."""
    client = bench.client()
    client.send(request("GET /ws HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket",
                        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
    return client, None


def test_addresses_come_and_go(bench):
    """A port that is not in the new files is closed; a new one is opened."""
    answer_names(bench.v1)
    gone = bench.hold(host="127.0.0.2")
    keeps, goes, comes = "127.0.0.1:0", f"127.0.0.2:{gone}", "127.0.0.3:0"
    bench.write_files(config={"listen": [{"address": goes}, {"address": keeps}]})
    bench.gateway = Gateway(bench.binary, bench.directory.name, bench.transcript)
    bench.port = int(bench.gateway.wait_line(rf"listening on 127\.0\.0\.2:{gone}, 127\.0\.0\.1:(\d+)$")[1])
    with upgrades(bench) as family:
        bench.write_files(config={"listen": [{"address": comes}, {"address": keeps}]})
        since = len(bench.gateway.lines)
        family.expect_end(family.upgrade())
        family.wait_line(rf"^adit: upgrade: 127\.0\.0\.2:{gone} is not listened on any more$", since)
        came = int(family.wait_line(rf"listening on 127\.0\.0\.3:(\d+), 127\.0\.0\.1:{bench.port}$", since)[1])
        assert served_by(bench) == "v1"
        with socket.create_connection(("127.0.0.3", came), DEADLINE) as sock:
            sock.sendall(request("GET / HTTP/1.1", "Connection: close"))
            assert sock.makefile("rb").read().endswith(b"v1")
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.2", gone)) != 0


def test_reload_in_the_middle(bench):
    """It is not lost: the new process reads the files again."""
    answer_names(bench.v1, bench.canary)
    real = own_program(bench)
    bench.start()
    with upgrades(bench) as family:
        gate = os.path.join(bench.directory.name, "gate")
        os.mkfifo(gate)
        replace_program(bench, f'read _ <"{gate}"\nexec "{real}" "$@"\n')
        since = len(bench.gateway.lines)
        family.signal(signal.SIGUSR2)
        family.wait_line("starting a new process", since)
        with open(gate, "w", encoding="ascii"):
            family.signal(signal.SIGHUP)
            family.signal(signal.SIGUSR2)
            family.wait_line(UNDER_WAY, since)
        old = family.expect_upgrade(since)
        family.wait_line("goes on alone", since)
        family.wait_line("^adit: reloaded: 1 routes$", since)
        family.expect_end(old)
        assert served_by(bench) == "v1"


def test_reload_that_waits_for_the_upgrade(bench):
    """Asked for over the admin server: who asks is not told that it is done before it is."""
    real = own_program(bench)
    bench.start(config={**ADMIN, "timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        gate = os.path.join(bench.directory.name, "gate")
        os.mkfifo(gate)
        for script, status, said in ((f'read _ <"{gate}"\nexit 1\n', 200, b'"outcome":"loaded"'),
                                     (f'read _ <"{gate}"\nexec "{real}" "$@"\n', 503, b"has just taken over")):
            replace_program(bench, script)
            since = len(bench.gateway.lines)
            family.signal(signal.SIGUSR2)
            family.wait_line("starting a new process", since)
            with open(gate, "w", encoding="ascii"):
                asking = bench.client(port=admin_port(bench))
                asking.send(request("POST /api/v1/reload HTTP/1.1", "Host: localhost"))
                while json.loads(ask_admin(bench, "GET /api/v1/status").body)["stage"] != "upgrading":
                    pass
                assert ask_admin(bench, "GET /readyz").status == 200
            answer = asking.read_response("POST")
            assert answer.status == status and said in answer.body, (answer.head, answer.body)
        family.expect_end(family.expect_upgrade(since))


def start_gated(bench, family, real):
    """An upgrade whose new process does not begin before what is given is closed."""
    gate = os.path.join(bench.directory.name, "gate")
    if not os.path.exists(gate):
        os.mkfifo(gate)
    # Under the name that is replaced: the next one is to be started by that, too.
    replace_program(bench, f"""read _ <"{gate}"\nexec bash -c 'exec -a "$0" "$@"' "{bench.binary}" "{real}" "$@"\n""")
    since = len(bench.gateway.lines)
    family.signal(signal.SIGUSR2)
    family.wait_line("starting a new process", since)
    return open(gate, "w", encoding="ascii")


def put_state(bench, state):
    body = json.dumps({"state": state}).encode()
    return ask_admin(bench, "PUT /api/v1/routes/shop/state", body=body)


def test_emergency_stop_goes_over(bench):
    """Also one that is said when the new process has read the state file already; the file is written by one at a time."""
    answer_names(bench.v1, bench.canary)
    real = own_program(bench)
    bench.start(config={**ADMIN, "state_file": "state.json"}, rules=TO_CANARY)
    with upgrades(bench) as family:
        for state, served in (("off", "v1"), (None, "canary"), ("full", "canary"), ("off", "v1")):
            since = len(bench.gateway.lines)
            with start_gated(bench, family, real):
                assert put_state(bench, state).status == 200
                assert served_by(bench) == served
            family.expect_end(family.expect_upgrade(since))
            assert served_by(bench) == served
            family.wait_line("goes on alone", since)
            one = json.loads(ask_admin(bench, "GET /api/v1/routes/shop/state").body)
            assert (one["override"] is not None) == (state is not None), one
        assert put_state(bench, None).status == 200
        assert "shop" not in pathlib.Path(bench.directory.name, "state.json").read_text(encoding="utf-8")


def refuse_upgrade(bench, family, why):
    since = len(bench.gateway.lines)
    family.signal(signal.SIGUSR2)
    said = family.wait_line(r"cannot upgrade: an overridden state of a route would end with this process: .*", since)
    assert why in said.string, said
    assert served_by(bench) == "v1"


def test_emergency_stop_that_is_kept_nowhere(bench):
    """An upgrade would lift it unseen."""
    answer_names(bench.v1, bench.canary)
    bench.start(config=ADMIN, rules=TO_CANARY)
    with upgrades(bench) as family:
        assert put_state(bench, "off").status == 200
        refuse_upgrade(bench, family, "the configuration has no state_file")
        assert put_state(bench, None).status == 200
        family.expect_end(family.upgrade())
        assert served_by(bench) == "canary"


def test_late_emergency_stop_that_is_kept_nowhere(bench):
    """It came when the new process was starting: that one goes again."""
    answer_names(bench.v1, bench.canary)
    real = own_program(bench)
    bench.start(config=ADMIN, rules=TO_CANARY)
    with upgrades(bench) as family:
        since = len(bench.gateway.lines)
        with start_gated(bench, family, real):
            assert put_state(bench, "off").status == 200
        family.wait_line("cannot upgrade: an overridden state of a route would end with this process", since)
        family.wait_line("upgrade called off", since)
        family.wait_line("^adit: warning: the upgrade was called off: process .* goes again", since)
        family.wait_line("^adit: stopped", since)
        assert served_by(bench) == "v1"
        assert json.loads(ask_admin(bench, "GET /api/v1/status").body)["stage"] == "serving"
        assert put_state(bench, None).status == 200
        assert served_by(bench) == "canary"
        family.signal(signal.SIGUSR2)
        family.wait_line("cannot upgrade: the last upgrade had to be called off; restart it", since)


def test_state_file_that_is_taken_away(bench):
    """It is written again for the new process."""
    answer_names(bench.v1, bench.canary)
    kept = pathlib.Path(bench.directory.name, "kept")
    kept.mkdir()
    bench.start(config={**ADMIN, "state_file": "kept/state.json"}, rules=TO_CANARY)
    with upgrades(bench) as family:
        assert put_state(bench, "off").status == 200
        shutil.rmtree(kept)
        refuse_upgrade(bench, family, "No such file or directory")
        kept.mkdir()
        family.expect_end(family.upgrade())
        assert served_by(bench) == "v1"


def test_late_emergency_stop(bench):
    """The new process has read the state file, and is about to serve: it looks once more."""
    answer_names(bench.v1, bench.canary)
    bench.start(config={**ADMIN, "state_file": "state.json"}, rules=TO_CANARY)
    with upgrades(bench) as family:
        for state, served in 2 * (("off", "v1"), ("on", "canary")):
            since = len(bench.gateway.lines)
            family.signal(signal.SIGUSR2)
            while put_state(bench, state).status != 200:
                pass  # in the moment of the change it says so
            assert served_by(bench) == served
            family.expect_end(family.expect_upgrade(since))
            assert served_by(bench) == served


def test_both_are_told_to_stop(bench):
    """As a service manager does: the first signal lets the old one go on draining."""
    bench.start(config={"timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        client, origin = begin(bench)
        old = family.upgrade()
        family.signal(signal.SIGTERM, old)
        new, family.current = family.current, bench.gateway.process.pid
        family.signal(signal.SIGTERM, new)
        family.expect_end(new)
        origin.send(response(body=b"whole"))
        assert client.read_response().body == b"whole"
        family.expect_end(old)


def test_old_one_cannot_upgrade_again(bench):
    bench.start(config={"timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        client, origin = begin(bench)
        old = family.upgrade()
        family.signal(signal.SIGUSR2, old)
        family.wait_line(rf"cannot upgrade: process {family.current} has taken over; send SIGUSR2 to it$")
        origin.send(response())
        client.read_response()
        family.expect_end(old)


def test_successor_that_ends_later(bench):
    """The old one listens no more and cannot come back, but says so."""
    bench.start(config={"timeouts": {"drain": "60s"}})
    with upgrades(bench) as family:
        client, origin = begin(bench)
        old = family.upgrade()
        new, family.current = family.current, old
        family.signal(signal.SIGKILL, new)
        assert family.wait_end(new) == -signal.SIGKILL
        family.wait_line(rf"^adit: warning: process {new}, which had taken over, has ended: nobody listens any more; ")
        origin.send(response(body=b"whole"))
        assert client.read_response().body == b"whole"
        family.expect_end(old)


# ---- it fails


def set_limit(bench, limit):
    bench.write_files(config={"timeouts": {"upgrade": limit}})
    assert bench.gateway.reload()[-1] == "adit: reloaded: 1 routes"


def test_failures_change_nothing(bench):
    """The log says why, and the next one may succeed."""
    answer_names(bench.v1)
    real = own_program(bench)
    bench.start()
    with upgrades(bench) as family:
        sockets = listening_inodes(family.current)
        good = pathlib.Path(bench.directory.name, "adit.json").read_text(encoding="utf-8")
        bench.write("adit.json", "{")
        assert family.fail() == "it ended with status 1 before it was ready"
        family.wait_line(r"^adit\.json:1:\d+: error: ")
        bench.write("adit.json", good)
        assert served_by(bench) == "v1"
        set_limit(bench, "300ms")
        for script, why in (("exit 3\n", "it ended with status 3 before it was ready"),
                            ("kill -SEGV $$\n", "it was ended by signal 11 (Segmentation fault) before it was ready"),
                            ("exec sleep 60\n", "it was not ready within 300 ms, and was killed")):
            replace_program(bench, script)
            assert family.fail() == why
            assert served_by(bench) == "v1"
        os.remove(bench.binary)
        assert family.fail() == f"cannot execute '{bench.binary}': No such file or directory"
        assert served_by(bench) == "v1"
        assert children(family.launcher()) == [] and listening_inodes(family.current) == sockets
        # Time enough, as the machine may be busy; a reload may say how much that is.
        set_limit(bench, "60s")
        replace_program(bench, copy_of=real)
        family.expect_end(family.upgrade())
        assert served_by(bench) == "v1"


def test_port_that_somebody_has(bench):
    answer_names(bench.v1)
    bench.start()
    with upgrades(bench) as family, listening(host="127.0.0.2") as taken:
        bench.write_files(config={"listen": [{"address": "127.0.0.1:0"}, {"address": address_of(taken)}]})
        assert family.fail() == "it ended with status 1 before it was ready"
        family.wait_line(rf"cannot listen on {address_of(taken)}: Address already in use")
        assert served_by(bench) == "v1"


def test_stop_calls_it_off(bench):
    own_program(bench)
    bench.start()
    with upgrades(bench) as family:
        replace_program(bench, "exec sleep 60\n")
        family.signal(signal.SIGUSR2)
        family.wait_line("starting a new process")
        launcher = family.launcher()
        family.signal(signal.SIGTERM)
        family.wait_line("upgrade called off")
        bench.gateway.expect_clean_end()  # and nobody holds its stderr any more
        assert not os.path.exists(f"/proc/{launcher}")


def test_launcher_that_dies(bench):
    answer_names(bench.v1)
    bench.start()
    with upgrades(bench) as family:
        os.kill(family.launcher(), signal.SIGKILL)
        family.wait_line("warning: the launcher is gone: no upgrade by SIGUSR2 is possible any more")
        family.signal(signal.SIGUSR2)
        family.wait_line("error: cannot upgrade: its launcher is gone")
        assert served_by(bench) == "v1"


def test_not_while_draining(bench):
    bench.start(config={"timeouts": {"drain": "60s", "drain_delay": "60s"}})
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    bench.gateway.signal(signal.SIGUSR2)
    bench.gateway.wait_line("cannot upgrade: it is draining")
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()


def test_environment_that_says_nonsense(bench):
    bench.write_files()
    for value in ("", "1", "1:2", "1:0:1", "1:2:2", "1:1025:0", "x:1:0", "1:1:0:"):
        said = run_to_the_end(bench, before=["env", f"ADIT_UPGRADE={value}"])
        assert said == [f"adit: error: upgrade: ADIT_UPGRADE is '{value}'; unset it"], said
    # Meant for another process: no matter.
    answer_names(bench.v1)
    bench.run(before=["env", "ADIT_UPGRADE=1:1:0"])
    assert served_by(bench) == "v1"


@for_root
def test_process_1(bench):
    """With it everything in its namespace ends."""
    answer_names(bench.v1)
    bench.write_files()
    bench.run(before=["unshare", "--pid", "--fork", "--kill-child"])
    (gateway,) = children(bench.gateway.process.pid)
    os.kill(gateway, signal.SIGUSR2)
    bench.gateway.wait_line("error: cannot upgrade: this is process 1, with which everything in its container ends;"
                            " replace the container")
    assert served_by(bench) == "v1"
    os.kill(gateway, signal.SIGTERM)
    bench.gateway.expect_clean_end()


# ---- who they are


@for_root
def test_nobody_is_root(bench):
    """The launcher gives up what the gateway does; the new process begins with no more."""
    port = low_port(bench)
    answer_names(bench.v1)
    config = {"user": NOBODY, **({"listen": [{"address": f"127.0.0.1:{port}"}]} if port else {})}
    bench.write_files(config=config)
    give_files_to(bench, NOBODY)
    bench.run()
    with upgrades(bench) as family:
        for _ in range(2):
            expect_launcher(family.launcher(), NOBODY)
            family.expect_end(family.upgrade())
            expect_no_rights(Process(family.current))
            expect_user(Process(family.current), NOBODY)
            assert served_by(bench) == "v1"


def expect_launcher(pid, name):
    user = str(pwd.getpwnam(name).pw_uid)
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["Uid"].split() == [user] * 4 and status["Gid"].split() == [str(pwd.getpwnam(name).pw_gid)] * 4
    assert all(int(status[kind], 16) == 0 for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"))
    assert status["NoNewPrivs"] == "1" and status["Threads"] == "1"
    assert name_of(pid) == "adit-launcher"
    descriptors = sorted(int(one) for one in os.listdir(f"/proc/{pid}/fd"))
    assert descriptors == [0, 1, 2, 3], descriptors  # standard streams, and the control
    # Nobody of that user may look into it (PR_SET_DUMPABLE): its files are root's.
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0
