"""The rule Twilio signs forms by, and SignalWire after it: the URL, then the sorted pairs.

Source:
    https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl

from billing.domain.callbacks import WebhookRequest

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

Signer = Callable[[bytes, bytes], bytes]
"""Key and text to the signature as it stands in the header."""

_ORIGIN = re.compile(r"(https?)://([^/?#@:\[\]]+)(?::([0-9]+))?(?=[/?#]|\Z)")


def media_type(request: WebhookRequest) -> str:
    return request.header("Content-Type").partition(";")[0].strip().lower()


def sha1_base64(key: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, text, hashlib.sha1).digest())


def sha256_base64(key: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest())


def sha1_hex(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha1).hexdigest().encode()


def is_signed(
    given: str, secrets: Iterable[str], url: str, after_url: bytes, signer: Signer
) -> bool:
    """Whether one of the secrets made ``given`` over the URL, in either form, and what follows it.

    Raises:
        ValueError: Something holds characters that have no UTF-8.
    """
    candidates = [form.encode() + after_url for form in urls(url)]
    keys = [secret.encode() for secret in secrets if secret]
    return any(
        hmac.compare_digest(signer(key, candidate), given.encode())
        for key in keys
        for candidate in candidates
    )


def urls(url: str) -> tuple[str, ...]:
    """The URL without and with its port: Twilio's own signing is not consistent about it."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return ()
    scheme, host, given = origin.groups()
    port = given or {"https": "443", "http": "80"}[scheme]
    rest = url[origin.end() :]
    return f"{scheme}://{host}{rest}", f"{scheme}://{host}:{port}{rest}"


def form_text(body: bytes) -> bytes:
    """What of a form is signed. As in the official helper, a name counts once per distinct value.

    Raises:
        ValueError: It is no form, or not UTF-8.
    """
    pairs = sorted(set(form_pairs(body.decode())))
    return "".join(name + value for name, value in pairs).encode()


def form_pairs(text: str) -> list[tuple[str, str]]:
    """The form's pairs, blank values included.

    Each must have its equals sign, as Twilio always writes it. The signature leaves the signs out,
    so a lenient reader would take ``To&sip:a`` for ``To=sip:a`` and still find it valid. And each
    must have a name: one with neither name nor value adds nothing to what is signed.

    Raises:
        ValueError: A pair has no equals sign, or no name.
    """
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    if not all(name for name, _ in pairs):
        raise ValueError("a value has no name")
    return pairs
