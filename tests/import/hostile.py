"""Manifests that mean harm: each must end soon, in little memory, and say what is wrong."""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

SECONDS_MAX = 60          # of processor time, under the sanitizers
KIBIBYTES_MAX = 1 << 20  # of memory, likewise
HEAD = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\n"
PATH = "{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}"


def run(adit, text):
    """(status, stderr) of importing `text`; one that takes more than SECONDS_MAX is ended."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
    with tempfile.TemporaryDirectory(prefix="adit-import-") as name:
        path = pathlib.Path(name) / "in.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        done = subprocess.run([adit.binary, "import", "ingress-nginx", "-o", "out", "in.yaml"],
                              cwd=name, capture_output=True, preexec_fn=limit, check=False)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # the largest until now
        if used > KIBIBYTES_MAX:
            return None, f"it has taken {used} KiB"
        return done.returncode, done.stderr.decode("utf-8", "replace")


def refused(adit, text, *messages):
    """What is wrong when `text` is not refused with each of the messages."""
    status, said = run(adit, text)
    problems = [f"nothing says {message!r}" for message in messages if message not in said]
    if status != 1:
        problems.append(f"exit status {status}")
    return problems and [*problems, *said.splitlines()[:10]]


def check_laughs(adit):
    """hostile: a billion laughs"""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for one, before in zip("bcdefghij", "abcdefghi"):
        lines.append(f"{one}: &{one} [" + ", ".join([f"*{before}"] * 10) + "]")
    return refused(adit, "\n".join(lines) + "\n", "values in one file, aliases written out")


def check_rules_times_paths(adit):
    """hostile: aliases that make many paths of few lines"""
    text = HEAD + "spec:\n  rules:\n" + "  - &r {host: a.example.com, http: {paths: [" + \
        ", ".join([PATH] * 300) + "]}}\n" + "  - *r\n" * 200
    return refused(adit, text, "more than 20000 paths")


def check_deep_aliases(adit):
    """hostile: aliases that nest each other deeper than a file could"""
    lines = ["- &a0 {apiVersion: v1, kind: List, items: []}"]
    lines += [f"- &a{i} {{apiVersion: v1, kind: List, items: [*a{i - 1}]}}" for i in range(1, 900)]
    return refused(adit, "\n".join(lines) + "\n", "nested more than 64 levels deep")


def check_deep(adit):
    """hostile: a hundred thousand brackets"""
    return refused(adit, "a: " + "[" * 100000, "nested more than 64 levels deep")


def check_deep_blocks(adit):
    """hostile: a thousand levels of indentation"""
    text = "".join("  " * i + "a:\n" for i in range(1000))
    return refused(adit, text, "nested more than 64 levels deep")


def check_values(adit):
    """hostile: ten megabytes of list items"""
    return refused(adit, "items:\n" + "- a\n" * 2500000, "more than 1000000 values in one file")


def check_long_text(adit):
    """hostile: ten megabytes in one text"""
    return refused(adit, "a: '" + "x" * (10 << 20) + "'\n", "the object has no 'kind'")


def check_key(adit):
    """hostile: a map of two hundred thousand keys, one twice"""
    text = "".join(f"key{i}: 1\n" for i in range(200000)) + "key77: 1\n"
    return refused(adit, text, "duplicate key 'key77', as in line 78")


def check_anchors(adit):
    """hostile: more anchors than anybody needs"""
    return refused(adit, "".join(f"- &a{i} x\n" for i in range(1001)), "more than 1000 anchors")


def check_long_path(adit):
    """hostile: a path of a megabyte, many times"""
    long = "&p {path: /" + "x" * (1 << 20) + ", backend: {service: {name: a, port: {number: 80}}}}"
    text = HEAD + "spec: {rules: [{http: {paths: [" + long + ", *p" * 10000 + "]}}]}\n"
    return refused(adit, text, "a path of more than 1024 bytes", "and 9801 more")


def check_circle(adit):
    """hostile: an anchor within itself"""
    return refused(adit, "a: &a [*a]\n", "in.yaml:1:8: error: ")


def check_wide(adit):
    """hostile: UTF-16"""
    status, said = run(adit, (HEAD + "spec: {}\n").encode("utf-16"))
    return [] if status in (0, 1) and said else [f"exit status {status}", said]


def check_one_broken(adit):
    """hostile: a document that breaks between two good ones"""
    good = HEAD + "spec: {rules: [{http: {paths: [" + PATH + "]}}]}\n"
    return refused(adit, good + "---\na: ]\n---\n" + good, "in.yaml:6:4: error: not YAML")


STRANGE = [None, True, -1, 1e99, "", "x", "é\U0001F600", "a" * 5000, [], {}, [[]], [None], {"": None}, {"a": [{}]}]
WHOLE = {
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
    "metadata": {"name": "x", "namespace": "y", "annotations": {
        "nginx.ingress.kubernetes.io/" + name: value for name, value in (
            ("canary", "true"), ("canary-weight", "7"), ("canary-weight-total", "10"), ("canary-by-header", "X"),
            ("canary-by-header-pattern", "a+"), ("canary-by-cookie", "c"), ("affinity", "cookie"))}},
    "spec": {"ingressClassName": "nginx", "tls": [{"hosts": ["a.example.com"]}],
             "defaultBackend": {"service": {"name": "d", "port": {"number": 80}}},
             "rules": [{"host": "a.example.com", "http": {"paths": [
                 {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"name": "p"}}}}]}}]}}


def replaced(node, wanted, new, at=()):
    """A copy of `node` with what stands at `wanted` left out (new is Ellipsis) or replaced."""
    if at == wanted:
        return new
    if isinstance(node, dict):
        return {key: value for key, old in node.items()
                if (value := replaced(old, wanted, new, (*at, key))) is not ...}
    if isinstance(node, list):
        return [value for i, old in enumerate(node) if (value := replaced(old, wanted, new, (*at, i))) is not ...]
    return node


def places(node, at=()):
    yield at
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*at, key))


def check_any_shape(adit):
    """hostile: an Ingress and its canary, with anything in the place of anything, or without it"""
    stable = replaced(replaced(WHOLE, ("metadata", "annotations"), ...), ("metadata", "name"), "stable")
    for number, place in enumerate(one for one in places(WHOLE) if one):
        for new in (..., *STRANGE[number % 3::3]):
            text = f"---\n{json.dumps(stable)}\n---\n{json.dumps(replaced(WHOLE, place, new))}\n"
            status, said = run(adit, text)
            if status not in (0, 1) or status == 1 and "in.yaml:" not in said:
                return [f"{place} {new!r}: exit status {status}", *said.splitlines()[:10]]
    return []


def check_size(adit):
    """hostile: a file of more than 16 MiB"""
    return refused(adit, "#" * ((16 << 20) + 1), "larger than 16777216 bytes")


def check_documents(adit):
    """hostile: twenty thousand documents, each broken"""
    return refused(adit, "---\na: ]\n" * 20000, "not YAML", "and 19800 more")


def check_garbage(adit):
    """hostile: bytes that are no text"""
    return refused(adit, bytes(range(256)) * 4000, "not YAML")


def check_one_line(adit):
    """hostile: two thousand Ingresses in one line of JSON"""
    item = lambda i: {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                      "metadata": {"name": f"i{i}", "annotations": {"é" * 500: "é" * 500}},
                      "spec": {"rules": [{"host": f"h{i}.example.com", "http": {"paths": [
                          {"path": "/", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}
    status, said = run(adit, json.dumps({"apiVersion": "v1", "kind": "List",
                                         "items": [item(i) for i in range(2000)]}, ensure_ascii=False))
    return [] if status == 0 else [f"exit status {status}", *said.splitlines()[:10]]


def check_one_name(adit):
    """hostile: eight thousand paths that would have one name"""
    paths = ["/" + "".join("a" + ("/" if i >> bit & 1 else "-") for bit in range(13)) + "z"
             for i in range(1 << 13)]
    text = HEAD + "spec:\n  rules:\n  - http:\n      paths:\n" + "".join(
        f"      - {{path: {path}, backend: {{service: {{name: a, port: {{number: 80}}}}}}}}\n"
        for path in paths)
    status, said = run(adit, text)
    return [] if status == 0 else [f"exit status {status}", *said.splitlines()[:10]]


def check_many(adit):
    """hostile: five thousand Ingresses, half of them canaries, are imported"""
    pieces = []
    for i in range(2500):
        for suffix, note in (("", ""), ("-c", "annotations: {nginx.ingress.kubernetes.io/canary: "
                                              "'true', nginx.ingress.kubernetes.io/canary-weight: '7'}")):
            pieces.append(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
                f"metadata: {{name: i{i}{suffix}, {note}}}\n"
                f"spec: {{rules: [{{host: h{i}.example.com, http: {{paths: [{{path: /, "
                f"backend: {{service: {{name: s{i}{suffix}, port: {{number: 80}}}}}}}}]}}}}]}}\n")
    began = time.monotonic()
    status, said = run(adit, "---\n".join(pieces))
    if status != 0:
        return [f"exit status {status} after {time.monotonic() - began:.0f} s", *said.splitlines()[:10]]
    return []


CHECKS = [value for name, value in sorted(vars(sys.modules[__name__]).items())
          if name.startswith("check_")]
