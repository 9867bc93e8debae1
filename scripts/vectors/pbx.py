"""Write tests/vectors/pbx.json, signed and judged by the official Standard Webhooks library.

pip install 'standardwebhooks==1.1.0' && python -m scripts.vectors.pbx
"""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from unittest.mock import patch

from standardwebhooks.webhooks import (  # type: ignore[import-not-found]
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

from scripts.vectors.recording import NOW, URL, Recording, Sent

OURS, NEXT, THEIRS = (
    "whsec_" + base64.b64encode(letter * 24).decode() for letter in (b"a", b"b", b"c")
)
ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
EVENT = {
    "specversion": "1.0",
    "id": ID,
    "source": "urn:pbx:berlin:pbx1",
    "type": "call.ended",
    "time": "2026-11-22T12:05:00Z",
    "subject": "7f4de4bc-17d7-4f5a-9c4a-3f2bd0a7a1c5",
    "data": {
        "call_id": "7f4de4bc-17d7-4f5a-9c4a-3f2bd0a7a1c5",
        "account": "acme-gmbh",
        "direction": "outbound",
        "from": "+14155550100",
        "to": "+14155550123",
        "started_at": "2026-11-22T12:03:50Z",
        "answered_at": "2026-11-22T12:03:58Z",
        "ended_at": "2026-11-22T12:04:59Z",
        "billable_seconds": 61,
        "status": "completed",
        "hangup_cause": "NORMAL_CLEARING: Grüße",
    },
}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()
STRICT_BASE64 = "the library skips characters that are not base64"
STRICT_TIME = "the library reads the time as a fraction, and signs the whole seconds of it"
BYTES = "the library signs text; we sign the bytes, and then cannot read them"


class FrozenTime(datetime):
    """The time the library compares with."""

    at = NOW

    @classmethod
    def now(cls, tz: object = None) -> "FrozenTime":
        return cls.fromtimestamp(cls.at.timestamp(), NOW.tzinfo)


def signature(
    body: bytes = BODY, secret: str = OURS, *, at: datetime = NOW, webhook_id: str = ID
) -> str:
    return str(Webhook(secret).sign(webhook_id, at, body.decode()))


def by_hand(timestamp: str, body: bytes = BODY, webhook_id: str = ID) -> str:
    """What the library would not sign."""
    key = base64.b64decode(OURS.removeprefix("whsec_"))
    text = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def sent(
    given: str | None = None,
    *,
    body: bytes = BODY,
    at: datetime = NOW,
    timestamp: str | None = None,
    webhook_id: str = ID,
    secrets: tuple[str, ...] = (OURS,),
    received_at: datetime = NOW,
    method: str = "POST",
    url: str = URL,
) -> Sent:
    headers = {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())) if timestamp is None else timestamp,
        "webhook-signature": (
            signature(body, at=at, webhook_id=webhook_id) if given is None else given
        ),
    }
    return Sent(headers, body, secrets, method, url, received_at)


def official(request: Sent, secret: str) -> bool:
    FrozenTime.at = request.received_at
    with patch("standardwebhooks.webhooks.datetime", FrozenTime):
        try:
            Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, EmptyWebhookSecretError, ValueError, TypeError):
            return False
    return True


def add_valid(record: Recording) -> None:
    right, unknown = signature(), "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYQ=="
    record.add("a valid webhook", sent(), True)
    record.add(
        "headers in capitals",
        Sent({name.upper(): value for name, value in sent().headers.items()}, BODY, (OURS,)),
        True,
    )
    record.add("an empty body", sent(body=b""), True)
    record.add("an altered URL: nothing covers it", sent(url=URL + "?x=1"), True)
    record.add(
        "signed with two secrets of theirs", sent(f"{signature(secret=THEIRS)} {right}"), True
    )
    record.add("another version first", sent(f"{unknown} {right}"), True)
    record.add("another version last", sent(f"{right} {unknown}"), True)
    record.add("by the old secret while both count", sent(secrets=(NEXT, OURS)), True)
    record.add(
        "by the new secret while both count",
        sent(signature(secret=NEXT), secrets=(NEXT, OURS)),
        True,
    )
    record.add("a secret without its prefix", sent(secrets=(OURS.removeprefix("whsec_"),)), True)
    long = "whsec_" + base64.b64encode(b"d" * 25).decode()
    record.add("a secret with its padding", sent(signature(secret=long), secrets=(long,)), True)
    record.add(
        "a secret without its padding",
        sent(signature(secret=long), secrets=(long.rstrip("="),)),
        True,
    )
    broken = BODY.replace("ü".encode(), b"\xfc")
    record.add(
        "a body that is not UTF-8, signed",
        sent(by_hand(str(int(NOW.timestamp())), broken), body=broken),
        True,
        BYTES,
    )


