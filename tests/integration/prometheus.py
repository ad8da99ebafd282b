"""prometheus: a real one that scrapes a bench's gateway five times a second and evaluates alerts as often."""
import json
import math
import pathlib
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from admin import admin_port
from harness import DEADLINE

EVERY = "200ms"


class Prometheus:
    """With the rules of a file, whose alerts need not hold for any time to fire."""

    def __init__(self, bench, rules):
        self.directory = pathlib.Path(bench.directory.name)
        text, holds = re.subn(r"^( +for: ).*$", r"\g<1>0s", rules.read_text(encoding="utf-8"), flags=re.M)
        self.holds = holds
        self.fired = set()
        bench.write("rules.yml", text)
        bench.write("prometheus.yml", json.dumps({  # YAML, too
            "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "adit", "static_configs": [{"targets": [f"127.0.0.1:{admin_port(bench)}"]}]}]}))
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:0"],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines, self.news, self.ended = [], threading.Condition(), False
        threading.Thread(target=self.read_stderr, daemon=True).start()
        self.address = self.wait_line(r'msg="Listening on" address=(\S+)')[1]
        self.wait_line("Server is ready")

    def read_stderr(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def wait_line(self, pattern):
        def find():
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)
        with self.news:
            self.news.wait_for(lambda: find() or self.ended, DEADLINE)
            assert find(), "".join(self.lines[-20:])
            return find()

    def ask(self, path, **query):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from None

    def query(self, expression):
        """{labels as a tuple of pairs: value} of what has a value."""
        found = self.ask("query", query=expression)
        assert found["resultType"] == "vector", expression
        values = {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found["result"]}
        return {labels: value for labels, value in values.items() if not math.isnan(value)}

    def names(self):
        return set(self.ask("label/__name__/values"))

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def firing(self):
        """{alert: labels} of those that fire."""
        return {one["labels"]["alertname"]: one["labels"] for one in self.ask("alerts")["alerts"] if one["state"] == "firing"}

    def wait_firing(self, alert, act=lambda: None):
        """Its labels, when it fires; until then act() again and again."""
        def look():
            act()
            found = self.firing()
            self.fired |= set(found)
            return found.get(alert)
        return wait_for(look, lambda: f"{alert} does not fire: {self.rules()}")

    def stop(self):
        self.process.kill()
        self.process.wait()


def wait_for(ask, why):
    """What ask() gives, as soon as it is something."""
    deadline = time.monotonic() + DEADLINE
    while not (found := ask()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)
    return found
