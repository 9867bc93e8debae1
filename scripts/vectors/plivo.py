"""Write tests/vectors/plivo.json, signed and judged by Plivo's own SDK.

pip install 'plivo==4.63.0' && python -m scripts.vectors.plivo
"""

import base64
import hashlib
import hmac
import random
from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

from plivo.utils import signature_v3  # type: ignore[import-not-found]  # installed by hand
from plivo.utils import validate_signature as validate_v2

from scripts.vectors.recording import URL, Recording, Sent

FORM = "application/x-www-form-urlencoded"
NONCE = "12345678901234567890"
MAIN, SUB, NEXT, THEIRS = "main-token", "sub-token", "next-token", "another-tenants-token"
CALL = {
    "ALegUUID": "",
    "AnswerTime": "2026-11-22 12:03:58",
    "BillDuration": "120",
    "BillRate": "0.0055",
    "CallStatus": "completed",
    "CallUUID": "9834029e-58b6-11e1-b8b7-a5bd0e4e126f",
    "Direction": "outbound",
    "Duration": "61",
    "EndTime": "2026-11-22 12:04:59",
    "Event": "Hangup",
    "From": "14155550100",
    "HangupCause": "NORMAL_CLEARING",
    "ParentAuthID": "MAMDJMMTEZOTY0ZDVKZM",
    "StartTime": "2026-11-22 12:03:50",
    "To": "14155550123",
    "TotalCost": "0.01100",
    "X-PH-Tenant": "Grüße & more=1",
}
BODY = urlencode(CALL).encode()

Pairs = Sequence[tuple[str, str]]


def grouped(encoded: str) -> dict[str, list[str]]:
    """What web frameworks hand the SDK: every value of every name."""
    return parse_qs(encoded, keep_blank_values=True)


def signature(
    body: bytes, token: str, *, url: str = URL, nonce: str = NONCE, method: str = "POST"
) -> str:
    if method == "GET":
        text = signature_v3.construct_get_url(url, {})
    else:
        text = signature_v3.construct_post_url(url, grouped(body.decode(errors="replace")))
    return str(signature_v3.get_signature_v3(token, text.decode(), nonce).decode())


def sent(
    body: bytes = BODY,
    *,
    token: str = SUB,
    secrets: tuple[str, ...] = (SUB,),
    url: str = URL,
    method: str = "POST",
    nonce: str | None = NONCE,
    content_type: str = FORM,
    v3: str | None = "",
    main: str | None = None,
) -> Sent:
    """``v3``: the header; signed with ``token`` if empty, left out if None."""
    if v3 == "":
        v3 = signature(body, token, url=url, nonce=nonce or "", method=method)
    given = {
        "Content-Type": content_type,
        "X-Plivo-Signature-V3": v3,
        "X-Plivo-Signature-V3-Nonce": nonce,
        "X-Plivo-Signature-Ma-V3": main,
    }
    headers = {name: value for name, value in given.items() if value is not None}
    return Sent(headers=headers, body=body, secrets=secrets, url=url, method=method)


def official(request: Sent, token: str) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "x-plivo-signature-v3-nonce" not in headers:
        return False
    try:
        return any(
            signature_v3.validate_v3_signature(
                request.method,
                request.url,
                headers["x-plivo-signature-v3-nonce"],
                token,
                headers[name],
                {} if request.method == "GET" else grouped(request.body.decode()),
            )
            for name in ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
            if name in headers
        )
    except (ValueError, TypeError):
        return False


def add_valid(record: Recording) -> None:
    record.add("a valid callback", sent(), True)
    record.add(
        "headers in capitals",
        Sent({name.upper(): value for name, value in sent().headers.items()}, BODY, (SUB,)),
        True,
    )
    for name, url in {
        "a query": URL + "?tag=a",
        "a query out of order, with escapes and blanks": URL + "?z=1&a=b%20c%2Bd&e=&a=a",
        "a query that repeats a value": URL + "?a=1&a=1",
        "a port": URL.replace(".com", ".com:8443"),
        "plain http on a port of its own": "http://127.0.0.1:4566/webhooks/usage/acme",
    }.items():
        record.add(f"{name}, POST", sent(url=url), True)
        record.add(f"{name}, POST without a body", sent(b"", url=url), True)
        joined = url + ("&" if "?" in url else "?") + urlencode(CALL | {"X-PH-Tenant": "a b"})
        record.add(f"{name}, GET", sent(b"", url=joined, method="GET"), True)
    for name, body in {
        "blank values": "A=&B=1&C=",
        "repeated names": "A=2&A=1&B=3",
        "a value said twice": "A=1&A=1",
        "names in both cases": "b=1&B=2&a=3",
        "UTF-8": "A=Gr%C3%BC%C3%9Fe+%F0%9F%98%80",
        "UTF-8 that nobody escaped": "A=Grüße",
        "escaped separators": "A%26=%3D",
        "a semicolon": "A=1;B=2",
    }.items():
        record.add(f"a form with {name}", sent(body.encode()), True)
    rng = random.Random(20261122)  # noqa: S311
    for number in range(40):
        query, body = (urlencode(some_pairs(rng)) for _ in range(2))
        url = URL + (f"?{query}" if query else "")
        method = "GET" if number % 4 == 0 else "POST"
        request = sent(b"" if method == "GET" else body.encode(), url=url, method=method)
        record.add(f"random {method} {number}", request, True)


def some_pairs(rng: random.Random) -> Pairs:
    letters = "abAB=&+%. 1;"
    return [
        (
            "".join(rng.choices(letters, k=rng.randint(1, 3))),
            "".join(rng.choices(letters, k=rng.randint(0, 4))),
        )
        for _ in range(rng.randint(0, 4))
    ]


