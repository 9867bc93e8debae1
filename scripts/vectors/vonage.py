"""Write tests/vectors/vonage.json, signed with PyJWT and judged by Vonage's own library.

That library checks the signature and the token's own times; the body's digest and the token's age
it leaves to its user. Where only these decide, the verdicts differ, and each such vector says so.

    pip install 'vonage-jwt==1.1.5' && python -m scripts.vectors.vonage
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from unittest.mock import patch

import jwt
from vonage_jwt.errors import VonageVerifyJwtError  # type: ignore[import-not-found]
from vonage_jwt.verify_jwt import verify_signature  # type: ignore[import-not-found]

from scripts.vectors.recording import NOW, URL, Recording, Sent

OURS, NEXT, THEIRS = (letter * 40 for letter in "abc")
HASH = "Vonage's library leaves the body's digest to its user"
AGE = "Vonage's library leaves the token's age to its user"
EVENT = {
    "conversation_uuid": "CON-8f5a100c-fbce-4218-8d4b-16341335bcd6",
    "direction": "outbound",
    "duration": "61",
    "end_time": "2026-11-22T12:04:59.000Z",
    "from": "14155550100",
    "headers": {"X-Name": "Grüße"},
    "network": "310410",
    "price": "0.01386667",
    "rate": "0.01280000",
    "start_time": "2026-11-22T12:03:58.000Z",
    "status": "completed",
    "timestamp": "2026-11-22T12:05:00.122Z",
    "to": "14155550123",
    "uuid": "0779a56d002f1c7f47f82ef5fe84ab79",
}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()
CLAIMS = {
    "api_key": "abcd1234",
    "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    "iss": "Vonage",
    "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
}

Json = Mapping[str, object]


class FrozenTime(datetime):
    """The time PyJWT compares with."""

    at = NOW

    @classmethod
    def now(cls, tz: object = None) -> "FrozenTime":
        return cls.fromtimestamp(cls.at.timestamp(), NOW.tzinfo)


def claims_of(body: bytes = BODY, at: datetime = NOW, **more: object) -> dict[str, object]:
    found: dict[str, object] = {
        **CLAIMS,
        "iat": int(at.timestamp()),
        "payload_hash": hashlib.sha256(body).hexdigest(),
        **more,
    }
    return {name: value for name, value in found.items() if value != ()}


def token(claims: Json, secret: str = OURS, algorithm: str = "HS256", **header: object) -> str:
    return jwt.encode(dict(claims), secret, algorithm, headers=header or None)


def by_hand(header: Json | bytes, claims: Json | bytes, secret: str = OURS) -> str:
    """What PyJWT would not sign."""
    raw = [
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, claims)
    ]
    signed = b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in raw)
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def sent(
    bearer: str | None = None,
    *,
    body: bytes = BODY,
    secrets: tuple[str, ...] = (OURS,),
    authorization: str | None = "",
    url: str = URL,
    received_at: datetime = NOW,
) -> Sent:
    """``authorization``: the header; the bearer's if empty, left out if None."""
    if authorization == "":
        authorization = f"Bearer {bearer or token(claims_of(body))}"
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    return Sent(headers=headers, body=body, secrets=secrets, url=url, received_at=received_at)


def official(request: Sent, secret: str) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        return False
    FrozenTime.at = request.received_at
    with patch("jwt.api_jwt.datetime", FrozenTime):
        try:
            return bool(verify_signature(bearer, secret))
        except VonageVerifyJwtError:
            return False


def add_valid(record: Recording) -> None:
    record.add("a valid webhook", sent(), True)
    record.add(
        "headers in capitals",
        Sent({name.upper(): value for name, value in sent().headers.items()}, BODY, (OURS,)),
        True,
    )
    record.add("without a type in its header", sent(token(claims_of(), typ=None)), True)
    record.add("without an application", sent(token(claims_of(application_id=()))), True)
    record.add("an altered URL: nothing covers it", sent(url=URL + "?x=1"), True)
    record.add("an empty body with its digest", sent(body=b""), True)
    broken = BODY.replace("ü".encode(), b"\xfc")
    record.add("a body that is not UTF-8, with its digest", sent(body=broken), True)
    record.add("by the old secret while both count", sent(secrets=(NEXT, OURS)), True)
    record.add(
        "by the new secret while both count",
        sent(token(claims_of(), NEXT), secrets=(NEXT, OURS)),
        True,
    )


def add_altered(record: Recording) -> None:
    right = token(claims_of())
    record.add("by a secret that was removed", sent(secrets=(NEXT,)), False)
    record.add("signed by another tenant's secret", sent(token(claims_of(), THEIRS)), False)
    record.add("no secret", sent(secrets=()), False)
    record.add(
        "an empty secret", sent(by_hand({"alg": "HS256"}, claims_of(), ""), secrets=("",)), False
    )
    for name, body in {
        "an altered body": BODY.replace(b'"61"', b'"60"'),
        "the same JSON written anew": json.dumps(json.loads(BODY)).encode(),
        "a body with a space more": BODY + b" ",
        "no body": b"",
        "a body that is not UTF-8": BODY.replace("ü".encode(), b"\xfc"),
    }.items():
        record.add(name, sent(right, body=body), False, HASH)
    for name, value in {
        "no digest": (),
        "a digest of nothing": None,
        "a blank digest": "",
        "a digest in capitals": hashlib.sha256(BODY).hexdigest().upper(),
        "a digest in base64": base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
        "a digest that is a number": 1,
        "a digest that is not ASCII": "é" * 64,
        "a digest that is no text": "\ud800",
    }.items():
        record.add(name, sent(token(claims_of(payload_hash=value))), False, HASH)
    head, _, mac = right.split(".")
    other = token(claims_of(b"")).split(".")[1]
    record.add("other claims under the same signature", sent(f"{head}.{other}.{mac}"), False)


