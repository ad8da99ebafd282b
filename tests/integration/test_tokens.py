"""Attributes from tokens: who is verified is believed, whoever brings him; who is not, is nobody."""
import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tokens import (EC, ED, ISSUER, OTHER_RSA, RSA, RULES, SECRET, bearer, config, jwks, pem, takes, token)

from harness import request
from visitors import answer_names, ask, served_by


def start(bench, keys, rules=RULES, files=(), **more):
    answer_names(bench.v1, bench.canary)
    for name, content in files:
        bench.write(name, content)
    bench.start(config=config(keys, **more), rules=rules)


def with_pem(bench, rules=RULES, **more):
    start(bench, {"file": "key.pem"}, rules, [("key.pem", pem(RSA))], **more)


def test_a_token_decides_and_goes_on_untouched(bench):
    """No proxy is trusted here: a token's word is good whoever brings it."""
    bench.write("key.pem", pem(RSA))
    bench.start(config=config({"file": "key.pem"}), rules=RULES)
    client = bench.client()
    line = bearer(token())
    client.send(request("GET /a HTTP/1.1", line, "X-More: b"))
    peer = bench.canary.accept()
    got = peer.read_request()
    assert got.one("Authorization").decode() == line.partition(": ")[2], got.head
    assert got.one("X-Adit-Rule") == b"beta"


def test_it_is_verified_once_and_only_where_a_rule_needs_it(bench):
    with_pem(bench)
    made = token()
    for _ in range(5):
        assert served_by(bench, bearer(made), target="/static/x") == "v1"
    for _ in range(4):
        assert takes(bench, made)
    assert not takes(bench, token(realm_access={"roles": ["staff"]}))
    assert served_by(bench) == "v1"  # nobody
    counts = bench.counters()
    assert (counts["tokens_verified"], counts["tokens_cached"]) == (2, 3), counts


def test_claims_have_types(bench):
    with_pem(bench, {"rules": [
        {"id": "new", "when": {"user.registered_at": {"after": "2026-01-01"}}, "to": "canary"}]})
    assert served_by(bench, bearer(token())) == "canary"
    assert served_by(bench, bearer(token(created_at="2025-03-04"))) == "v1"
    assert served_by(bench, bearer(token(created_at=1772582400))) == "canary"
    assert served_by(bench, bearer(token(created_at="soon"))) == "v1"
    assert served_by(bench, bearer(token(created_at={"a": 1}))) == "v1"


def test_the_split_follows_the_subject(bench):
    with_pem(bench, {"default": {"split": {"canary": 50}}, "sticky": {"by": ["user.id"], "cookie": False}})
    names = {f"u-{i}": served_by(bench, bearer(token(sub=f"u-{i}"))) for i in range(12)}
    assert set(names.values()) == {"v1", "canary"}
    for user, name in names.items():
        assert served_by(bench, bearer(token(sub=user, jti="another"))) == name


def b64(text):
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def forged(header, **claims):
    """The parts of a right token under another header."""
    _, payload, signature = token(**claims).split(".")
    return f"{b64(json.dumps(header).encode())}.{payload}.{signature}"


def der(made):
    """The signature of ES256 as OpenSSL writes it, which is not how a token has it."""
    head, _, signature = made.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    return f"{head}.{b64(encode_dss_signature(int.from_bytes(raw[:32], 'big'), int.from_bytes(raw[32:], 'big')))}"


