"""The emergency stop: a route's state said beside its file, in all workers at once, over reloads and restarts."""
import json
import os
import re
import resource
import signal
import stat
import threading

from admin import ADMIN, ask, error_of
from harness import DEADLINE, Task
from test_ctl import ctl
from test_privileges import NOBODY, for_root, write_for
from test_startup import run as run_to_the_end
from visitors import Visitor, answer_names, served_by

KEPT = {**ADMIN, "state_file": "kept/state.json"}
SPLIT = {"default": {"split": {"canary": 100}}}  # the canary answers, unless somebody says otherwise
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
CLIENTS, FLIPS = 8, 20


def start(bench, config=None, rules=None, **more):
    answer_names(bench.v1, bench.canary)
    os.makedirs(path_of(bench, "kept"), exist_ok=True)
    bench.write_files(config=config or KEPT, rules=SPLIT if rules is None else rules)
    return bench.run(**more)


def path_of(bench, name="kept/state.json"):
    return os.path.join(bench.directory.name, name)


def put(bench, state, route="shop", status=200):
    answer = ask(bench, f"PUT /api/v1/routes/{route}/state", body=json.dumps({"state": state}).encode())
    assert answer.status == status, answer.body
    assert answer.all("Allow") == []
    return json.loads(answer.body)


