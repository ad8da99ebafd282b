"""`watch`: files that change are taken up without a signal, whatever way they change."""
import os

from test_reload import IN_PART, REFUSED, route, start, who
from visitors import answer_names

CHANGED = "adit: files have changed"
RELOADED = r"adit: (warning: )?reloaded|reload refused"


def wait_reload(bench, since):
    """What is said from line `since` on until a reload has an outcome."""
    outcome = bench.gateway.wait_line(RELOADED, since).string
    return bench.gateway.lines[since : bench.gateway.lines.index(outcome, since) + 1]


def after(bench, change):
    """What the gateway says of a change that somebody makes."""
    since = len(bench.gateway.lines)
    change()
    return wait_reload(bench, since)


def write_in_place(bench, name, **more):
    bench.write(f"rules/{name}.json", route(name, **more))


def test_file_that_is_written(bench):
    start(bench, "a", watch=True)
    said = after(bench, lambda: write_in_place(bench, "a", to="canary"))
    assert said == [CHANGED, "adit: route 'a': rule 'all' added", "adit: reloaded: 1 routes"], said
    assert who(bench, "a") == "canary"


def test_file_that_is_renamed_into_place(bench):
    """As editors do."""
    start(bench, "a", watch=True)
    path = os.path.join(bench.directory.name, "rules/a.json")
    bench.write("rules/a.json.new", route("a", to="canary"))
    after(bench, lambda: os.rename(path + ".new", path))
    assert who(bench, "a") == "canary"


def test_files_that_come_and_go(bench):
    start(bench, "a", watch=True)
    after(bench, lambda: write_in_place(bench, "b", to="canary"))
    assert who(bench, "b") == "canary"
    said = after(bench, lambda: os.remove(os.path.join(bench.directory.name, "rules/a.json")))
    assert "adit: route 'a' removed" in said
    assert who(bench, "a") is None


def test_directory_that_comes(bench):
    """With a pattern for directories."""
    os.makedirs(os.path.join(bench.directory.name, "teams"))
    start(bench, "a", watch=True, rules=["rules/*.json", "teams/*/*.json"])
    os.makedirs(os.path.join(bench.directory.name, "teams/one"))
    said = after(bench, lambda: bench.write("teams/one/b.json", route("b")))
    assert "adit: route 'b' added" in said and who(bench, "b") == "v1"


def test_config_map(bench):
    """As Kubernetes mounts one: files are links into ..data, a link that is replaced whole."""
    rules = os.path.join(bench.directory.name, "rules")
    answer_names(*bench.origins)
    for version, to in (("..1", "v1"), ("..2", "canary")):
        os.makedirs(os.path.join(rules, version))
        bench.write(f"rules/{version}/a.json", route("a", to))
    os.symlink("..1", os.path.join(rules, "..data"))
    os.symlink("..data/a.json", os.path.join(rules, "a.json"))
    bench.write_files(config={"rules": ["rules/*.json"], "watch": True})
    bench.run()
    assert who(bench, "a") == "v1"

    def swap():
        os.symlink("..2", os.path.join(rules, "..data_tmp"))
        os.rename(os.path.join(rules, "..data_tmp"), os.path.join(rules, "..data"))

    after(bench, swap)
    assert who(bench, "a") == "canary"


def test_value_file(bench):
    start(bench, "a", watch=True)
    bench.write("rules/users.txt", "anna\n")
    rule = {"id": "beta", "when": {"header.x-user": {"in_file": "users.txt"}}, "to": "canary"}
    after(bench, lambda: write_in_place(bench, "a", rules=[rule]))
    said = after(bench, lambda: bench.write("rules/users.txt", "bert\n"))
    assert any("users.txt' changed" in line for line in said), said


def test_broken_file_that_is_mended(bench):
    start(bench, "a", "b", watch=True)
    said = after(bench, lambda: bench.write("rules/a.json", "{"))
    assert said[-1] == IN_PART.format(2)
    after(bench, lambda: write_in_place(bench, "a", to="canary"))
    assert who(bench, "a") == "canary"
    said = after(bench, lambda: bench.write("adit.json", "{"))
    assert said[-1] == REFUSED
    said = after(bench, lambda: bench.write_files(config={"rules": ["rules/b.json"], "watch": True}))
    assert said[-1] == "adit: reloaded: 1 routes" and who(bench, "a") is None


def test_what_is_no_change(bench):
    """Another file of the same directory, and a file that is put back before anybody looks."""
    start(bench, "a", watch=True)
    since = len(bench.gateway.lines)
    bench.write("rules/note.txt", "none of ours")
    bench.write("unrelated", "x")
    said = after(bench, lambda: write_in_place(bench, "b"))
    assert bench.gateway.lines[since:] == said and said.count(CHANGED) == 1


def test_switched_on_and_off(bench):
    start(bench, "a")
    config = {"rules": ["rules/*.json"]}
    bench.write_files(config={**config, "watch": True})
    bench.gateway.reload()
    after(bench, lambda: write_in_place(bench, "b"))
    assert who(bench, "b") == "v1"
    after(bench, lambda: bench.write_files(config=config))
    since = len(bench.gateway.lines)
    write_in_place(bench, "c")
    bench.gateway.reload()
    assert CHANGED not in bench.gateway.lines[since:]
    assert who(bench, "c") == "v1"
