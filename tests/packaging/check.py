#!/usr/bin/env python3
"""What can be seen of the packages without building them: check.py BUILD-FOLDER

It installs that build into an empty folder and runs what is there, and reads Dockerfile, compose.yaml
and debian/ beside what they speak of. run.sh beside it does the rest, which takes long.

Each check is a function named check_*: its docstring is what must hold, what it yields are breaches.
The last line is "N passed, N failed".
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

from dockerfile import read_dockerfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/support")]
from checks import run_checks  # noqa: E402
from harness import Bench, request  # noqa: E402

UNIT_PATH = "lib/systemd/system/adit.service"


def said(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "LC_ALL": "C"}, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def packages(*groups):
    return set(said(ROOT / "docker/deps.sh", "--list", *groups).split())


def version():
    return re.search(r"version: '([0-9.]+)'", (ROOT / "meson.build").read_text())[1]


class Installed:
    """A build, installed below an empty folder."""

    def __init__(self, build):
        self.directory = tempfile.TemporaryDirectory(prefix="adit-packaging-")
        self.destination = pathlib.Path(self.directory.name)
        said("meson", "install", "-C", build, "--no-rebuild", "--quiet", f"--destdir={self.destination}")
        options = json.loads(said("meson", "introspect", "--buildoptions", build))
        self.prefix = next(one["value"] for one in options if one["name"] == "prefix")
        self.root = self.destination / self.prefix.lstrip("/")
        self.adit = str(self.root / "bin/adit")


# ---- what `meson install` makes


def check_files(installed):
    """Program, units, documents, schemas, examples and licence are where they belong, and all can be read."""
    for path in ("bin/adit", UNIT_PATH, "lib/systemd/system/adit.socket", "lib/sysusers.d/adit.conf",
                 "share/adit/rules/demo.json", "share/adit/schemas/adit.schema.json",
                 "share/adit/schemas/rules.schema.json", "share/doc/adit/LICENSE", "share/doc/adit/README.md",
                 "share/doc/adit/CHANGELOG.md", "share/doc/adit/examples/adit.json",
                 "share/doc/adit/examples/rules/shop.json", "share/man/man1/adit.1",
                 "share/bash-completion/completions/adit", "share/zsh/site-functions/_adit",
                 "share/fish/vendor_completions.d/adit.fish", "share/doc/adit/docs/adr/README.md"):
        if not (installed.root / path).is_file():
            yield f"there is no {path}"
    for document in ROOT.glob("docs/*.md"):
        if not (installed.root / "share/doc/adit/docs" / document.name).is_file():
            yield f"docs/{document.name} is not installed"
    for path in installed.destination.rglob("*"):
        if not path.is_relative_to(installed.root) and not installed.root.is_relative_to(path):
            yield f"{path} is outside the prefix"
        if not path.is_symlink() and path.stat().st_mode & 0o444 != 0o444:
            yield f"not everybody can read {path}"


def check_unit(installed):
    """The unit starts the program that is installed, and is otherwise the one of packaging/systemd."""
    text = (installed.root / UNIT_PATH).read_text()
    if f"\nExecStart={installed.prefix}/bin/adit run " not in text:
        yield f"ExecStart is another program:\n{text}"
    if text.replace(f"{installed.prefix}/bin/", "/usr/local/bin/") != (ROOT / "packaging/systemd/adit.service").read_text():
        yield f"it is another unit:\n{text}"


def check_example_serves(installed):
    """The installed program serves with the installed examples."""
    bench = Bench(installed.adit)
    try:
        shutil.copytree(installed.root / "share/doc/adit/examples", bench.directory.name, dirs_exist_ok=True)
        config = pathlib.Path(bench.directory.name, "adit.json")
        text = config.read_text()
        for example, real in (("8080", "0"), ("9001", bench.v1.port), ("9002", bench.canary.port)):
            assert f"127.0.0.1:{example}" in text, f"the example names no port {example}"
            text = text.replace(f"127.0.0.1:{example}", f"127.0.0.1:{real}")
        config.write_text(text)
        bench.write("sticky.key", "a key for the example, 32 bytes or more\n")
        said(installed.adit, "check", "-c", "adit.json", cwd=bench.directory.name)
        bench.run()
        bench.exchange(bench.client(), bench.v1)
        forced = request("GET / HTTP/1.1", "Host: shop.example.com", "X-Canary: always")
        bench.exchange(bench.client(), bench.canary, forced)
        bench.stop()
    except AssertionError as problem:
        yield f"{problem}\n{bench.context()}"
    finally:
        bench.release()


def check_demo_rules(installed):
    """`adit test` finds nothing wrong in the installed rules, so that `adit demo` can be run from there."""
    rules = installed.root / "share/adit/rules"
    (rules / "sticky.key").write_text("a key for the cookbook, 32 bytes or more\n")
    (rules / "sticky.key").chmod(0o600)
    try:
        said(installed.adit, "check", "-c", str(rules / "adit.json"))
    except AssertionError as problem:
        yield str(problem)
    (rules / "sticky.key").unlink()


# ---- the image


def context(directory):
    """What docker would send to the builder: .dockerignore leaves everything out but what it names."""
    first, *names = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert first == "*" and all(name[0] == "!" for name in names), "only `*` and `!NAME` are understood here"
    for name in (name[1:] for name in names):
        target = pathlib.Path(directory, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)
        else:
            shutil.copy(ROOT / name, target)


def check_context(_installed):
    """What .dockerignore lets through can be configured, for another prefix, and installs nothing outside it."""
    with tempfile.TemporaryDirectory() as directory:
        context(f"{directory}/source")
        said("meson", "setup", f"{directory}/build", f"{directory}/source", "--prefix=/opt/adit", "-Dtests=false")
        plan = json.loads(said("meson", "introspect", "--install-plan", f"{directory}/build"))
        unit = pathlib.Path(directory, "build/packaging/adit.service").read_text()
    places = [one["destination"] for kind in plan.values() for one in kind.values()]
    if len(places) < 5:
        yield f"it installs {places}"
    for place in places:
        if not re.match(r"\{(prefix|bindir|datadir|mandir)\}|/opt/adit/", place) and not place.startswith("share/"):
            yield f"{place} is outside the prefix"
    if "\nExecStart=/opt/adit/bin/adit run " not in unit:
        yield "the unit's ExecStart is not below the prefix"


def check_dockerfile(_installed):
    """The image runs as a number that is not root, without a shell, stops by SIGTERM, and knows its version."""
    stages = read_dockerfile(ROOT / "docker/Dockerfile")
    last = dict(stages[-1].steps)
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.get("USER", "")):
        yield f"USER is {last.get('USER')}"
    for name, value in (("ENTRYPOINT", last.get("ENTRYPOINT", "")), ("CMD", last.get("CMD", "")),
                        ("HEALTHCHECK", last.get("HEALTHCHECK", "").partition(" CMD ")[2])):
        try:
            words = json.loads(value)
        except ValueError:
            words = None
        if not words or not all(isinstance(word, str) for word in words):
            yield f"{name} has no exec form: {value!r}"
    if last.get("STOPSIGNAL") != "SIGTERM":
        yield "STOPSIGNAL is not SIGTERM"
    if f'org.opencontainers.image.version="{version()}"' not in last.get("LABEL", ""):
        yield "its label has another version than meson.build"
    for stage in stages:
        if not re.fullmatch(r"debian:12-slim", stage.base):
            yield f"a stage begins with {stage.base}"
        for word, value in stage.steps:
            if word == "COPY" and "--from" not in value and not (ROOT / value.split()[0]).exists():
                yield f"COPY {value}: it is not there"


def check_runtime_packages(installed):
    """The group `run` of docker/deps.sh has the packages of the libraries that the program is linked with, and no other."""
    needed = re.findall(r"=> (/\S+)", said("ldd", installed.adit))
    direct = set(re.findall(r"NEEDED.*\[(.*)\]", said("readelf", "-dW", installed.adit)))
    owners = set()
    for library in (os.path.realpath(path) for path in needed if os.path.basename(path) in direct):
        found = subprocess.run(["dpkg-query", "-S", library], capture_output=True, text=True)
        if found.returncode != 0:  # before the merge of /lib into /usr it was known by its other name
            found = subprocess.run(["dpkg-query", "-S", library.removeprefix("/usr")], capture_output=True, text=True)
        owners.add(found.stdout.partition(":")[0])
    owners = {name for name in owners if not re.match(r"lib(asan|ubsan|gcc)", name)}
    for name in sorted(owners ^ (packages("run") - {"ca-certificates", "tzdata"})):
        yield f"{name or 'a package that dpkg does not know'} is in one of the two only"


# ---- docker/compose.yaml


def check_compose(_installed):
    """What compose.yaml mounts is there, what it waits for is a service, and nobody else reaches its ports."""
    compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    services = compose["services"]
    for name, service in services.items():
        for other in service.get("depends_on", {}):
            if other not in services:
                yield f"{name} depends on {other}, which there is not"
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            if source[0] == "." and not (ROOT / "docker" / source).exists():
                yield f"{name} mounts {source}, which is not there"
            if source[0] != "." and source not in compose["volumes"]:
                yield f"{name} mounts {source}, which is no volume"
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield f"{name} is open to everybody on {port}"
        if "@" not in service.get("image", "@") and not re.search(r":v?[0-9]", service["image"]) and "build" not in service:
            yield f"{name} names no version of {service['image']}"


def check_compose_config(installed):
    """The configuration of the gateway there passes `adit check`, and its endpoints are services."""
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    text = (ROOT / "docker/compose/gateway/adit.json").read_text()
    for host in re.findall(r'"endpoints": \["([^":]+):', text):
        if host not in services:
            yield f"{host} is no service"
    with tempfile.TemporaryDirectory() as directory:
        shutil.copytree(ROOT / "docker/compose/gateway", directory, dirs_exist_ok=True)
        for name in re.findall(r'"(/keys/[^"]+)"', text):
            key = pathlib.Path(directory, name[1:])
            key.parent.mkdir(exist_ok=True)
            key.write_text("a key for compose, 32 bytes or more: yes\n")
            key.chmod(0o600)
        pathlib.Path(directory, "adit.json").write_text(text.replace('"/keys/', f'"{directory}/keys/'))
        report = said(installed.adit, "check", "-c", f"{directory}/adit.json")
    if ": 0 errors, 0 warnings" not in report:
        yield report


# ---- the Debian package


def check_debian(installed):
    """debian/ has the version of meson.build, the packages of docker/deps.sh, and a configuration that passes `adit check`."""
    if not (ROOT / "debian/changelog").read_text().startswith(f"adit ({version()}-"):
        yield "debian/changelog begins with another version than meson.build"
    control = (ROOT / "debian/control").read_text()
    wanted = set(re.findall(r"^ ([a-z0-9+.-]+)", control.partition("Build-Depends:")[2].partition("\n\n")[0], re.M))
    implied = {"gcc", "libc6-dev", "ninja-build"}  # build-essential, and what meson depends on
    own = {"debhelper-compat", "dh-sequence-installsysusers"}
    for name in sorted((packages("build") - implied) ^ (wanted - own)):
        yield f"{name} is in one of debian/control and docker/deps.sh only"
    report = said(installed.adit, "check", "-c", ROOT / "debian/conf/adit.json")
    if ": 0 errors, 0 warnings" not in report:
        yield report


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    installed = Installed(arguments[0])
    status = run_checks(globals(), installed)
    installed.directory.cleanup()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
