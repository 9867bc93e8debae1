"""What the registry promises of every provider alike."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.callbacks import (
    CarrierRated,
    Halved,
    Ignored,
    Parsed,
    Reported,
    Unreadable,
    WebhookRequest,
)
from billing.domain.canonical import canonical_json
from billing.domain.providers import ProviderName

OPENAPI = Path(__file__).parents[3] / "docs" / "openapi.json"
NOON = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
AN_ID = "0a1b2c3d4e5f"

FORM = {
    "CallSid": AN_ID,
    "AccountSid": "AC1",
    "CallStatus": "completed",
    "CallDuration": "61",
    "Direction": "inbound",
    "Timestamp": "Sun, 22 Nov 2026 12:04:59 +0000",
    "From": "+14155550100",
    "To": "+14155550123",
}
PLIVO = {
    "CallUUID": AN_ID,
    "ParentAuthID": "MA1",
    "Event": "Hangup",
    "CallStatus": "completed",
    "Direction": "inbound",
    "Duration": "61",
    "AnswerTime": "2026-11-22 12:03:58",
    "EndTime": "2026-11-22 12:04:59",
    "From": "14155550100",
    "To": "14155550123",
}
ENDED = {"from": "14155550100", "to": "14155550123", "direction": "inbound"}
BANDWIDTH = {
    **ENDED,
    "eventType": "disconnect",
    "accountId": "9900000",
    "callId": AN_ID,
    "answerTime": "2026-11-22T12:03:58Z",
    "endTime": "2026-11-22T12:04:59Z",
}
VONAGE = {
    **ENDED,
    "status": "completed",
    "uuid": AN_ID,
    "duration": "61",
    "end_time": "2026-11-22T12:04:59Z",
}
TOKEN = "e30." + base64.urlsafe_b64encode(b'{"application_id": "a1"}').decode() + ".e30"
"""Names the account of Vonage's webhook; nobody checks its signature here."""

CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "urn:pbx:site:host",
    "type": "call.ended",
    "data": {
        **ENDED,
        "call_id": AN_ID,
        "account": "acme",
        "answered_at": "2026-11-22T12:03:58Z",
        "ended_at": "2026-11-22T12:04:59Z",
        "billable_seconds": 61,
        "status": "completed",
    },
}
FREESWITCH = {
    "variables": {
        "uuid": AN_ID,
        "billsec": "61",
        "answer_epoch": "1795348998",
        "end_epoch": "1795349059",
        "talktime_direction": "inbound",
    },
    "callflow": [
        {"caller_profile": {"caller_id_number": "+14155550100", "destination_number": "200"}}
    ],
}
ASTERISK = {
    "uniqueid": AN_ID,
    "sequence": "1",
    "src": "+14155550100",
    "dst": "200",
    "disposition": "ANSWERED",
    "billsec": "61",
    "answer": "2026-11-22 12:03:58",
    "end": "2026-11-22 12:04:59",
}


def telnyx(event_type: str, **more: object) -> dict[str, object]:
    payload = {"call_leg_id": AN_ID, "connection_id": "1", "to": "+1", **more}
    return {
        "data": {
            "event_type": event_type,
            "occurred_at": "2026-11-22T12:04:59Z",
            "payload": payload,
        }
    }


CASES = [
    pytest.param("bandwidth", BANDWIDTH, id="bandwidth"),
    pytest.param("pbx", CLOUD_EVENT, id="pbx, CloudEvent"),
    pytest.param("pbx", FREESWITCH, id="pbx, FreeSWITCH"),
    pytest.param("pbx", ASTERISK, id="pbx, Asterisk"),
    pytest.param("plivo", PLIVO, id="plivo"),
    pytest.param("signalwire", FORM, id="signalwire"),
    pytest.param("telnyx", telnyx("call.hangup"), id="telnyx, a part"),
    pytest.param(
        "telnyx",
        telnyx("call.cost", status="success", total_cost="1", cost_parts=[{"currency": "USD"}]),
        id="telnyx, a cost",
    ),
    pytest.param("twilio", FORM, id="twilio"),
    pytest.param("vonage", VONAGE, id="vonage"),
]


def parse(provider: str, content: dict[str, object], an_id: str) -> Parsed:
    """What a provider's module makes of the same report with another id."""
    is_form = provider in ("plivo", "signalwire", "twilio")
    body, kind = json.dumps(content), "application/json"
    written = json.dumps(an_id)[1:-1]
    if is_form:
        body, kind = urlencode(content), "application/x-www-form-urlencoded"
        written = urlencode({"": an_id}, errors="surrogatepass")[1:]
    assert body.count(AN_ID) == 1
    request = WebhookRequest(
        "POST",
        "https://billing.example.com/webhooks/usage/acme",
        {"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"},
        body.replace(AN_ID, written).encode(),
    )
    return PROVIDERS[provider].parse(request, "acme", NOON)


def test_every_provider_that_a_connection_may_name_is_understood() -> None:
    assert set(PROVIDERS) == set(ProviderName)
    assert len({type(provider) for provider in PROVIDERS.values()}) == len(ProviderName)
    assert PROVIDERS.get("../evil") is None
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    assert schemas["ProviderName"]["enum"] == sorted(PROVIDERS)


@pytest.mark.parametrize(("provider", "content"), CASES)
def test_an_id_is_read_as_it_is(provider: str, content: dict[str, object]) -> None:
    match parse(provider, content, AN_ID):
        case Reported((event,)):
            key = event.key
        case Halved(part):
            key = part.key
        case CarrierRated() as rated:
            key = rated.key
        case parsed:
            raise AssertionError(parsed)
    assert key.provider == provider
    assert AN_ID in key.call_id


@pytest.mark.parametrize(
    "an_id",
    [
        pytest.param("a" * 257, id="too long"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param("a\udfff", id="another one"),
        pytest.param("a\x00", id="a null"),
        pytest.param("☎" * 20, id="no id"),
    ],
)
@pytest.mark.parametrize(("provider", "content"), CASES)
def test_an_id_that_could_not_be_stored_is_parked_and_what_is_kept_of_it_can(
    provider: str, content: dict[str, object], an_id: str
) -> None:
    parsed = parse(provider, content, an_id)
    if parsed == Ignored("not_a_form"):
        # No UTF-8, so nothing that the provider signs: it was refused before it was read.
        assert provider == "plivo"
        return
    assert isinstance(parsed, Unreadable)
    kept = canonical_json(dict(parsed.callback))
    assert len(kept.encode()) < 4_096
    assert parsed == replace(parsed, callback=json.loads(kept))
    assert canonical_json([parsed.reason, parsed.detail]).encode()