def add_altered(record: Recording) -> None:
    right = signature()
    for name, body in {
        "an altered body": BODY.replace(b"61", b"60"),
        "the same JSON written anew": json.dumps(EVENT).encode(),
        "a body with a space more": BODY + b" ",
        "no body": b"",
        "a body that is not UTF-8": BODY.replace("ü".encode(), b"\xfc"),
    }.items():
        record.add(name, sent(right, body=body), False)
    record.add("another id", sent(right, webhook_id="msg_other"), False)
    record.add("another time", sent(right, at=NOW + timedelta(seconds=1)), False)
    record.add(
        "GET",
        sent(method="GET"),
        False,
        "the library is not told the method, and only POST reports usage",
    )
    record.add("by a secret that was removed", sent(secrets=(NEXT,)), False)
    record.add("by another tenant's secret", sent(signature(secret=THEIRS)), False)
    record.add("no secret", sent(secrets=()), False)
    for secret in ("", "whsec_", "whsec_=", "é", "whsec_é", "whsec_a"):
        record.add(f"a secret that is none: {secret!r}", sent(secrets=(secret,)), False)
    spaced = OURS[:10] + " " + OURS[10:]
    record.add("a secret with a space in it", sent(secrets=(spaced,)), False, STRICT_BASE64)
    shifted = "evt.1795349000"
    record.add(
        "an id with a full stop",
        sent(webhook_id=shifted),
        False,
        "part of such an id could pass for the time",
    )


def add_times(record: Recording) -> None:
    for seconds in (-301, -300, -299, -1, 0, 1, 299, 300, 301):
        record.add(
            f"{seconds} s from now", sent(at=NOW + timedelta(seconds=seconds)), abs(seconds) <= 300
        )
    for name, past in {"a hair": 1, "the rest of a second": 999_999}.items():
        record.add(
            f"300 s old, and {name}",
            sent(at=NOW - timedelta(seconds=300), received_at=NOW + timedelta(microseconds=past)),
            False,
        )
        record.add(
            f"300 s ahead, less {name}",
            sent(at=NOW + timedelta(seconds=300), received_at=NOW + timedelta(microseconds=past)),
            True,
        )
    now = str(int(NOW.timestamp()))
    for text in (
        "",
        " ",
        "now",
        "-" + now,
        now + "000",
        "9" * 400,
        "nan",
        "inf",
        "٣" * 10,
        now[:-1] + "é",
        "\ud800",
        "0x6B02F2AC",
        NOW.isoformat(),
    ):
        given = signature() if not text.isascii() else by_hand(text)
        record.add(f"a time: {text[:20]!r}", sent(given, timestamp=text), False)
    for text in (
        now + ".0",
        "+" + now,
        "0" + now,
        f" {now}",
        f"{now} ",
        now[:1] + "_" + now[1:],
        f"{now[0]}.{now[1:]}e{len(now) - 1}",
    ):
        record.add(f"a time: {text!r}", sent(timestamp=text), False, STRICT_TIME)


def add_malformed(record: Recording) -> None:
    right = signature()
    plain = right.removeprefix("v1,")
    for name, value in {
        "none": "",
        "blank": " ",
        "a word": "signature",
        "without its version": plain,
        "a version alone": "v1",
        "a version and a comma": "v1,",
        "another version": f"v2,{plain}",
        "a version in capitals": f"V1,{plain}",
        "asymmetric": f"v1a,{plain}",
        "separated by a comma": f"v1,{plain},v1,{plain}",
        "separated by equals": f"v1={plain}",
        "cut": right[:-2],
        "without its padding": right.rstrip("="),
        "in hexadecimal": "v1," + base64.b64decode(plain).hex(),
        "in the other case": f"v1,{plain.swapcase()}",
        "not ASCII": "v1," + "é" * 44,
        "no text": "\ud800",
    }.items():
        record.add(f"a signature: {name}", sent(value), False)
    record.add(
        "a signature: with a stray character",
        sent(f"v1,{plain[:5]}!{plain[5:]}"),
        False,
        STRICT_BASE64,
    )
    record.add("a signature: with more padding", sent(right + "="), False, STRICT_BASE64)
    record.add(
        "a signature: whose idle bits differ",
        sent(right[:-2] + chr(ord(right[-2]) + 1) + "="),
        False,
        "each signature has one way to be written",
    )
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        headers = {key: value for key, value in sent().headers.items() if key != name}
        record.add(f"without {name}", Sent(headers, BODY, (OURS,)), False)
    record.add(
        "an id: none", sent(by_hand(str(int(NOW.timestamp())), webhook_id=""), webhook_id=""), False
    )
    for webhook_id in ("a b", "a\tb", "é", "m" * 257):
        record.add(
            f"an id: {webhook_id[:20]!r}",
            sent(webhook_id=webhook_id),
            False,
            "an id has 1 to 256 visible characters of ASCII",
        )
    record.add("an id: no text", sent(right, webhook_id="\ud800"), False)


def main() -> None:
    record = Recording("standardwebhooks", official)
    add_valid(record)
    add_altered(record)
    add_times(record)
    add_malformed(record)
    record.write("pbx")


if __name__ == "__main__":
    main()
