"""docs/monitoring: the dashboard and the alerts, against a real Prometheus that scrapes a gateway which things happen to."""
import json
import pathlib
import re
import resource
import subprocess
import threading

from admin import ADMIN, ask
from harness import Task, request, response
from prometheus import Prometheus, wait_for

HERE = pathlib.Path(__file__).resolve().parent
MONITORING = HERE.parent.parent / "docs/monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
SLOW_SECONDS = 1.0
CONFIG = {
    **ADMIN, "workers": 2, "access_log": {"path": "access.log"}, "rules": ["shop.json", "late.json"],
    "upstreams": {
        "shop-canary": {"health_check": {"path": "/healthz", "interval": "300ms", "timeout": "300ms", "unhealthy": 3, "healthy": 1}},
        "shop-v1": {"circuit_breaker": {"max_requests": 2, "max_pending": 0}}}}
LATE = {"route": "late", "match": {"hosts": ["late.example.com"]}, "state": "full", "stable": "v1",
        "variants": {"v1": "shop-v1", "canary": "shop-canary"}}
RULES = {"rules": [{"id": "beta", "when": {"header.x-beta": "1"}, "to": "canary"}], "default": {"split": {"canary": 10}}}


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries():
    """[panel's title, expression with its variables set]"""
    found = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    set_to = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*", "$route": ".*"}
    for variable, value in set_to.items():
        found = [(title, text.replace(variable, value)) for title, text in found]
    assert not [text for _, text in found if "$" in text]
    return found


def names_in(text):
    """The metrics that an expression reads, without those that rules record."""
    return set(re.findall(r"\b(adit_[a-z0-9_]+)", text))


# ---- what needs no gateway


