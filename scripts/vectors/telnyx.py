"""Write tests/vectors/telnyx.json, signed with PyNaCl and judged by Telnyx's own SDK.

pip install 'telnyx[webhooks]==4.189.0' && python -m scripts.vectors.telnyx
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from nacl.signing import SigningKey  # type: ignore[import-not-found]  # installed by hand
from telnyx import Telnyx  # type: ignore[import-not-found]  # installed by hand
from telnyx.lib.webhook_verification import (  # type: ignore[import-not-found]
    WebhookVerificationError,
    verify_webhook_signature,
)

from scripts.vectors.recording import NOW, URL, Recording, Sent

SECOND = timedelta(seconds=1)
OURS, NEXT, THEIRS = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))


def secret(key: SigningKey) -> str:
    return base64.b64encode(bytes(key.verify_key)).decode()


EVENT = {
    "data": {
        "record_type": "event",
        "event_type": "call.hangup",
        "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
        "occurred_at": "2026-11-22T12:04:59.521992Z",
        "payload": {
            "call_control_id": "v3:AgDIxmoRX6QMuaIj_uXRXnPAXP0QlNfX",
            "call_leg_id": "428c31b6-7af4-4bcb-b7f5-5013ef9657c1",
            "call_session_id": "428c31b6-abf3-3bc1-b7f4-5013ef9657c1",
            "client_state": "dGVuYW50PUdyw7zDn2U=",
            "connection_id": "1684641123236054244",
            "from": "+14155550100",
            "hangup_cause": "normal_clearing",
            "hangup_source": "caller",
            "start_time": "2026-11-22T12:03:50.000000Z",
            "state": "hangup",
            "tags": ["Grüße"],
            "to": "+14155550123",
        },
    },
    "meta": {"attempt": 1, "delivered_to": URL},
}
BODY = json.dumps(EVENT, ensure_ascii=False).encode()


def signature(body: bytes, timestamp: str, key: SigningKey = OURS) -> str:
    return base64.b64encode(key.sign(timestamp.encode() + b"|" + body).signature).decode()


def sent(
    body: bytes = BODY,
    *,
    at: datetime = NOW,
    key: SigningKey = OURS,
    secrets: tuple[SigningKey | str, ...] = (OURS,),
    url: str = URL,
    received_at: datetime = NOW,
    **headers: str | None,
) -> Sent:
    timestamp = str(int(at.timestamp()))
    given: dict[str, str | None] = {
        "Content-Type": "application/json",
        "telnyx-signature-ed25519": signature(body, timestamp, key),
        "telnyx-timestamp": timestamp,
    }
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Sent(
        headers={name: value for name, value in given.items() if value is not None},
        body=body,
        secrets=tuple(each if isinstance(each, str) else secret(each) for each in secrets),
        url=url,
        received_at=received_at,
    )


def official(request: Sent, public_key: str) -> bool:
    """The verdict of the verifier, which the client's own unwrapping has to confirm."""
    with patch("time.time", lambda: request.received_at.timestamp()):
        try:
            verify_webhook_signature(request.body, request.headers, public_key)
        except (WebhookVerificationError, UnicodeDecodeError):
            return False
        client = Telnyx(api_key="unused", public_key=public_key)
        client.webhooks.unwrap(request.body.decode(), headers=dict(request.headers))
    return True


def main() -> None:
    record = Recording("telnyx", official)
    right = signature(BODY, str(int(NOW.timestamp())))
    record.add("a valid webhook", sent(), True)
    record.add(
        "headers in capitals",
        Sent(
            {name.upper(): value for name, value in sent().headers.items()}, BODY, (secret(OURS),)
        ),
        True,
    )
    for seconds, is_in in [
        (-301, False),
        (-300, True),
        (-299, True),
        (299, True),
        (300, True),
        (301, False),
    ]:
        record.add(f"{seconds} s from now", sent(at=NOW + seconds * SECOND), is_in)
    late = NOW + timedelta(milliseconds=999)
    record.add(
        "300 s old, and the rest of a second", sent(at=NOW - 300 * SECOND, received_at=late), True
    )
    record.add("signed by another tenant's key", sent(key=THEIRS), False)
    record.add("by the old key while both count", sent(secrets=(NEXT, OURS)), True)
    record.add("by the new key while both count", sent(key=NEXT, secrets=(NEXT, OURS)), True)
    record.add("by a key that was removed", sent(secrets=(NEXT,)), False)
    record.add("no key", sent(secrets=()), False)
    record.add("an empty key", sent(secrets=("",)), False)
    record.add("a key that is no base64", sent(secrets=("?",)), False)
    record.add("a key of 31 bytes", sent(secrets=(base64.b64encode(b"k" * 31).decode(),)), False)
    altered = BODY.replace(b"+14155550123", b"+14155550124")
    record.add("an altered body", sent(altered, telnyx_signature_ed25519=right), False)
    again = json.dumps(json.loads(BODY)).encode()
    record.add("the same JSON written anew", sent(again, telnyx_signature_ed25519=right), False)
    record.add("no body", sent(b"", telnyx_signature_ed25519=right), False)
    record.add("an altered URL: nothing covers it", sent(url=URL + "?x=1"), True)
    broken = BODY.replace("ü".encode(), b"\xfc")
    record.add("a body that is not UTF-8", sent(broken, telnyx_signature_ed25519=right), False)
    record.add(
        "a body that is not UTF-8, though signed",
        sent(broken),
        True,
        "bytes are what is signed; reading them finds no JSON and parks them",
    )
    record.add(
        "another second's signature", sent(telnyx_timestamp=str(int(NOW.timestamp()) + 1)), False
    )
    for name, timestamp in {
        "no time": None,
        "a blank time": "",
        "a time that is a word": "now",
        "a time with a fraction": "1795349100.0",
        "milliseconds": "1795349100000",
        "a negative time": "-1795349100",
    }.items():
        record.add(
            name,
            sent(
                telnyx_timestamp=timestamp,
                telnyx_signature_ed25519=signature(BODY, timestamp or ""),
            ),
            False,
        )
    for name, timestamp in {
        "a time in other digits": "١٧٩٥٣٤٩١٠٠",
        "a time with a space": " 1795349100",
        "a time with a sign": "+1795349100",
        "a time with an underscore": "1_795349100",
    }.items():
        record.add(
            name,
            sent(telnyx_timestamp=timestamp, telnyx_signature_ed25519=signature(BODY, timestamp)),
            False,
            "Python's int() reads it; Telnyx never writes it",
        )
    for name, value in {
        "no signature": None,
        "a blank signature": "",
        "a signature that is a word": "signature",
        "a signature that is not ASCII": "é" * 88,
        "half a signature": base64.b64encode(base64.b64decode(right)[:32]).decode(),
        "a signature and a byte": base64.b64encode(base64.b64decode(right) + b"x").decode(),
        "a signature in hexadecimal": base64.b64decode(right).hex(),
        "a signature of zeros": base64.b64encode(bytes(64)).decode(),
    }.items():
        record.add(name, sent(telnyx_signature_ed25519=value), False)
    last = chr(ord(right[85]) + 1)
    for name, value in {
        "a signature with a space": right[:8] + " " + right[8:],
        "a signature with a line break": right + "\n",
        "a signature whose idle bits differ": right[:85] + last + "==",
    }.items():
        record.add(
            name,
            sent(telnyx_signature_ed25519=value),
            False,
            "lenient base64 reads it; Telnyx never writes it",
        )
    record.add("a date of 1970", sent(at=datetime(1970, 1, 1, tzinfo=UTC)), False)
    record.write("telnyx")


if __name__ == "__main__":
    main()