def get(bench, path="routes/shop/state"):
    answer = ask(bench, f"GET /api/v1/{path}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def metric(bench, name):
    lines = ask(bench, "GET /metrics").body.decode().splitlines()
    return [line for line in lines if line.startswith(f"adit_{name}")]


def restart(bench):
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()
    return bench.run()


# ---- what it does


def test_states(bench):
    start(bench)
    assert served_by(bench) == "canary"
    for state, answers in (("off", "v1"), ("full", "canary"), ("drain", "v1"), ("on", "canary"), ("off", "v1"), (None, "canary")):
        said = put(bench, state)
        assert served_by(bench) == answers, state
        override = said.pop("override")
        assert said == {"route": "shop", "state": state or "on", "file_state": "on", "state_file": "kept/state.json", "kept": True}
        assert get(bench) == {**said, "override": override}
        if state:
            assert override["state"] == state and TIME.fullmatch(override["since"]), override
        else:
            assert override is None
    # Over again by DELETE, which may also find nothing to take back.
    put(bench, "off")
    for _ in range(2):
        assert json.loads(ask(bench, "DELETE /api/v1/routes/shop/state").body)["override"] is None
        assert served_by(bench) == "canary"


def test_where_it_shows(bench):
    start(bench)
    assert metric(bench, "route_state_override") == [] and metric(bench, "state_file_current") == ["adit_state_file_current 1"]
    put(bench, "off")
    shown = {"state": "off", "file_state": "on"}
    for route in (get(bench, "status")["routes"][0], get(bench, "routes")["routes"][0], get(bench, "routes/shop")):
        assert {key: route[key] for key in shown} == shown and route["override"]["state"] == "off"
    overrides = get(bench, "status")["overrides"]
    assert overrides == {"routes": 1, "state_file": "kept/state.json", "kept": True, "waiting": []}
    assert metric(bench, "route_state_override") == ['adit_route_state_override{route="shop",state="off"} 1']
    decided = ask(bench, "POST /api/v1/explain?trace=1", body=b'{"url":"http://shop.example.com/"}')
    decided = json.loads(decided.body)
    assert decided["reason"] == "off" and decided["override"] == shown
    bench.gateway.wait_line(r"^adit: warning: route 'shop': state 'off' from now on, whatever its file says, by the admin server$")


def test_every_worker_at_once(bench):
    """Whatever is sent after the answer is decided by what was said, on every connection of every worker."""
    start(bench, config={**KEPT, "workers": 4})
    said = {"now": None}  # (number, who answers) while nobody says anything else
    news = threading.Condition()
    seen = []  # numbers, each time that somebody has found it so
    over = threading.Event()

    def visit():
        client, visitor = bench.client(), Visitor(keeps_cookies=False)
        while not over.is_set():
            before = said["now"]
            name = visitor.ask(client).body.decode()
            if before and said["now"] is before:
                assert name == before[1], (name, before)
                with news:
                    seen.append(before[0])
                    news.notify()

    visits = [Task(visit) for _ in range(CLIENTS)]
    try:
        for number in range(FLIPS):
            state, name = (("off", "v1"), ("full", "canary"))[number % 2]
            put(bench, state)
            said["now"] = (number, name)
            with news:
                assert news.wait_for(lambda: seen.count(number) >= CLIENTS or any(one.error for one in visits), DEADLINE)
            said["now"] = None
    finally:
        over.set()
    for one in visits:
        one.result()


# ---- how long it holds


def test_restart(bench):
    start(bench)
    put(bench, "off")
    before = get(bench)
    status = os.stat(path_of(bench))
    assert stat.S_IMODE(status.st_mode) == 0o600 and os.listdir(path_of(bench, "kept")) == ["state.json"]
    with open(path_of(bench), encoding="utf-8") as file:
        assert json.load(file) == {"version": 1, "overrides": {"route_states": [
            {"route": "shop", "state": "off", "file_state": "on", "since": before["override"]["since"]}]}}
    restart(bench)
    bench.gateway.wait_line(r"^adit: route 'shop' is overridden: state 'off', whatever its file says$")
    assert served_by(bench) == "v1" and get(bench) == before
    put(bench, None)
    restart(bench)
    assert served_by(bench) == "canary" and get(bench)["override"] is None


def test_kill(bench):
    """What was answered is on the disk."""
    start(bench)
    put(bench, "off")
    bench.gateway.process.kill()
    bench.gateway.process.wait()
    bench.run()
    assert served_by(bench) == "v1"


def test_reloads(bench):
    """Any other change leaves it, also files that do not load; another state of the file ends it."""
    start(bench)
    put(bench, "off")
    since = get(bench)["override"]
    bench.write_files(config=KEPT, rules={**SPLIT, "rules": [{"id": "b", "when": {"header.x-b": "1"}, "to": "canary"}]})
    assert bench.gateway.reload()[-1] == "adit: reloaded: 1 routes"
    assert served_by(bench) == "v1" and get(bench)["override"] == since
    bench.write("shop.json", "{")
    assert "reloaded in part" in bench.gateway.reload()[-1]
    assert served_by(bench) == "v1"
    put(bench, "full")
    assert served_by(bench) == "canary"
    put(bench, "off")
    bench.write("adit.json", "{")
    assert "reload refused" in bench.gateway.reload()[-1]
    assert served_by(bench) == "v1"
    bench.write_files(config=KEPT, rules={**SPLIT, "state": "full"})
    said = bench.gateway.reload()
    ends = r"adit: route 'shop': the override 'off' of \S+Z ends: the file's state was 'on' then and is 'full' now"
    assert any(re.fullmatch(ends, line) for line in said), said
    assert served_by(bench) == "canary" and get(bench)["override"] is None
    # That is kept, too.
    with open(path_of(bench), encoding="utf-8") as file:
        assert json.load(file)["overrides"] == {"route_states": []}
    put(bench, "off")
    assert get(bench)["file_state"] == "full" and served_by(bench) == "v1"
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.expect_clean_end()
    bench.write_files(config=KEPT, rules={**SPLIT, "state": "drain"})
    bench.run()
    bench.gateway.wait_line(r"the override 'off' of \S+ ends: the file's state was 'full' then and is 'drain' now$")
    assert get(bench)["override"] is None


def test_a_broken_configuration(bench):
    """adit.json on the disk has nothing to do with it."""
    start(bench)
    bench.write("adit.json", "{")
    put(bench, "off")
    assert served_by(bench) == "v1"


def test_a_route_that_goes_and_comes_back(bench):
    """Its override waits for it, over restarts; it can be taken back meanwhile."""
    other = {"route": "other", "match": {"hosts": ["other.test"]}, "variants": {"v1": "shop-v1"}, "stable": "v1"}
    both = {**KEPT, "rules": ["shop.json", "other.json"]}
    bench.write("other.json", other)
    start(bench, config=both)
    put(bench, "off")
    alone = {**KEPT, "rules": ["other.json"]}
    bench.write_files(config=alone, rules=SPLIT)
    waits = "adit: route 'shop' is not served; its override 'off' waits for it (adit ctl state shop file takes it back)"
    assert waits in bench.gateway.reload()
    assert waits not in bench.gateway.reload()  # once is enough
    assert [one["route"] for one in get(bench, "status")["overrides"]["waiting"]] == ["shop"]
    assert get(bench)["state"] is None and metric(bench, "route_state_override") == []
    assert "no route 'shop'" in put(bench, "on", status=404)["error"]
    restart(bench)
    bench.gateway.wait_line("its override 'off' waits for it")
    bench.write_files(config=both, rules=SPLIT)
    assert "adit: route 'shop' is overridden: state 'off', whatever its file says" in bench.gateway.reload()
    assert served_by(bench) == "v1"
    bench.write_files(config=alone, rules=SPLIT)
    bench.gateway.reload()
    assert json.loads(ask(bench, "DELETE /api/v1/routes/shop/state").body)["error"]
    bench.write_files(config=both, rules=SPLIT)
    bench.gateway.reload()
    assert served_by(bench) == "canary"


def test_without_a_file(bench):
    start(bench, config=ADMIN)
    said = put(bench, "off")
    assert (said["kept"], said["state_file"], said["why"]) == (False, None, "the configuration has no state_file")
    assert served_by(bench) == "v1" and metric(bench, "state_file_current") == []
    bench.gateway.reload()
    assert served_by(bench) == "v1"
    restart(bench)
    assert served_by(bench) == "canary"


def test_while_it_drains(bench):
    """It holds, but the file is another's by then."""
    start(bench, config={**KEPT, "timeouts": {"drain_delay": "1h"}})
    bench.gateway.signal(signal.SIGTERM)
    bench.gateway.wait_line("draining")
    said = put(bench, "off")
    assert not said["kept"] and "drains" in said["why"] and not os.path.exists(path_of(bench))
    assert served_by(bench) == "v1"
    bench.gateway.signal(signal.SIGTERM)


# ---- files that cannot be written, or read


def expect_not_kept(bench, why):
    said = put(bench, "off")
    assert served_by(bench) == "v1"
    assert not said["kept"] and why in said["why"], said
    bench.gateway.wait_line(rf"^adit: error: route 'shop': a restart will not know of that: .*{why}$")
    assert metric(bench, "state_file_current") == ["adit_state_file_current 0"]
    err = ctl(bench, "state", "shop", "off", status=1)[1]
    assert "done, but the gateway will not know of it after a restart" in err and why in err


def test_directory_that_goes(bench):
    start(bench)
    os.rename(path_of(bench, "kept"), path_of(bench, "gone"))
    expect_not_kept(bench, "No such file or directory")
    # The next change writes all of it.
    os.rename(path_of(bench, "gone"), path_of(bench, "kept"))
    assert put(bench, "off")["kept"]
    restart(bench)
    assert served_by(bench) == "v1"


def test_directory_that_is_not_ours(bench):
    start(bench)
    os.chmod(path_of(bench, "kept"), 0o500)
    expect_not_kept(bench, "Permission denied")
    os.chmod(path_of(bench, "kept"), 0o700)
    bench.gateway.reload()  # tries once more
    assert get(bench)["kept"]


def test_full_disk(bench):
    """The file that is there stays as it was, and nothing is left beside it."""
    start(bench)
    put(bench, "drain")
    with open(path_of(bench), encoding="utf-8") as file:
        before = file.read()
    resource.prlimit(bench.gateway.process.pid, resource.RLIMIT_FSIZE, (16, resource.RLIM_INFINITY))
    expect_not_kept(bench, "File too large")
    with open(path_of(bench), encoding="utf-8") as file:
        assert file.read() == before
    assert os.listdir(path_of(bench, "kept")) == ["state.json"]


def test_left_beside_it(bench):
    """By a process that was cut off."""
    os.mkdir(path_of(bench, "kept"))
    bench.write("kept/.state.json.new", "half of a fi")
    start(bench)
    assert put(bench, "off")["kept"] and os.listdir(path_of(bench, "kept")) == ["state.json"]


def test_directory_that_is_not_there_at_the_start(bench):
    start(bench, config={**ADMIN, "state_file": "nowhere/state.json"})
    bench.gateway.wait_line(r"^adit: warning: adit.json: what is overridden from now on will not be kept: "
                            r"cannot write to the directory 'nowhere': No such file or directory$")


def test_broken_files(bench):
    """A stop that is lost is worse than a gateway that does not start."""
    item = '{"route":"shop","state":"off","file_state":"on","since":"2026-01-01"}'
    whole = '{"version":1,"overrides":{"route_states":[%s]}}'
    os.mkdir(path_of(bench, "kept"))
    bench.write_files(config=KEPT)
    for text, where in ((whole % item[:-1], "error: "), ('{"version":2,"overrides":{}}', "newer one"),
                        (" " * ((1 << 20) + 1), "larger than")):
        bench.write("kept/state.json", text)
        said = run_to_the_end(bench)
        assert said[0].startswith("kept/state.json") and any(where in line for line in said), (text[:80], said)
        assert "an emergency stop may stand in the state file; mend the file, or remove it" in said[-1], said
    os.remove(path_of(bench, "kept/state.json"))
    os.symlink("a disk that is not mounted/state.json", path_of(bench, "kept/state.json"))
    said = run_to_the_end(bench)
    assert "kept/state.json" in said[0] and "No such file" in said[0], said
    os.remove(path_of(bench, "kept/state.json"))
    bench.write("kept/state.json", whole % item)
    answer_names(bench.v1, bench.canary)
    bench.write_files(config=KEPT, rules=SPLIT)
    bench.run()
    assert served_by(bench) == "v1"


@for_root
def test_under_another_user(bench):
    """Root starts it, and the one that it becomes writes and reads."""
    answer_names(bench.v1, bench.canary)
    os.mkdir(path_of(bench, "kept"))
    write_for(bench, NOBODY, user=NOBODY, **KEPT)
    bench.run()
    put(bench, "full")
    assert served_by(bench) == "canary" and get(bench)["kept"]
    restart(bench)
    assert served_by(bench) == "canary"


# ---- who may, and what is refused


def test_mistakes(bench):
    start(bench, rules={})
    for body, why in ((b"", "column 1"), (b"{", "expected"), (b"[]", "must be an object"), (b"{}", "must be a string or null"),
                      (b'{"state":1}', "must be a string or null"), (b'{"state":"of"}', "did you mean 'off'?"),
                      (b'{"state":"nothing"}', "on, drain, off or full"), (b'{"stat":"off"}', "unknown key 'stat'"),
                      (b'{"state":"off","state":"on"}', "state")):
        answer = ask(bench, "PUT /api/v1/routes/shop/state", body=body)
        assert answer.status == 400, (body, answer.body)
        assert why in error_of(answer), (body, answer.body)
    assert "did you mean 'shop'?" in put(bench, "off", route="shp", status=404)["error"]
    assert "GET /api/v1/routes lists them" in put(bench, "off", route="a" * 200, status=404)["error"]
    assert ask(bench, "GET /api/v1/routes/other/state").status == 404
    assert ask(bench, "DELETE /api/v1/routes/other/state").status == 404
    answer = ask(bench, "POST /api/v1/routes/shop/state", body=b'{"state":"off"}')
    assert answer.status == 405 and answer.one("Allow") == b"GET, HEAD, PUT, DELETE"
    assert ask(bench, "PUT /api/v1/routes/shop", body=b"{}").one("Allow") == b"GET, HEAD"
    assert ask(bench, "PUT /api/v1/routes/shop/state", body=b" " * (300 << 10)).status == 413
    assert get(bench)["override"] is None and not os.path.exists(path_of(bench))


def test_full_without_a_canary(bench):
    start(bench, rules={"variants": {"v1": "shop-v1", "canary": None}})
    assert "no canary" in put(bench, "full", status=409)["error"]
    assert put(bench, "off")["state"] == "off"


def test_a_canary_that_goes_while_it_is_full(bench):
    """Stable is safe."""
    start(bench)
    put(bench, "full")
    bench.write_files(config=KEPT, rules={"variants": {"v1": "shop-v1", "canary": None}})
    said = bench.gateway.reload()
    assert "adit: route 'shop': the override 'full' finds no canary any more: stable answers" in said, said
    assert served_by(bench) == "v1"


def test_token(bench):
    bench.write("admin.token", "a token\n")
    start(bench, config={**KEPT, "admin": {"address": "127.0.0.1:0", "token_file": "admin.token"}})
    body = b'{"state":"off"}'
    for fields in ([], ["Authorization: Bearer another"]):
        assert ask(bench, "PUT /api/v1/routes/shop/state", *fields, body=body).status == 401
        assert served_by(bench) == "canary"
    assert ask(bench, "PUT /api/v1/routes/shop/state", "Authorization: Bearer a token", body=body).status == 200
    assert served_by(bench) == "v1"


# ---- adit ctl state


def test_ctl(bench):
    start(bench)
    assert ctl(bench, "state", "shop") == ("route 'shop': state on\n", "")
    out, err = ctl(bench, "state", "shop", "off")
    assert re.fullmatch(r"route 'shop': state off  \[overridden since \S+Z, the file says on\]\n", out) and not err
    assert served_by(bench) == "v1"
    assert json.loads(ctl(bench, "state", "shop", "--json")[0])["override"]["state"] == "off"
    line = next(line for line in ctl(bench, "status")[0].splitlines() if line.startswith("shop  "))
    assert line.split()[1] == "off" and line.endswith(", the file says on]"), line
    assert ctl(bench, "state", "shop", "file")[0] == "route 'shop': state on\n"
    assert served_by(bench) == "canary"
    assert "answered 404: there is no route 'shp' (did you mean 'shop'?)" in ctl(bench, "state", "shp", "off", status=1)[1]
    for arguments, why in ((["state"], "which route?"), (["state", "shop", "of"], "there is no state 'of'"),
                           (["state", "a/b", "off"], "no name of a route"), (["state", "shop", "off", "x"], "unexpected argument 'x'"),
                           (["state", "shop", "--watch"], "no --watch")):
        assert why in ctl(bench, *arguments, status=2)[1], arguments


def test_ctl_without_a_file(bench):
    start(bench, config=ADMIN)
    out, err = ctl(bench, "state", "shop", "off")
    assert out.startswith("route 'shop': state off") and err == "adit: note: this holds until the gateway ends, as it has no state_file\n"
    lost = "\noverrides are not kept over a restart: the configuration has no state_file\n"
    assert lost in ctl(bench, "status")[0]
    ctl(bench, "state", "shop", "file")
    assert lost not in ctl(bench, "status")[0]
    assert ctl(bench, "state", "shop")[1] == ""
