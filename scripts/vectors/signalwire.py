"""Write tests/vectors/signalwire.json, signed and judged by SignalWire's own SDK.

pip install 'signalwire==2.1.1' setuptools && python -m scripts.vectors.signalwire
"""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from signalwire.request_validator import RequestValidator  # type: ignore[import-not-found]

from scripts.vectors.recording import URL, Recording, Sent

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
OURS, NEXT, THEIRS = "PSK_ours", "PSK_next", "PSK_theirs"
CALL = {
    "AccountSid": "b3877c40-da60-4998-90ad-b792e98472af",
    "ApiVersion": "2010-04-01",
    "AudioInMos": "4.50",
    "CallDuration": "61",
    "CallSid": "b3877c40-da60-4998-90ad-b792e98472ca",
    "CallStatus": "completed",
    "CallerName": "",
    "Direction": "outbound-api",
    "From": "+14155550100",
    "Name": "Grüße & more=1",
    "Timestamp": "Sun, 22 Nov 2026 12:04:59 +0000",
    "To": "+14155550123",
}
MESSAGE = {
    "AccountSid": CALL["AccountSid"],
    "From": "+14155550100",
    "MessageSid": "b3877c40-da60-4998-90ad-b792e98472ce",
    "MessageStatus": "delivered",
    "To": "+14155550123",
}
BODY = urlencode(CALL).encode()
TEXT = json.dumps(CALL, ensure_ascii=False).encode()
POST_ONLY = "the SDK is not told the method, and only POST reports usage"
ONE_BOUNDARY = "nothing marks the end of the URL in what is signed, so we do: by the first brace"


def form(body: bytes) -> dict[str, str]:
    """The SDK knows one value of a name; which of several is signed, it does not say."""
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def form_signature(body: bytes, url: str = URL, secret: str = OURS) -> str:
    return str(RequestValidator(secret).build_signature_with_compatibility(url, form(body)))


def json_signature(body: bytes, url: str = URL, secret: str = OURS) -> str:
    return str(RequestValidator(secret).build_signature(url, body.decode()))


def sent(
    body: bytes = BODY,
    signature: str | None = None,
    *,
    kind: str = FORM,
    url: str = URL,
    secrets: tuple[str, ...] = (OURS,),
    method: str = "POST",
    header: str = "X-SignalWire-Signature",
) -> Sent:
    if signature is None:
        sign = form_signature if kind == FORM else json_signature
        signature = sign(body, url)
    return Sent({"Content-Type": kind, header: signature}, body, secrets, method, url)


def official(request: Sent, secret: str) -> bool:
    headers: Mapping[str, str] = {name.lower(): text for name, text in request.headers.items()}
    given = headers.get("x-signalwire-signature") or headers.get("x-twilio-signature") or ""
    try:
        params = form(request.body) if headers["content-type"] == FORM else request.body.decode()
        return bool(RequestValidator(secret).validate(request.url, params, given))
    except (ValueError, AttributeError):  # JSON that is no object has no names.
        return False


def add_valid(record: Recording) -> None:
    record.add("a valid form", sent(), True)
    record.add("valid JSON", sent(TEXT, kind=JSON), True)
    record.add("a valid message", sent(urlencode(MESSAGE).encode()), True)
    record.add("an empty form", sent(b""), True)
    record.add(
        "headers in capitals",
        Sent({name.upper(): value for name, value in sent().headers.items()}, BODY, (OURS,)),
        True,
    )
    for kind, body in ((FORM, BODY), (JSON, TEXT)):
        record.add(
            f"under Twilio's header: {kind}",
            sent(body, kind=kind, header="X-Twilio-Signature"),
            True,
        )
        record.add(f"a query: {kind}", sent(body, kind=kind, url=URL + "?a=b%20c&d="), True)
        with_port = URL.replace(".com", ".com:443")
        sign = form_signature if kind == FORM else json_signature
        record.add(
            f"signed with the port: {kind}", sent(body, sign(body, with_port), kind=kind), True
        )
        record.add(
            f"by the old secret while both count: {kind}",
            sent(body, kind=kind, secrets=(NEXT, OURS)),
            True,
        )
        record.add(
            f"by the new secret while both count: {kind}",
            sent(body, sign(body, secret=NEXT), kind=kind, secrets=(NEXT, OURS)),
            True,
        )
    for text in ("A=&B=1", "A=1&A=1&B=", "b=1&B=2", "A=%FF%C3%28", "A=%zz", "A=Grüße"):
        record.add(f"a form: {text}", sent(text.encode()), True)