def add_times(record: Recording) -> None:
    def at(seconds: int) -> datetime:
        return NOW + timedelta(seconds=seconds)

    for seconds in (-901, -900, -899, 0):
        is_in = seconds >= -900
        record.add(
            f"{seconds} s from now",
            sent(token(claims_of(at=at(seconds)))),
            is_in,
            "" if is_in else AGE,
        )
    for seconds in (1, 59, 60):
        record.add(
            f"{seconds} s ahead",
            sent(token(claims_of(at=at(seconds)))),
            True,
            "two clocks may differ by a minute",
        )
    record.add("61 s ahead", sent(token(claims_of(at=at(61)))), False)
    late = NOW + timedelta(milliseconds=999)
    record.add(
        "900 s old, and the rest of a second",
        sent(token(claims_of(at=at(-900))), received_at=late),
        True,
    )
    now = int(NOW.timestamp())
    for name, value in {"no time": (), "a time of nothing": None}.items():
        record.add(
            name,
            sent(by_hand({"alg": "HS256"}, claims_of(iat=value))),
            False,
            AGE if value == () else "",
        )
    for name, given in {
        "a time that is text": str(now),
        "a time with a fraction": now + 0.0,
        "a time long before": -(10**30),
    }.items():
        record.add(name, sent(by_hand({"alg": "HS256"}, claims_of(iat=given))), False, AGE)
    record.add(
        "a time that is true", sent(by_hand({"alg": "HS256"}, claims_of(iat=True))), False, AGE
    )
    record.add("not expired", sent(token(claims_of(exp=now + 1))), True)
    record.add("just expired", sent(token(claims_of(exp=now))), False)
    record.add("expired", sent(token(claims_of(exp=now - 1))), False)
    record.add(
        "an expiry that is a word", sent(by_hand({"alg": "HS256"}, claims_of(exp="never"))), False
    )
    record.add("valid from now", sent(token(claims_of(nbf=now))), True)
    record.add("valid in a second", sent(token(claims_of(nbf=now + 1))), False)
    record.add("meant for somebody else", sent(token(claims_of(aud="somebody"))), False)


def add_malformed(record: Recording) -> None:
    right = token(claims_of())
    head, claims, mac = right.split(".")
    for name, bearer in {
        "unsigned": jwt.encode(claims_of(), "", "none"),
        "unsigned, in capitals": by_hand({"alg": "NONE"}, claims_of()),
        "HS384": token(claims_of(), algorithm="HS384"),
        "HS512": token(claims_of(), algorithm="HS512"),
        "RS256 that was signed with HS256": by_hand({"alg": "RS256"}, claims_of()),
        "hs256 in small letters": by_hand({"alg": "hs256"}, claims_of()),
        "two algorithms": by_hand({"alg": ["HS256"]}, claims_of()),
        "no algorithm": by_hand({"typ": "JWT"}, claims_of()),
        "a critical extension": by_hand({"alg": "HS256", "crit": ["exp"]}, claims_of()),
        "a header that is a list": by_hand(b"[]", claims_of()),
        "a header that is no JSON": by_hand(b"{", claims_of()),
        "a header that is not UTF-8": by_hand(b'{"alg":"\xff"}', claims_of()),
        "claims that are a list": by_hand({"alg": "HS256"}, b"[]"),
        "claims that are no JSON": by_hand({"alg": "HS256"}, b"{"),
        "claims that are not UTF-8": by_hand({"alg": "HS256"}, b'{"a":"\xff"}'),
        "no signature": f"{head}.{claims}.",
        "two parts": f"{head}.{claims}",
        "four parts": f"{right}.{mac}",
        "a word": "token",
        "dots": "..",
        "nothing": " ",
        "a signature in hexadecimal": f"{head}.{claims}.{'0' * 64}",
        "not ASCII": f"{head}.{claims}.é",
        "a signature whose idle bits differ": right[:-1] + chr(ord(right[-1]) + 1),
        "a signature in the other case": f"{head}.{claims}.{mac.swapcase()}",
    }.items():
        record.add(f"a token: {name}", sent(bearer), False)
    record.add(
        "a token: a signature with its padding",
        sent(f"{right}="),
        False,
        "RFC 7515 has no padding; Vonage never writes it",
    )
    for name, header in {
        "no authorization": None,
        "a blank one": " ",
        "the token alone": right,
        "the scheme alone": "Bearer",
        "another scheme": f"Basic {right}",
        "the scheme in small letters": f"bearer {right}",
        "two spaces": f"Bearer  {right}",
        "two tokens": f"Bearer {right},Bearer {right}",
    }.items():
        record.add(f"a header: {name}", sent(authorization=header), False)


def main() -> None:
    record = Recording("vonage-jwt", official)
    add_valid(record)
    add_altered(record)
    add_times(record)
    add_malformed(record)
    record.write("vonage")


if __name__ == "__main__":
    main()
