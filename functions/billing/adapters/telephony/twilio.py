"""Twilio: verify and read its voice and message status callbacks.

Sources:
    https://www.twilio.com/docs/usage/security#validating-requests
    twilio-python 9.13, ``twilio/request_validator.py`` (SharedKey signatures)
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import parse_qs

from billing.adapters.telephony import cxml
from billing.adapters.telephony.form_signature import (
    FORM,
    JSON,
    Signer,
    form_pairs,
    form_text,
    is_signed,
    media_type,
    sha1_base64,
    sha256_base64,
)
from billing.domain.callbacks import Ignored, Parsed, WebhookRequest

DIALECT = cxml.Dialect("twilio")

ALGORITHMS: dict[str, Signer] = {"HMAC_SHA1": sha1_base64, "HMAC_SHA256": sha256_base64}


class Twilio:
    """Twilio's dialect. A secret is an Auth Token, or a SharedKey's secret."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """Twilio signs no time, so ``received_at`` decides nothing: duplicates are told later."""
        try:
            signed = _signed_part_of_body(request)
            signer = _signer(request.header("X-Twilio-Webhooks-Signature-Settings"))
            if signed is None or signer is None or request.method != "POST":
                return False
            given = request.header("X-Twilio-Signature")
            return is_signed(given, secrets, request.url, signed, signer)
        except ValueError:  # Not a form, or not UTF-8: nothing that Twilio signs.
            return False

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        if media_type(request) != FORM:
            return Ignored("not_a_form")
        return cxml.read(DIALECT, form_pairs(request.body.decode()), connection_id, received_at)


def _signer(settings: str) -> Signer | None:
    """By the header that comes with SharedKey signatures: ``key=<id>,algorithm=<name>``.

    Without one it is the Auth Token's. The header may be chosen by whoever calls: it selects how
    to compute, never with which secret.
    """
    for setting in settings.split(","):
        name, _, value = setting.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return ALGORITHMS.get(value.strip().upper())
    return sha1_base64


def _signed_part_of_body(request: WebhookRequest) -> bytes | None:
    """What is signed after the URL; None if the body is not covered at all.

    Raises:
        ValueError: The body is not what its content type says.
    """
    kind = media_type(request)
    if kind == FORM:
        return form_text(request.body)
    if kind == JSON:
        request.body.decode()
        digests = parse_qs(request.url.partition("?")[2]).get("bodySHA256", [""])
        actual = hashlib.sha256(request.body).hexdigest()
        return b"" if hmac.compare_digest(actual.encode(), digests[0].encode()) else None
    return None


PROVIDER = Twilio()