def test_dashboard_is_well_formed(bench):
    """What Grafana asks of a dashboard, so far as it can be said without one."""
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["title"] and DASHBOARD["uid"] and DASHBOARD["id"] is None
    inputs = {one["name"] for one in DASHBOARD["__inputs"]}
    text = json.dumps(DASHBOARD)
    assert set(re.findall(r"\$\{(DS_\w+)\}", text)) == inputs == {"DS_PROMETHEUS"}
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    used = set(re.findall(r"\$(?!__)\{?(\w+)", text)) - inputs
    assert used == set(variables), used
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) and min(ids) > 0
    assert {panel["type"] for panel in DASHBOARD["panels"]} == {"row"} | {one["id"] for one in DASHBOARD["__requires"] if one["type"] == "panel"}
    cells = {}
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24 and at["w"] > 0 and at["h"] > 0, panel["title"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in cells, f"{panel['title']} lies over {cells[cell]}"
            cells[cell] = panel["title"]
    for panel in panels():
        assert panel["title"] and panel["fieldConfig"]["defaults"]["unit"], panel
        assert panel["datasource"]["uid"] == "${datasource}"
        references = [target["refId"] for target in panel["targets"]]
        assert references and len(set(references)) == len(references), panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" and target["expr"] for target in panel["targets"])
    assert len(queries()) >= 40


def test_alerts_in_time(bench):
    """How long each alert waits, what it says, and what does not make it fire."""
    for command in (["check", "rules", MONITORING / "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        ran = subprocess.run(["promtool", *command], cwd=HERE / "monitoring", capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    alerts = re.findall(r"alert: (\w+)", (MONITORING / "alerts.yml").read_text(encoding="utf-8"))
    tested = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", (HERE / "monitoring/alerts.test.yml").read_text(encoding="utf-8"))
    assert set(tested) == set(alerts) and len(alerts) == len(set(alerts))
    assert re.findall(r"^\| `(Adit\w+)` \|", (MONITORING / "README.md").read_text(encoding="utf-8"), re.M) == alerts


# ---- with a gateway that is scraped


class Shop:
    """A gateway's two versions, which behave as they are told, and their visitors."""

    def __init__(self, bench):
        self.bench, self.status, self.well = bench, "200 OK", True
        self.held, self.slow, self.left = threading.Event(), threading.Event(), threading.Event()
        bench.v1.serve(self.stable)
        bench.canary.serve(self.canary)
        bench.write("late.json", LATE)
        bench.start(config=CONFIG, rules=RULES)
        assert ask(bench, "PUT /api/v1/routes/shop/state", body=b'{"state":"on"}').status == 200

    def stable(self, got):
        if got.target == b"/held":
            self.held.wait()
        return response()

    def canary(self, got):
        if got.target == b"/healthz":
            return response("200 OK" if self.well else "503 Service Unavailable")
        if got.target == b"/held":
            self.left.wait()
        if got.target == b"/slow":
            self.slow.wait(SLOW_SECONDS)  # what is timed must take its time
        return response(self.status)

    def visit(self, target="/", *lines):
        client = self.bench.client()
        client.send(request(f"GET {target} HTTP/1.1", *lines))
        status = client.read_response().status
        client.sock.close()
        return status

    def visit_often(self, *requests):
        client = self.bench.client()
        client.send(b"".join(requests) * 20)
        for _ in range(20 * len(requests)):
            client.read_response()
        client.sock.close()

    def leave_often(self):
        """So many that come and go before the canary has answered, where nobody else comes."""
        clients = [self.bench.client() for _ in range(30)]
        for client in clients:
            client.send(request("GET /held HTTP/1.1", "Host: late.example.com"))
        wait_for(lambda: sum(got.target == b"/held" for got in list(self.bench.canary.requests)) == 30, lambda: "they do not come")
        for client in clients:
            client.reset()
        self.left.set()

    def visit_all(self):
        """So often that some decisions are timed."""
        self.visit_often(request(), request("GET / HTTP/1.1", "X-Beta: 1"))

    def visit_late(self):
        self.visit_often(request("GET / HTTP/1.1", "Host: late.example.com"))


def check_names(bench, prometheus):
    """Every metric that is read is one of /metrics, and Prometheus has it."""
    text = "\n".join(expression for _, expression in queries())
    text += "\n".join(rule["query"] for rule in prometheus.rules())
    text += "\n".join(one.get("definition", "") for one in DASHBOARD["templating"]["list"])
    said = ask(bench, "GET /metrics").body.decode()
    samples = set(re.findall(r"^(adit_\w+)", said, re.M))
    assert names_in(text) <= samples, names_in(text) - samples
    assert names_in(text) <= prometheus.names()
    assert len(names_in(text)) > 40


def check_variables(prometheus):
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            for before in ("$job", "$instance"):
                selector = selector.replace(before, ".*")
            assert prometheus.ask(f"label/{label}/values", **{"match[]": selector}), variable["name"]


def check_good_state(shop, prometheus):
    """All queries have data, all rules can be evaluated, and no alert fires but what a machine that is busy may bring about."""
    wait_for(lambda: prometheus.query("up == 1"), lambda: "nothing is scraped")  # it begins five seconds after its start
    left = dict.fromkeys(queries())

    def all_have_data():
        shop.visit_all()
        for query in list(left):
            if prometheus.query(query[1]):
                del left[query]
        return not left
    wait_for(all_have_data, lambda: f"no data: {list(left)}")
    wait_for(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), prometheus.rules)
    recorded = [rule["name"] for rule in prometheus.rules() if rule["type"] == "recording"]
    assert len(recorded) == 4

    def variants_of(name):
        return {dict(labels)["variant"] for labels in prometheus.query(name)}
    for name in recorded:
        wait_for(lambda: shop.visit_all() or variants_of(name) == {"v1", "canary"}, lambda: name)
    assert not set(prometheus.firing()) & {"AditVariantFails", "AditVariantUnanswered", "AditCanaryWorseThanStable", "AditReloadFailed", "AditAccessLogLosesLines", "AditOverloaded"}
    # Whether it may fire is for test_alerts_in_time: no worker can be made to stand still at will.
    lag = next(rule["query"] for rule in prometheus.rules() if rule["name"] == "AditLoopLag")
    assert len(prometheus.query(lag.rpartition(" > ")[0])) == 2


def make_canary_bad(shop, prometheus):
    def visit_slow():
        for visitor in [Task(lambda: shop.visit("/slow", "X-Beta: 1")) for _ in range(30)]:
            visitor.result()
    def canary_of(labels):
        assert labels["variant"] == "canary"
        return labels["route"]
    for alert in ("AditCanarySlowerThanStable", "AditVariantSlow"):
        assert canary_of(prometheus.wait_firing(alert, visit_slow)) == "shop"
    shop.leave_often()
    assert canary_of(prometheus.wait_firing("AditVariantUnanswered")) == "late"
    shop.status = "500 Internal Server Error"
    # Whose errors are the first there ever were, with no request after; whose stable has none to compare with.
    for _ in range(2):
        shop.visit_late()
    assert canary_of(prometheus.wait_firing("AditVariantFails")) == "late"
    assert "AditCanaryWorseThanStable" not in prometheus.fired
    assert canary_of(prometheus.wait_firing("AditCanaryWorseThanStable", shop.visit_all)) == "shop"
    shop.well = False
    assert prometheus.wait_firing("AditNoUsableEndpoint")["upstream"] == "shop-canary"
    assert prometheus.wait_firing("AditCanaryFailsOver", shop.visit_all)["upstream"] == "shop-canary"


def make_gateway_bad(shop, prometheus):
    bench = shop.bench
    pid = bench.gateway.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]))
    prometheus.wait_firing("AditAccessLogLosesLines", shop.visit_all)
    held = [Task(lambda: shop.visit("/held")) for _ in range(2)]
    wait_for(lambda: sum(got.target == b"/held" for got in list(bench.v1.requests)) == 2, lambda: "nobody is held")
    prometheus.wait_firing("AditOverloaded", shop.visit)
    shop.held.set()
    assert [one.result() for one in held] == [200, 200]
    bench.write("shop.json", "{ nonsense")
    bench.gateway.reload()
    prometheus.wait_firing("AditReloadFailed")


def test_dashboard_and_alerts(bench):
    shop = Shop(bench)
    prometheus = Prometheus(bench, MONITORING / "alerts.yml")
    try:
        check_good_state(shop, prometheus)
        check_names(bench, prometheus)
        check_variables(prometheus)
        make_canary_bad(shop, prometheus)
        make_gateway_bad(shop, prometheus)
        bench.stop()
        prometheus.wait_firing("AditDown")
        alerts = {rule["name"] for rule in prometheus.rules() if rule["type"] == "alerting"}
        # This shop asks for no tokens, and no worker can be made to stand still: test_alerts_in_time has these.
        assert alerts - prometheus.fired <= {"AditLoopLag", "AditTokensUnjudged"}
        assert prometheus.holds == len(alerts)
    finally:
        shop.held.set()
        shop.left.set()
        prometheus.stop()
