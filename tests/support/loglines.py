"""Lines of the access log, made of requests and the decisions that 'adit explain --batch --trace' gives them.

It knows what the gateway would have looked at by the trace, and takes the values from the request: an independent
way to what src/gateway writes.
"""
import datetime
import json
import subprocess
import urllib.parse

FIELDS = ("method", "scheme", "host", "path", "query", "client_ip", "now", "now.weekday", "now.time")


def config_hash(adit, config, cwd):
    """The hash of the files, which a decided line tells when it is compared."""
    line = line_of({"url": "http://no.example/"}, {"route": None, "variant": None, "rule": None, "reason": "no_route",
                                                   "bucket": None, "rules": []}, {}, [], "?")
    done = subprocess.run([adit, "explain", "-c", config, "--from-log", line], cwd=cwd, capture_output=True, check=False)
    for shown in done.stdout.decode().splitlines():
        if shown.startswith("config ") and " here" in shown:
            return shown.split(":")[1].split()[0]
    raise AssertionError(done)


def decide(adit, config, requests, cwd, rules=()):
    """The answers of batch, with their traces."""
    args = [adit, "explain", "-c", config, "--batch", "--trace"]
    for rule in rules:
        args += ["--rules", rule]
    raw = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(args, cwd=cwd, input=raw.encode(), capture_output=True, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def looked_at(decision, keys):
    names = {condition["attribute"] for rule in decision["rules"] for condition in rule["conditions"]}
    names |= {name[:-4] for name in names if name.endswith(".age")}
    if decision["bucket"] is not None:
        names |= set(keys)
    return sorted(name for name in names if name not in FIELDS and not name.endswith(".age"))


def value_of(name, request, sources):
    """As the log has it: a text, several, or None. `sources`: attribute → header."""
    header = sources.get(name, name[7:] if name.startswith("header.") else None)
    if header is None:
        if name.startswith("query."):
            query = urllib.parse.urlsplit(request["url"]).query
            found = urllib.parse.parse_qs(query, keep_blank_values=True).get(name[6:], [])
        else:
            found = [pair.split("=", 1)[1] for field in headers(request, "cookie") for pair in field.split("; ")
                     if pair.split("=", 1)[0] == name[7:]]
    else:
        found = headers(request, header)
    return None if not found else found[0] if len(found) == 1 else found


def headers(request, name):
    return [value for key, value in request.get("headers", []) if key.lower() == name.lower()]


def cookie_of(request, decision):
    if decision["reason"] == "pinned":
        return "valid"
    return "absent" if decision["bucket"] is not None else "not_read"


def line_of(request, decision, sources, keys, config, **changes):
    """The line, as text without its newline."""
    url = urllib.parse.urlsplit(request["url"])
    now = request.get("now", "2026-03-01T12:00:00.000Z")
    cookie = cookie_of(request, decision)
    line = {
        "time": now, "client_ip": request.get("client_ip", "127.0.0.1"), "method": request.get("method", "GET"),
        "scheme": url.scheme, "host": url.hostname, "path": url.path or "/",
        "query": url.query if "?" in request["url"] else None, "protocol": "HTTP/1.1", "user_agent": "made/1.0",
        "referer": None, "request_id": None, "status": 200, "end": "complete", "error": None, "bytes_received": 0,
        "bytes_sent": 512, "duration_ms": 12.345, "first_byte_ms": 12.001, "connect_ms": None,
        "upstream": "shop-v1", "endpoint": "127.0.0.1:9001", "retries": 0, "route": decision["route"],
        "variant": decision["variant"], "rule": decision["rule"], "reason": decision["reason"],
        "bucket": decision["bucket"], "config": config, "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "now": now, "cookie": cookie, "pin": request.get("pin") if cookie == "valid" else None,
        "decided": decision["variant"], "decided_reason": decision["reason"],
        "override": None,
        "attributes": {name: value_of(name, request, sources) for name in looked_at(decision, keys)},
    }
    line.update(changes)
    return json.dumps(line, separators=(",", ":"))


def moment(seconds):
    """An instant of 2026 as the log writes it."""
    at = datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + "250Z"