def add_tokens(record: Recording) -> None:
    by = {token: signature(BODY, token) for token in (MAIN, SUB, NEXT, THEIRS)}
    record.add(
        "the main token, in its own header", sent(v3=by[SUB], main=by[MAIN], secrets=(MAIN,)), True
    )
    record.add(
        "the sub-account's token, beside the main one's header",
        sent(v3=by[SUB], main=by[MAIN]),
        True,
    )
    record.add("the main token's header alone", sent(v3=None, main=by[MAIN], secrets=(MAIN,)), True)
    record.add("the main token alone, and it is not ours", sent(v3=None, main=by[MAIN]), False)
    record.add("two signatures, the second ours", sent(v3=f"{by[THEIRS]},{by[SUB]}"), True)
    record.add("two signatures, the first ours", sent(v3=f"{by[SUB]},{by[THEIRS]}"), True)
    record.add("two signatures, neither ours", sent(v3=f"{by[THEIRS]},{by[NEXT]}"), False)
    record.add("two signatures set apart by a space", sent(v3=f"{by[THEIRS]}, {by[SUB]}"), False)
    record.add("by the old token while both count", sent(secrets=(NEXT, SUB)), True)
    record.add("by the new token while both count", sent(token=NEXT, secrets=(NEXT, SUB)), True)
    record.add("by a token that was removed", sent(secrets=(NEXT,)), False)
    record.add("signed by another tenant's token", sent(token=THEIRS), False)
    record.add("no token", sent(secrets=()), False)
    record.add(
        "an empty token",
        sent(token="", secrets=("",)),
        False,
        "an empty secret is a secret nobody keeps",
    )


def add_altered(record: Recording) -> None:
    right = signature(BODY, SUB)
    for name, body in {
        "an altered value": BODY.replace(b"Duration=61", b"Duration=60"),
        "a field left out": BODY.replace(b"&Duration=61", b""),
        "a field added": BODY + b"&Extra=1",
        "a field said twice": BODY + b"&Duration=61",
        "no body": b"",
    }.items():
        record.add(name, sent(body, v3=right), False)
    record.add(
        "fields in another order", sent(b"&".join(reversed(BODY.split(b"&"))), v3=right), True
    )
    for name, url in {
        "another path": URL.replace("acme", "globex"),
        "another host": URL.replace("billing", "billings"),
        "another scheme": URL.replace("https", "http"),
        "a port nobody signed": URL.replace(".com", ".com:443"),
        "a query nobody signed": URL + "?x=1",
        "a slash at the end": URL + "/",
    }.items():
        record.add(name, sent(url=url, v3=right), False)
    get = URL + "?" + urlencode(CALL | {"X-PH-Tenant": ""})
    by_get = signature(b"", SUB, url=get, method="GET")
    record.add(
        "an altered query, GET",
        sent(b"", url=get.replace("Duration=61", "Duration=60"), method="GET", v3=by_get),
        False,
    )
    record.add(
        "a GET with a body",
        sent(b"Duration=60", url=get, method="GET", v3=by_get),
        False,
        "nothing covers the body of a GET",
    )
    record.add(
        "a GET taken for a POST, which then has no fields", sent(b"", url=get, v3=by_get), True
    )
    record.add("another nonce", sent(nonce=NONCE[:-1], v3=right), False)
    broken = BODY.replace(b"%C3%BC", b"\xfc")
    record.add("a body that is not UTF-8", sent(broken, v3=right), False)
    record.add("a body that is not UTF-8, though signed", sent(broken), False)
    record.add(
        "escaped bytes that are not UTF-8",
        sent(b"A=%FF"),
        False,
        "the SDK sees the same character for every such byte",
    )
    by_sign = signature(b"To=&sip:a=", SUB)
    record.add(
        "a pair without its equals sign",
        sent(b"To&sip:a", v3=by_sign),
        False,
        "one byte would turn it into another field",
    )
    record.add(
        "a form whose type is another",
        sent(content_type="application/json"),
        False,
        "the SDK is never told the type",
    )
    record.add("a form with a character set", sent(content_type=f"{FORM}; charset=utf-8"), True)


def add_malformed(record: Recording) -> None:
    right = signature(BODY, SUB)
    for name, value in {
        "no signature": None,
        "a comma for a signature": ",",
        "a word for a signature": "signature",
        "a signature that is not ASCII": "é" * 44,
        "a signature with a space": " " + right,
        "a signature without its padding": right.rstrip("="),
        "a signature in the other case": right.swapcase(),
        "a signature whose idle bits differ": right[:42] + chr(ord(right[42]) + 1) + "=",
    }.items():
        record.add(name, sent(v3=value), False)
    record.add("no nonce", sent(nonce=None), False)
    record.add("a blank nonce", sent(nonce=""), False, "Plivo always sends one")
    v2 = "x-plivo-signature-v2"
    path = URL.encode() + NONCE.encode()
    by_v2 = base64.b64encode(hmac.new(SUB.encode(), path, hashlib.sha256).digest()).decode()
    if not validate_v2(URL, NONCE, by_v2, SUB):
        raise SystemExit("this is not how version 2 is signed")
    headers = {"content-type": FORM, v2: by_v2, f"{v2}-nonce": NONCE}
    record.add("version 2 alone", Sent(headers, BODY, (SUB,)), False)
    record.add("version 2 in the place of version 3", sent(v3=by_v2), False)


def main() -> None:
    record = Recording("plivo", official)
    add_valid(record)
    add_tokens(record)
    add_altered(record)
    add_malformed(record)
    record.write("plivo")


if __name__ == "__main__":
    main()
