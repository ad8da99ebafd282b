"""What ingress-nginx decides, written from its documentation and its balancer, not from our importer.

A request for a host and path that have a main Ingress and a canary goes to the canary or to the main
service, in this order (https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/
annotations/#canary):

1. canary-by-header, when the request has the header: with canary-by-header-value, equal to it is the
   canary; else with canary-by-header-pattern, a match is the canary; else `always` is the canary and
   `never` the main service. Anything else decides nothing.
2. canary-by-cookie, when the request has the cookie: `always`, `never`, or nothing.
3. canary-weight of canary-weight-total (100 unless it is more), drawn: here the draw is given, as a
   number from 0 (the first to get the canary) up to but not including 1.
"""

import json
import pathlib
import random
import re
import tempfile

CASES = 30
REQUESTS_PER_CASE = 80
PREFIX = "nginx.ingress.kubernetes.io/"


def decide(annotations, headers, cookies, draw):
    """True: the canary. `headers` has lower-case names."""
    name = annotations.get("canary-by-header", "").lower().replace("_", "-")
    if name and name in headers:
        got = headers[name]
        if annotations.get("canary-by-header-value"):
            if got == annotations["canary-by-header-value"]:
                return True
        elif annotations.get("canary-by-header-pattern"):
            if re.search(annotations["canary-by-header-pattern"], got):
                return True
        elif got in ("always", "never"):
            return got == "always"
    got = cookies.get(annotations.get("canary-by-cookie", ""))
    if got in ("always", "never"):
        return got == "always"
    total = max(int(annotations.get("canary-weight-total", "100")), 100)
    return draw * total < int(annotations.get("canary-weight", "0"))


# ---- random canaries and requests -------------------------------------------------------------

HEADERS = ["X-Canary", "x-region", "X_Tenant", "Accept-Language"]
VALUES = ["always", "never", "Always", "beta", "a b", "cn-east", "\"quoted\"", "\\back", "0", ""]
PATTERNS = ["^beta$", "bet|cn-", "[0-9]+", "^.+$", "always", "(?i)ALWAYS", "\\\\", "^$", "b.{2}a"]
COOKIES = ["canary", "Canary", "beta-user", "a.b"]


def random_annotations(rng):
    """A canary's annotations, in any combination, meaningful or not. Shares are whole buckets."""
    chosen = {"canary": "true"}
    if rng.random() < 0.8:
        chosen["canary-by-header"] = rng.choice(HEADERS)
    if rng.random() < 0.3:
        chosen["canary-by-header-value"] = rng.choice(VALUES)
    if rng.random() < 0.4:
        chosen["canary-by-header-pattern"] = rng.choice(PATTERNS)
    if rng.random() < 0.6:
        chosen["canary-by-cookie"] = rng.choice(COOKIES)
    if rng.random() < 0.8:
        chosen["canary-weight"] = str(rng.choice([0, 1, 5, 50, 99, 100, 150]))
    if rng.random() < 0.4:
        chosen["canary-weight-total"] = str(rng.choice([0, 50, 100, 1000, 10000]))
    return chosen


def random_request(rng, annotations):
    """(headers, cookies, bucket): mostly such as the annotations ask about."""
    headers, cookies = {}, {}
    values = VALUES[:-1] + [value for key, value in annotations.items() if key.endswith("value") and value]
    asked = annotations.get("canary-by-header", "X-Canary").replace("_", "-")
    if rng.random() < 0.7:
        headers[asked] = rng.choice(values)
    if rng.random() < 0.3:
        headers["X-Other"] = rng.choice(values)
    if rng.random() < 0.6:
        cookies[annotations.get("canary-by-cookie", "canary")] = rng.choice(["always", "never", "other", ""])
    if rng.random() < 0.3:
        cookies["canary"] = rng.choice(["always", "never"])
    border = int(annotations.get("canary-weight", "0")) * 10000 // max(
        int(annotations.get("canary-weight-total", "100")), 100)
    bucket = rng.choice([border - 1, border, rng.randrange(10000), 0, 9999])
    return headers, cookies, min(max(bucket, 0), 9999)


def ingress(name, host, service, annotations):
    """A manifest; JSON is YAML."""
    return json.dumps({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name,
                     "annotations": {PREFIX + key: value for key, value in annotations.items()}},
        "spec": {"rules": [{"host": host, "http": {"paths": [
            {"path": "/", "pathType": "Prefix",
             "backend": {"service": {"name": service, "port": {"number": 80}}}}]}}]}})


def check_decisions(adit):
    """decisions: the imported files decide as ingress-nginx does"""
    rng = random.Random(20261122)
    cases = [(f"h{i}.example.com", random_annotations(rng)) for i in range(CASES)]
    manifests = []
    for i, (host, annotations) in enumerate(cases):
        manifests += [ingress(f"main-{i}", host, f"main-{i}", {}),
                      ingress(f"canary-{i}", host, f"canary-{i}", annotations)]
    requests, expected = [], []
    for host, annotations in cases:
        for _ in range(REQUESTS_PER_CASE):
            headers, cookies, bucket = random_request(rng, annotations)
            lower = {name.lower(): value for name, value in headers.items()}
            expected.append(decide(annotations, lower, cookies, bucket / 10000))
            fields = dict(headers)
            if cookies:
                fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
            requests.append({"url": f"http://{host}/x", "headers": fields, "bucket": bucket})
    problems = []
    with tempfile.TemporaryDirectory(prefix="adit-import-") as name:
        folder = pathlib.Path(name)
        (folder / "all.yaml").write_text("\n---\n".join(manifests), encoding="utf-8")
        done = adit.run("import", "ingress-nginx", "-o", folder, folder / "all.yaml")
        if done.returncode != 0:
            return ["import failed", *done.stderr.splitlines()[-20:]]
        done = adit.run("explain", "-c", folder / "adit.json", "--batch",
                        stdin="".join(json.dumps(request) + "\n" for request in requests))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(requests):
        return [f"{len(answers)} answers to {len(requests)} requests", done.stderr]
    canaries = 0
    for request, canary, answer in zip(requests, expected, answers):
        wanted = "canary" if canary else "v1"
        canaries += canary
        if answer.get("variant") != wanted and len(problems) < 10:
            index = int(re.search(r"h(\d+)", request["url"]).group(1))
            problems.append(f"{json.dumps(cases[index][1])} {json.dumps(request)}: ingress-nginx "
                            f"decides {wanted}, Adit {json.dumps(answer)}")
    if not len(requests) * 0.1 < canaries < len(requests) * 0.9:
        problems.append(f"only one side is tried: {canaries} of {len(requests)} are canaries")
    return problems


CHECKS = [check_decisions]
