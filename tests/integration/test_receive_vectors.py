"""Every vector of the SDKs, through the handler: believed or refused, and never an error."""

import base64
from typing import Any

import pytest

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.account import AccountRef
from billing.ports import Connection
from billing.services.take_usage import TakeUsage
from callback_vectors import Vector, vectors
from fakes.stores import InMemoryConnections, InMemoryQuarantine
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts
from fakes.world import FixedClock, RecordingUsageQueue
from usage_ingest.receive import handle

CASES = [
    pytest.param(provider, vector, id=f"{provider}: {vector.name}")
    for provider in ("plivo", "telnyx", "vonage")
    for vector in vectors(provider)
    # The handler writes host and path itself, so another one is not the sender's to choose.
    if vector.request.url.partition("?")[0] == "https://billing.example.com/webhooks/usage/acme"
]


def event_of(vector: Vector) -> dict[str, Any]:
    """The request as API Gateway hands it over (payload format 2.0)."""
    request = vector.request
    return {
        "version": "2.0",
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "rawQueryString": request.url.partition("?")[2],
        "pathParameters": {"conn": "acme"},
        "requestContext": {"requestId": "id", "http": {"method": request.method}},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize(("provider", "vector"), CASES)
def test_a_vector_is_answered_204_or_401(provider: str, vector: Vector) -> None:
    connections = InMemoryConnections()
    connections.save(
        Connection(
            connection_id="acme",
            provider=provider,
            secrets=vector.secrets,
            account=AccountRef("acme", "main"),
            accounts={},
            version=1,
            updated_at=vector.received_at,
        ),
        0,
    )
    queue, quarantine = RecordingUsageQueue(), InMemoryQuarantine()
    take_usage = TakeUsage(
        connections=connections,
        quarantine=quarantine,
        queue=queue,
        parts=InMemoryUsageParts(),
        costs=InMemoryCarrierCosts(),
        clock=FixedClock(vector.received_at),
        providers=PROVIDERS,
    )
    answer = handle(event_of(vector), take_usage, "https://billing.example.com")
    assert answer["statusCode"] == (204 if vector.accepted else 401)
    if not vector.accepted:
        assert not queue.waiting
        assert not quarantine.parked(None, 1)
