"""tokens: an issuer of tokens, made by PyJWT and cryptography, and its key set behind a URL."""
import json
import queue
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from messages import message
from peers import DEADLINE
from visitors import served_by

ISSUER = "https://id.example"
SECRET = "an integration test's secret of 32 bytes or more"
# Made once: a key of RSA takes a while.
RSA, OTHER_RSA = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
EC, ED = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def jwk(key, kid):
    algorithms = jwt.algorithms
    maker = (algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey)
             else algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else algorithms.OKPAlgorithm)
    return {**json.loads(maker.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def jwks(**keys):
    return json.dumps({"keys": [jwk(key, kid) for kid, key in keys.items()]})


def token(key=RSA, alg="RS256", kid=None, **claims):
    """As Keycloak makes them; a claim that is None is left out."""
    now = int(time.time())
    said = {"iss": ISSUER, "aud": ["shop", "account"], "sub": "u-17", "exp": now + 300, "iat": now,
            "realm_access": {"roles": ["beta", "offline_access"]}, "created_at": "2026-03-04", **claims}
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, key, algorithm=alg, headers={"kid": kid} if kid else None)


def bearer(made):
    return f"Authorization: Bearer {made}"


def config(keys, **more):
    """The attributes of tokens, and how they are verified."""
    return {
        "attributes": {
            "user.id": {"type": "string", "from": [{"jwt": "sub"}]},
            "user.roles": {"type": "string", "from": [{"jwt": "realm_access.roles"}]},
            "user.registered_at": {"type": "time", "from": [{"jwt": "created_at"}]},
        },
        "jwt": {"keys": keys, "algorithms": ["RS256"], "issuer": ISSUER, "audience": "shop", **more},
    }


RULES = {"rules": [
    {"id": "static", "when": {"path": {"under": "/static"}}, "to": "v1"},
    {"id": "beta", "when": {"user.roles": "beta"}, "to": "canary"},
]}


def takes(bench, made, **more):
    """Whether a token is believed: its holder is of the beta testers."""
    return served_by(bench, bearer(made), **more) == "canary"


class KeyServer:
    """What stands behind the URL of keys. Each request waits for an answer that the test gives."""

    def __init__(self, bench, *answers):
        self.origin = bench.origin("keys")
        self.url = f"http://{self.origin.address}/keys?x=1"
        self.answers = queue.Queue()
        for each in answers:
            self.answers.put(each)
        self.origin.serve(lambda head: self.answers.get(timeout=DEADLINE))

    def give(self, answered):
        self.answers.put(answered)

    def asked(self):
        return len(self.origin.requests)


def answer(body, *lines, status="200 OK"):
    return message(f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, body=body)