def lists(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def hmac_by_public_key():
    """What a verifier takes that lets the token say how it is to be verified."""
    header = b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    head = f"{header}.{token().split('.')[1]}"
    return f"{head}.{b64(hmac.new(pem(RSA).encode(), head.encode(), hashlib.sha256).digest())}"


def test_what_is_refused(bench):
    start(bench, {"file": "keys.json"}, files=[("keys.json", jwks(r=RSA, e=EC))], algorithms=["RS256", "ES256"])
    now = int(time.time())
    good_es = token(EC, "ES256", "e")
    refused = {
        "tokens_wrong_algorithm": [
            forged({"alg": "none"}), forged({"alg": "nOnE"}),
            token(SECRET, "HS256"), hmac_by_public_key(), token(RSA, "PS256", "r"), token(ED, "EdDSA")],
        "tokens_unknown_key": [
            token(kid="x"), token(kid="../../etc/passwd"), token(kid="r' OR '1'='1"), token(kid="r" * 2000)],
        "tokens_wrong_signature": [
            token(OTHER_RSA, kid="r"), der(good_es), good_es[:-6], good_es + "AAAA",
            good_es.rpartition(".")[0] + ".", token()[:-4] + "AAAA"],
        "tokens_expired": [token(exp=now - 61), token(exp=1), token(exp=-5)],
        "tokens_early": [token(nbf=now + 120)],
        "tokens_foreign": [
            token(iss=ISSUER + ".evil"), token(iss=None), token(aud="other"), token(aud=None), token(aud=["a", 1])],
        "tokens_malformed": [
            token(**{f"c{i}": i for i in range(1000)})[:30000], "x", "a.b", "a.b.c", "a.b.c.d", "." * 2000, "",
            forged({"alg": ["RS256"]}), forged({"alg": "RS256", "crit": ["exp"]}), "\xff\xfe",
            b64(b"[" * 4000) + ".e30.e30", b64(b'{"a":' * 1000) + ".e30.e30",
            b64(b'{"alg":"RS256","alg":"none"}') + ".e30.e30", token(nested="x" * 9000),
            token(nested=lists(17)), token(**{f"c{i}": i for i in range(130)}), token(exp="soon")],
    }
    assert takes(bench, token(kid="r")) and takes(bench, good_es) and takes(bench, token(exp=now - 50))
    for name, tokens in refused.items():
        for each in tokens:
            assert not takes(bench, each), (name, each[:100])
    answer = ask(bench, bearer(token()), "Authorization: Basic eDp5")
    assert answer.body == b"v1"
    counts = bench.counters()
    for name, tokens in refused.items():
        assert counts[name] == len(tokens) + (name == "tokens_malformed"), (name, counts)


def test_a_token_of_100_kb(bench):
    """Where heads may be that large, it is still no token."""
    bench.write("key.pem", pem(RSA))
    answer_names(bench.v1, bench.canary)
    described = config({"file": "key.pem"})
    bench.start(config={**described, "limits": {"header_bytes": "256KiB"}}, rules=RULES)
    assert not takes(bench, token(long="x" * 75000))
    assert not takes(bench, "A" * 100000)
    assert takes(bench, token())
    assert bench.counters()["tokens_malformed"] == 2


def test_caches_are_told(bench):
    """What a rule can read of a token makes the answer another for other tokens."""
    with_pem(bench, {**RULES, "vary": True})
    assert ask(bench, bearer(token())).one("Vary") == b"Authorization, X-Canary"


def test_bad_tokens_drive_no_good_one_out(bench):
    with_pem(bench, cache={"entries": 10})
    good = token()
    assert takes(bench, good)
    parts = good.split(".")
    client = bench.client()
    for i in range(100):
        # The end is that of the good one.
        for _ in range(2):
            client.send(request("GET / HTTP/1.1", bearer(f"{parts[0]}.{parts[1]}x{i:06}.{parts[2]}")))
            assert client.read_response().body == b"v1"
    assert takes(bench, good)
    counts = bench.counters()
    assert (counts["tokens_verified"], counts["tokens_wrong_signature"], counts["tokens_cached"]) == (1, 200, 101), counts


def test_secrets_and_cookies(bench):
    bench.write("secret", SECRET + "\n")
    start(bench, {"secret_file": "secret"}, algorithms=["HS256"], **{"from": {"cookie": "session"}})
    made = token(SECRET, "HS256")
    assert served_by(bench, f"Cookie: a=b; session={made}") == "canary"
    assert served_by(bench, f"Cookie: session={made}", "Cookie: session=x") == "v1"
    assert served_by(bench, bearer(made)) == "v1"
    assert served_by(bench, f"Cookie: session={token(SECRET + 'x', 'HS256')}") == "v1"


def test_a_header_of_its_own(bench):
    with_pem(bench, **{"from": {"header": "X-Access-Token"}})
    made = token()
    assert served_by(bench, f"X-Access-Token: {made}") == "canary"
    assert served_by(bench, f"X-Access-Token: {made}", f"X-Access-Token: {made}") == "v1"
    assert served_by(bench, bearer(made)) == "v1"
    # It cannot be named away.
    assert served_by(bench, f"X-Access-Token: {made}", "Connection: close, X-Access-Token") == "canary"


def test_401(bench):
    with_pem(bench, on_invalid="401")
    assert takes(bench, token()) and served_by(bench) == "v1"
    client = bench.client()
    client.send(request("GET / HTTP/1.1", bearer(token(exp=1))))
    answer = client.read_response()
    assert answer.status == 401 and answer.body == b"adit: the token has expired\n"
    assert answer.one("WWW-Authenticate") == (b'Bearer realm="adit", error="invalid_token", '
                                              b'error_description="the token has expired"')
    client.send(request("GET / HTTP/1.1", bearer(token())))  # the connection goes on
    assert client.read_response().body == b"canary"
    assert ask(bench, bearer(token()), bearer(token())).status == 401
    assert ask(bench, bearer(token(exp=1)), target="/static/x").status == 401  # no rule needs it
    counts = bench.counters()
    assert counts["tokens_answered"] == 3, counts


def test_401_without_a_token(bench):
    with_pem(bench, on_invalid="401", on_absent="401")
    answer = ask(bench)
    assert answer.status == 401 and answer.body == b"adit: the request has no token\n"
    assert answer.one("WWW-Authenticate") == b'Bearer realm="adit"'
    assert ask(bench, "Authorization: Basic eDp5").status == 401
    assert takes(bench, token())


def test_expiry_may_be_required(bench):
    with_pem(bench)
    assert takes(bench, token(exp=None))
    bench.write_files(config({"file": "key.pem"}, require_exp=True), RULES)
    bench.gateway.reload()
    assert not takes(bench, token(exp=None)) and takes(bench, token())


def test_a_reload_reads_keys_again(bench):
    with_pem(bench)
    assert takes(bench, token()) and not takes(bench, token(OTHER_RSA))
    bench.write("key.pem", pem(OTHER_RSA))
    bench.gateway.reload()
    assert not takes(bench, token()) and takes(bench, token(OTHER_RSA))
    bench.write("key.pem", "nothing of use")
    said = bench.gateway.reload()
    assert any("key.pem: error: the file is neither a PEM public key nor a JWKS" in line for line in said), said
    assert takes(bench, token(OTHER_RSA))
