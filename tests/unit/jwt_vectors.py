#!/usr/bin/env python3
"""Writes jwt_vectors.h: keys and tokens for test_jwt.c, made by PyJWT and cryptography, not by the
code under test. The keys are made anew each time and used nowhere else:

    tests/unit/jwt_vectors.py > tests/unit/jwt_vectors.h && clang-format -i tests/unit/jwt_vectors.h
"""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils

NOW = 1_700_000_000
SECRET = "0123456789abcdef" * 4
CLAIMS = {"iss": "https://id.example", "aud": ["shop", "other"], "sub": "u-17", "exp": NOW + 300, "nbf": NOW - 300,
          "level": 7, "staff": True, "realm_access": {"roles": ["staff", "beta"]}, "https://x.example/roles": "boss"}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def hand(header, payload, secret=SECRET):
    """An HS256 token of two texts that need not be JSON."""
    text = b64(header.encode()) + "." + b64(payload.encode())
    return text + "." + b64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())


RSA, SMALL = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 1024)
EC, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
HS = '{"alg":"HS256"}'


def jwk(key, kid, **more):
    algorithm = {rsa.RSAPrivateKey: "RSA", ec.EllipticCurvePrivateKey: "EC"}
    kind = next((v for k, v in algorithm.items() if isinstance(key, k)), "OKP")
    maker = {"RSA": jwt.algorithms.RSAAlgorithm, "EC": jwt.algorithms.ECAlgorithm, "OKP": jwt.algorithms.OKPAlgorithm}
    return {**json.loads(maker[kind].to_jwk(key.public_key())), "kid": kid, **more}


def es256(token, change):
    head, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    return head + "." + b64(change(raw))


KEYS = {
    "RSA_PEM": pem(RSA), "EC_PEM": pem(EC), "ED_PEM": pem(ED), "SMALL_PEM": pem(SMALL), "P384_PEM": pem(P384),
    "SECRET": SECRET,
    "JWKS": json.dumps({"keys": [jwk(RSA, "r"), jwk(EC, "e"), jwk(ED, "d"), jwk(SMALL, "enc", use="enc"),
                                 jwk(P384, "p")]}),
    "JWKS_SMALL": json.dumps({"keys": [jwk(SMALL, "s")]}),
    "JWKS_TWICE": json.dumps({"keys": [jwk(RSA, "r"), jwk(EC, "r")]}),
    "JWKS_E1": json.dumps({"keys": [{**jwk(RSA, "r"), "e": "AQ"}]}),
    "JWKS_OFF_CURVE": json.dumps({"keys": [{**jwk(EC, "e"), "y": b64(bytes(31) + b"\x01")}]}),
    "JWKS_PRIVATE": json.dumps({"keys": [json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC))]}),
}


def made(key, alg, **header):
    return jwt.encode(CLAIMS, key, algorithm=alg, headers=header or None)


ES = made(EC, "ES256")
BODY = json.dumps(CLAIMS)


def with_claims(**more):
    return hand(HS, json.dumps({**CLAIMS, **more}))


def without(name):
    return hand(HS, json.dumps({k: v for k, v in CLAIMS.items() if k != name}))


