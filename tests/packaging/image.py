#!/usr/bin/env python3
"""Runs docker/compose.yaml with the files of an image, where there is no engine: image.py ROOT CONFIG

ROOT is the image's root file system, CONFIG what `buildah inspect` says of the image. run.sh calls this in
a network and a mount namespace of its own. The gateway and `keys` run in ROOT as the image and compose.yaml
say: entrypoint, user, mounts, read-only, without capabilities. nginx and Prometheus are those of this
machine, with the configuration files that compose.yaml gives them; an engine's network is /etc/hosts here.
The last line is "N passed, N failed".
"""
import contextlib
import http.client
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

import yaml

DOCKER = pathlib.Path(__file__).resolve().parents[2] / "docker"
sys.path.insert(0, str(DOCKER.parent / "tests/support"))
from results import Results  # noqa: E402

SECONDS = 120
HOSTS = {"v1": "127.0.0.11", "canary": "127.0.0.12", "gateway": "127.0.0.1", "prometheus": "127.0.0.1"}


def run(*command):
    subprocess.run(command, check=True)


def until(is_done, what, process=None):
    """Its first true value."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert process is None or process.poll() is None, f"{what}: the process has ended"
        with contextlib.suppress(OSError, http.client.HTTPException):
            value = is_done()
            if value:
                return value
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {SECONDS} s")


def get(port, target="/", fields=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", target, headers=fields or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Container:
    """The image's root with what an engine mounts into it."""

    def __init__(self, root, config, work):
        self.root, self.config, self.work = pathlib.Path(root), config, pathlib.Path(work)
        self.needless = [path for path in ("usr/bin/gcc", "usr/bin/meson", "usr/bin/curl", "source", "build", "tmp/deps.sh")
                         if (self.root / path).exists()]
        self.keys = self.work / "keys"
        self.keys.mkdir()
        (self.root / "keys").mkdir(exist_ok=True)
        hosts = self.work / "hosts"
        hosts.write_text("".join(f"{address} {name}\n" for name, address in HOSTS.items()) + "127.0.0.1 localhost\n")
        run("mount", "--bind", self.root, self.root)
        for source, target in (("/dev", "dev"), (self.keys, "keys"), (DOCKER / "compose/gateway", "etc/adit"), (hosts, "etc/hosts")):
            run("mount", "--bind", source, self.root / target)
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "tmp")
        run("mount", "-o", "remount,bind,ro", self.root)
        run("mount", "-o", "remount,bind,ro", self.root / "etc/adit")

    def command(self, words, user=None):
        """`words` as the image's user, or as another, with no more rights than an engine would leave."""
        uid, gid = (user or self.config["User"]).split(":")
        rights = ["--inh-caps=-all", "--bounding-set=-all"] if uid != "0" else []
        return ["chroot", self.root, "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", *rights, "--no-new-privs",
                "env", "-i", "-C", self.config["WorkingDir"], *self.config["Env"], *words]

    def says(self, *arguments):
        """Exit status and output of the entrypoint with other arguments than the image's."""
        done = subprocess.run(self.command([*self.config["Entrypoint"], *arguments]), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        return done.returncode, done.stdout

    def is_healthy(self):
        kind, *words = self.config["Healthcheck"]["Test"]
        assert kind == "CMD", "the health check needs a shell"
        return subprocess.run(self.command(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=SECONDS).returncode == 0


class Proof:
    def __init__(self, container, services, work):
        self.container, self.services, self.work = container, services, pathlib.Path(work)
        self.results = Results()
        self.processes = []

    def start(self, command, **options):
        process = subprocess.Popen(command, **options)
        self.processes.append(process)
        return process

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                process.wait(SECONDS)

    def expect(self, what, got, wanted):
        self.results.check(what, "" if got == wanted else f"{got!r}, not {wanted!r}")

    def make_keys(self):
        service = self.services["keys"]
        words = [word.replace("$$", "$") for word in service["entrypoint"]]
        for _ in range(2):  # a second start leaves them as they are
            run(*self.container.command(words, user=service["user"]))
            made = {path.name: path.read_text() for path in self.container.keys.iterdir()}
            self.expect("keys that are made once", made, getattr(self, "made", made))
            self.made = made
        self.expect("keys", sorted(made), ["admin.token", "sticky.key"])

    def start_site(self, name):
        """nginx with the site that compose.yaml mounts, on the address that stands for the service."""
        (mount,) = self.services[name]["volumes"]
        site = (DOCKER / mount.partition(":")[0]).read_text()
        place = self.work / name
        place.mkdir()
        (place / "site.conf").write_text(site.replace("listen 80;", f"listen {HOSTS[name]}:80;"))
        paths = "".join(f"{kind}_temp_path {place}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (place / "nginx.conf").write_text(
            f"daemon off; pid {place}/pid; error_log {place}/error.log; events {{}}\n"
            f"http {{ access_log off; {paths} include {place}/site.conf; }}\n")
        self.start(["nginx", "-c", place / "nginx.conf"], stderr=subprocess.DEVNULL)

    def start_prometheus(self):
        config = (DOCKER / "compose/prometheus.yml").read_text().replace("/keys/", f"{self.container.keys}/")
        for mount in self.services["prometheus"]["volumes"]:
            source, target, *_ = mount.split(":")
            if source.startswith("../"):
                config = config.replace(target, str((DOCKER / source).resolve()))
        (self.work / "prometheus.yml").write_text(config)
        run("promtool", "check", "config", self.work / "prometheus.yml")
        hosts = self.container.root / "etc/hosts"
        run("mount", "--bind", hosts, "/etc/hosts")  # in this mount namespace only
        return self.start(["prometheus", f"--config.file={self.work}/prometheus.yml", f"--storage.tsdb.path={self.work}/tsdb",
                           "--web.listen-address=127.0.0.1:9090"], stderr=subprocess.DEVNULL)

    def start_gateway(self):
        log = open(self.work / "stderr", "w", encoding="utf-8")
        lines = open(self.work / "stdout", "w", encoding="utf-8")
        config = self.container.config
        self.results.check("no health before the start", "it is healthy" if self.container.is_healthy() else "")
        gateway = self.start(self.container.command([*config["Entrypoint"], *config["Cmd"]]), stdout=lines, stderr=log)
        until(self.container.is_healthy, "health", gateway)
        return gateway

    def check_rights(self, gateway):
        status = dict(line.split(":\t", 1) for line in
                      pathlib.Path(f"/proc/{gateway.pid}/status").read_text().splitlines() if ":\t" in line)
        self.expect("user", status["Uid"].split(), [self.container.config["User"].split(":")[0]] * 4)
        self.expect("no new privileges, and the sandbox", (status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.expect("capabilities", int(status["CapPrm"], 16), 0)

    def check_requests(self):
        until(lambda: get(8080)[0] == 200, "v1")
        self.expect("v1", get(8080), (200, "v1 answers\n"))
        self.expect("the canary", get(8080, fields={"X-Canary": "always"}), (200, "the canary answers\n"))

    def check_prometheus(self):
        def value(query):
            status, body = get(9090, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
            found = json.loads(body)["data"]["result"] if status == 200 else None  # it says so in plain text while it starts
            return found and float(found[0]["value"][1])
        until(lambda: value('up{job="adit"}') == 1, "Prometheus reads the metrics")
        until(lambda: (value('adit_route_requests_total{variant="canary"}') or 0) >= 1, "the canary's request is counted")
        self.results.check("Prometheus")

    def check_stop(self, gateway):
        gateway.send_signal(getattr(signal, self.container.config.get("StopSignal") or "SIGTERM"))
        self.expect("status at the end", gateway.wait(SECONDS), 0)
        lines = [json.loads(line) for line in (self.work / "stdout").read_text().splitlines()]
        self.results.check("the access log", "" if {"v1", "canary"} <= {one["variant"] for one in lines} else f"{lines}")

    def check_commands(self):
        status, text = self.container.says("version")
        self.results.check("adit version", "" if status == 0 and text.startswith("adit ") else text)
        status, text = self.container.says("demo", "--check")
        self.results.check("adit demo --check", "" if status == 0 else text)
        self.expect("what the image does not need", self.container.needless, [])

    def all(self):
        self.make_keys()
        for name in ("v1", "canary"):
            self.start_site(name)
        gateway = self.start_gateway()
        self.check_rights(gateway)
        self.check_requests()
        self.start_prometheus()
        self.check_prometheus()
        self.check_stop(gateway)
        self.check_commands()


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root, inspected = arguments
    config = json.loads(pathlib.Path(inspected).read_text())["Docker"]["config"]
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    work = tempfile.mkdtemp(prefix="adit-image-")
    pathlib.Path(work).chmod(0o755)
    run("ip", "link", "set", "lo", "up")
    proof = Proof(Container(root, config, work), services, work)
    try:
        proof.all()
    except AssertionError as problem:
        said = pathlib.Path(work, "stderr")
        proof.results.check("the story", f"{problem}\n{said.read_text() if said.exists() else ''}")
    finally:
        proof.stop()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{proof.results.passed} passed, {proof.results.failed} failed")
    return 1 if proof.results.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
