"""Standard Webhooks: a symmetric signature over id, time and body, verified or made.

Source:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from billing.domain.callbacks import WebhookRequest

TOLERANCE = timedelta(seconds=300)
"""How far a webhook's time may lie before or after its arrival (as in the official libraries)."""

SECRET_PREFIX = "whsec_"  # noqa: S105  # what marks a secret, not one

# Full stops separate what is signed, so an id must not hold one (as the specification warns):
# part of it could pass for the time, and the time for the beginning of the body.
_ID = re.compile(r"[!-\-/-~]{1,256}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,9}")
_SIGNATURE = re.compile(r"v1,([A-Za-z0-9+/]{43}=)")


def is_signed(request: WebhookRequest, secrets: Sequence[str], received_at: datetime) -> bool:
    """Whether one of the secrets signed the request within the tolerance. Never raises."""
    webhook_id = request.header("webhook-id")
    timestamp = request.header("webhook-timestamp")
    if not _ID.fullmatch(webhook_id) or not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(received_at - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode() + request.body
    given = list(_signatures(request.header("webhook-signature")))
    return any(
        hmac.compare_digest(signature(key, signed), one) for key in _keys(secrets) for one in given
    )


def sign(webhook_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers of a webhook that goes out: one signature for each of the secrets."""
    assert _ID.fullmatch(webhook_id), webhook_id
    timestamp = str(int(at.timestamp()))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    made = [f"v1,{signature(key, signed).decode()}" for key in _keys(secrets)]
    assert len(made) == len(secrets) > 0, "every secret signs"
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(made),
    }


def signature(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def _signatures(header: str) -> Iterator[bytes]:
    """Those of version 1; a sender may add others, and one for each of its secrets."""
    for labelled in header.split(" "):
        found = _SIGNATURE.fullmatch(labelled)
        if found:
            yield found.group(1).encode()


def _keys(secrets: Sequence[str]) -> Iterator[bytes]:
    """Only secrets that are one: an empty or broken secret must never verify anything."""
    for secret in secrets:
        text = secret.removeprefix(SECRET_PREFIX).rstrip("=")
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            continue
        if key:
            yield key