good = hand(HS, BODY)
TOKENS = [
    ("HS256", "SECRET", "VERIFIED", made(SECRET, "HS256")), ("HS384", "SECRET", "VERIFIED", made(SECRET, "HS384")),
    ("HS512", "SECRET", "VERIFIED", made(SECRET, "HS512")), ("RS256", "RSA_PEM", "VERIFIED", made(RSA, "RS256")),
    ("PS256", "RSA_PEM", "VERIFIED", made(RSA, "PS256")), ("ES256", "EC_PEM", "VERIFIED", ES),
    ("EdDSA", "ED_PEM", "VERIFIED", made(ED, "EdDSA")),
    ("RS256 by kid", "JWKS", "VERIFIED", made(RSA, "RS256", kid="r")),
    ("ES256 by kid", "JWKS", "VERIFIED", made(EC, "ES256", kid="e")),
    ("EdDSA by kid", "JWKS", "VERIFIED", made(ED, "EdDSA", kid="d")),
    ("no kid, one key fits", "JWKS", "VERIFIED", made(EC, "ES256")),
    ("wrong kid", "JWKS", "NO_KEY", made(RSA, "RS256", kid="x")),
    ("kid of a key of another type", "JWKS", "WRONG_ALGORITHM", made(RSA, "RS256", kid="e")),
    ("kid of a key for encryption", "JWKS", "NO_KEY", made(SMALL, "RS256", kid="enc")),
    ("kid is a number", "SECRET", "MALFORMED", hand('{"alg":"HS256","kid":1}', BODY)),
    ("alg none", "SECRET", "WRONG_ALGORITHM", hand('{"alg":"none"}', BODY)),
    ("alg none, no signature", "SECRET", "WRONG_ALGORITHM", b64(b'{"alg":"none"}') + "." + b64(BODY.encode()) + "."),
    ("alg nOnE", "SECRET", "WRONG_ALGORITHM", hand('{"alg":"nOnE"}', BODY)),
    ("alg is a list", "SECRET", "MALFORMED", hand('{"alg":["HS256"]}', BODY)),
    ("no alg", "SECRET", "MALFORMED", hand("{}", BODY)),
    ("HMAC signed with the public key", "RSA_PEM", "WRONG_ALGORITHM", hand(HS, BODY, pem(RSA))),
    ("HMAC, JWKS", "JWKS", "WRONG_ALGORITHM", hand(HS, BODY, pem(RSA))),
    ("another secret", "SECRET", "BAD_SIGNATURE", hand(HS, BODY, "x" * 64)),
    ("no signature", "SECRET", "BAD_SIGNATURE", good.rpartition(".")[0] + "."),
    ("tag cut", "SECRET", "BAD_SIGNATURE", good[:-3]),
    ("ES256 in DER", "EC_PEM", "BAD_SIGNATURE", es256(ES, lambda raw: utils.encode_dss_signature(
        int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")))),
    ("ES256 zero r and s", "EC_PEM", "BAD_SIGNATURE", es256(ES, lambda raw: bytes(64))),
    ("ES256 zero r", "EC_PEM", "BAD_SIGNATURE", es256(ES, lambda raw: bytes(32) + raw[32:])),
    ("ES256 zero s", "EC_PEM", "BAD_SIGNATURE", es256(ES, lambda raw: raw[:32] + bytes(32))),
    ("ES256 too short", "EC_PEM", "BAD_SIGNATURE", es256(ES, lambda raw: raw[:-1])),
    ("expired", "SECRET", "EXPIRED", with_claims(exp=NOW - 60)),
    ("expired within the skew", "SECRET", "VERIFIED", with_claims(exp=NOW - 59)),
    ("from the future", "SECRET", "NOT_YET_VALID", with_claims(nbf=NOW + 61)),
    ("from the future within the skew", "SECRET", "VERIFIED", with_claims(nbf=NOW + 60)),
    ("exp is a text", "SECRET", "MALFORMED", with_claims(exp="never")),
    ("exp is null", "SECRET", "MALFORMED", with_claims(exp=None)),
    ("another issuer", "SECRET", "WRONG_ISSUER", with_claims(iss="https://id.example.evil")),
    ("no issuer", "SECRET", "WRONG_ISSUER", without("iss")),
    ("audience as a text", "SECRET", "VERIFIED", with_claims(aud="shop")),
    ("another audience", "SECRET", "WRONG_AUDIENCE", with_claims(aud=["shop2", 1])),
    ("no audience", "SECRET", "WRONG_AUDIENCE", without("aud")),
    ("crit", "SECRET", "MALFORMED", hand('{"alg":"HS256","crit":["b64"],"b64":true}', BODY)),
    ("header twice", "SECRET", "MALFORMED", hand('{"alg":"HS256","alg":"HS256"}', BODY)),
    ("claim twice", "SECRET", "MALFORMED", hand(HS, BODY[:-1] + ', "sub": "root"}')),
    ("payload is a list", "SECRET", "MALFORMED", hand(HS, "[]")),
    ("payload is no JSON", "SECRET", "MALFORMED", hand(HS, "{")),
    ("NUL in a claim", "SECRET", "MALFORMED", hand(HS, '{"sub":"a\\u0000b"}')),
    ("1,000 claims", "SECRET", "TOO_LARGE", hand(HS, json.dumps({f"{i}": 1 for i in range(1000)}))),
    ("129 claims", "SECRET", "TOO_LARGE", hand(HS, json.dumps({f"c{i}": 1 for i in range(129)}))),
    ("nested 17 deep", "SECRET", "TOO_LARGE", hand(HS, '{"a":' + "[" * 16 + "1" + "]" * 16 + "}")),
    ("nested 2,000 deep", "SECRET", "MALFORMED", hand(HS, '{"a":' + "[" * 2000 + "]" * 2000 + "}")),
    ("long text", "SECRET", "TOO_LARGE", with_claims(sub="x" * 2049)),
    ("padded", "SECRET", "MALFORMED", good + "="),
    ("unused bits of base64url", "SECRET", "MALFORMED", good[:-1] + chr(ord(good[-1]) + 1)),
    ("alphabet of base64", "SECRET", "MALFORMED", good[:-1] + "+"),
    ("four parts", "SECRET", "MALFORMED", good + ".e30"), ("two parts", "SECRET", "MALFORMED", "e30.e30"),
    ("one part", "SECRET", "MALFORMED", "e30"), ("empty", "SECRET", "MALFORMED", ""),
    ("blank", "SECRET", "MALFORMED", " " + good),
]

print("/* Written by jwt_vectors.py. */")
print("#ifndef ADIT_TESTS_JWT_VECTORS_H\n#define ADIT_TESTS_JWT_VECTORS_H\n")
print('#include "adit/jwt.h"\n')
for name, text in KEYS.items():
    print(f"static const char {name}[] = {json.dumps(text)};")
print("static const struct {\n  const char *name, *keys;\n  enum jwt_outcome outcome;\n  const char *token;\n} TOKENS[] = {")
for name, keys, outcome, token in TOKENS:
    print(f"  {{{json.dumps(name)}, {keys}, JWT_{outcome}, {json.dumps(token)}}},")
print("};\n\n#endif")