def add_altered(record: Recording) -> None:
    for kind, body in ((FORM, BODY), (JSON, TEXT)):
        sign = form_signature if kind == FORM else json_signature
        right = sign(body)
        record.add(
            f"an altered body: {kind}", sent(body.replace(b"61", b"60"), right, kind=kind), False
        )
        record.add(f"no body: {kind}", sent(b"", right, kind=kind), False)
        record.add(
            f"a longer body: {kind}",
            sent(body + (b"&x=1" if kind == FORM else b" "), right, kind=kind),
            False,
        )
        record.add(
            f"an altered URL: a bare question mark: {kind}",
            sent(body, right, kind=kind, url=URL + "?"),
            False,
            "the SDK drops an empty query; we sign the URL as it came",
        )
        for url in (
            URL + "/",
            URL + "?x=1",
            URL.replace("https", "http"),
            URL.replace("acme", "globex"),
            URL.replace(".com", ".org"),
        ):
            record.add(
                f"an altered URL: {url} {kind}", sent(body, right, kind=kind, url=url), False
            )
        record.add(
            f"by a secret that was removed: {kind}", sent(body, kind=kind, secrets=(NEXT,)), False
        )
        record.add(
            f"by another tenant's secret: {kind}",
            sent(body, sign(body, secret=THEIRS), kind=kind),
            False,
        )
        record.add(f"no secret: {kind}", sent(body, kind=kind, secrets=()), False)
        record.add(
            f"an empty secret: {kind}",
            sent(body, sign(body, secret=""), kind=kind, secrets=("",)),
            False,
            "an empty secret is nobody's",
        )
        record.add(f"GET: {kind}", sent(body, kind=kind, method="GET"), False, POST_ONLY)
        record.add(
            f"bytes that are not UTF-8: {kind}", sent(body + b"\xff", right, kind=kind), False
        )
    record.add(
        "the same JSON written anew",
        sent(json.dumps(CALL).encode(), json_signature(TEXT), kind=JSON),
        False,
    )
    moved = URL + "?q=1" + TEXT[:20].decode()
    record.add(
        "a body that begins in the URL",
        sent(TEXT[20:], json_signature(TEXT, URL + "?q=1"), kind=JSON, url=moved),
        False,
        ONE_BOUNDARY,
    )
    record.add(
        "a URL that ends in the body",
        sent(b"1" + TEXT, json_signature(TEXT, URL + "?q=1"), kind=JSON, url=URL + "?q="),
        False,
        ONE_BOUNDARY,
    )
    record.add(
        "JSON signed by the rule for forms",
        sent(TEXT, form_signature(BODY), kind=JSON),
        False,
        "for frameworks that hand a form on as JSON, which no request is",
    )
    record.add("a form signed by the rule for JSON", sent(BODY, json_signature(BODY)), False)
    record.add(
        "a form whose equals sign moved: the rule leaves it out",
        sent(b"AB=1", form_signature(b"A=B1")),
        True,
    )
    record.add(
        "a form with a pair of nothing",
        sent(b"=&A=1", form_signature(b"A=1")),
        False,
        "such a pair adds nothing to what is signed; SignalWire always writes a name",
    )
    record.add(
        "a form with a name alone",
        sent(b"A&B=1", form_signature(b"A=&B=1")),
        False,
        "a lenient reader takes it for a blank value; SignalWire always writes the sign",
    )


def add_malformed(record: Recording) -> None:
    for kind, body in ((FORM, BODY), (JSON, TEXT)):
        right = form_signature(body) if kind == FORM else json_signature(body)
        for name, value in {
            "none": "",
            "blank": " ",
            "a word": "signature",
            "cut": right[:-1],
            "longer": right + "=",
            "spaced": f" {right}",
            "twice": f"{right},{right}",
            "in the other case": right.swapcase(),
            "not ASCII": "é" * 28,
            "no text": "\ud800",
        }.items():
            record.add(f"a signature: {name}: {kind}", sent(body, value, kind=kind), False)
    for kind in ("", "text/plain", "multipart/form-data", "application/xml"):
        record.add(f"a content type: {kind!r}", sent(BODY, form_signature(BODY), kind=kind), False)
    for body in (b"", b"[]", b"1", b'"{}"'):
        record.add(
            f"JSON that is no object: {body.decode()!r}", sent(body, kind=JSON), False, ONE_BOUNDARY
        )


def main() -> None:
    record = Recording("signalwire", official)
    add_valid(record)
    add_altered(record)
    add_malformed(record)
    record.write("signalwire")


if __name__ == "__main__":
    main()
