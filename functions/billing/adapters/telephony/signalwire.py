"""SignalWire: verify and read the status callbacks of its Compatibility API.

A form is signed by Twilio's rule; JSON by the URL and the body, as they are. The secret is the
project's signing key (``PSK_…``). The callback of a number, for its inbound calls, names no
direction.

Sources:
    signalwire-python 2.1, ``signalwire/request_validator.py``
    https://signalwire.com/docs/compatibility-api/rest/calls/webhooks/voice-status-callback
    https://signalwire.com/docs/compatibility-api/rest/incoming-phone-numbers/webhooks/incoming-call-status-callback
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from billing.adapters.telephony import cxml
from billing.adapters.telephony.fields import (
    UnreadableFieldError,
    body_digest,
    json_object,
    kept,
    text,
)
from billing.adapters.telephony.form_signature import (
    FORM,
    JSON,
    form_pairs,
    form_text,
    is_signed,
    media_type,
    sha1_base64,
    sha1_hex,
)
from billing.domain.callbacks import Ignored, Parsed, Unreadable, WebhookRequest
from billing.domain.units import Direction

DIALECT = cxml.Dialect("signalwire", undirected=Direction.INBOUND)

KEPT = (*cxml.FIELDS, "event_type", "project_id", "timestamp")


class SignalWire:
    """SignalWire's dialect."""

    def verify(
        self, request: WebhookRequest, secrets: Sequence[str], received_at: datetime
    ) -> bool:
        """SignalWire signs no time, so ``received_at`` decides nothing."""
        if request.method != "POST":
            return False
        given = request.header("X-SignalWire-Signature") or request.header("X-Twilio-Signature")
        try:
            match media_type(request):
                case kind if kind == FORM:
                    signed = form_text(request.body)
                    return is_signed(given, secrets, request.url, signed, sha1_base64)
                case kind if kind == JSON and _begins_where_the_body_does(request):
                    return is_signed(given, secrets, request.url, request.body, sha1_hex)
                case _:
                    return False
        except ValueError:  # Not a form, or not UTF-8: nothing that SignalWire signs.
            return False

    def parse(self, request: WebhookRequest, connection_id: str, received_at: datetime) -> Parsed:
        if media_type(request) == FORM:
            pairs = form_pairs(request.body.decode())
            return cxml.read(DIALECT, pairs, connection_id, received_at)
        fields: dict[str, Any] = {}
        try:
            fields = json_object(request)
            if "event_type" in fields:
                return _relay(fields)
            # The same names as in a form.
            names = [name for name in cxml.FIELDS if fields.get(name) is not None]
            pairs = [(name, text(fields, name)) for name in names]
            return cxml.read(DIALECT, pairs, connection_id, received_at)
        except UnreadableFieldError as error:
            callback = kept(fields, KEPT) or body_digest(request)
            account = callback.get("AccountSid") or callback.get("project_id") or ""
            return Unreadable(error.reason, error.detail, str(account), callback)


def _begins_where_the_body_does(request: WebhookRequest) -> bool:
    """Nothing marks the end of the URL in what is signed, so part of a body could be moved into
    the query. A brace never stands bare in a URL: the first one is the body's.
    """
    request.body.decode()
    return request.body.startswith(b"{") and "{" not in request.url


def _relay(fields: Mapping[str, Any]) -> Parsed:
    """An event of the RELAY API; what it says of a call's times is not documented."""
    params = fields.get("params")
    state = params.get("call_state") if isinstance(params, dict) else None
    if fields["event_type"] == "calling.call.state" and state in ("ended", None):
        raise UnreadableFieldError(
            "unsupported_event",
            "a RELAY call ended: usage is read from the Compatibility API's status callbacks",
        )
    return Ignored("not_usage")


PROVIDER = SignalWire()
