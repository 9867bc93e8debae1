"""Usage from a tenant's own systems: CloudEvents, single or batch, with a result for each."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from api import auth, limits
from api.endpoint import Answer, Call, Endpoint
from api.problems import FieldError, RequestError
from api.schemas.usage_events import (
    MAX_EVENTS,
    UsageBatchIn,
    UsageEventIn,
    UsageResult,
    UsageResults,
)
from billing.domain.checked_fields import Fault
from billing.domain.cloud_events import BATCH_CONTENT_TYPE, CONTENT_TYPE
from billing.services.ingest_events import Ingested, IngestedStatus

READS: dict[str, type[BaseModel]] = {CONTENT_TYPE: UsageEventIn, BATCH_CONTENT_TYPE: UsageBatchIn}

MACHINE_IDS = frozenset(
    {
        "/id",
        "/source",
        "/subject",
        "/data/account",
        "/data/call_id",
        "/data/message_id",
        "/data/usage_id",
    }
)


def post_usage(call: Call) -> Answer:
    """202 once all that can be kept is durable; 422 where nothing can, with the same results."""
    is_batch = limits.require_media_type(call.headers, *READS) == BATCH_CONTENT_TYPE
    _, value = limits.read_json(call.content)
    events = _batch(value) if is_batch else [value]
    found = _ingested(call, events)
    results = UsageResults(
        results=[
            UsageResult.of(event, ingested) for event, ingested in zip(events, found, strict=True)
        ]
    )
    if found and all(ingested.status is IngestedStatus.REJECTED for ingested in found):
        raise _nothing_taken(found, results, is_batch=is_batch)
    return Answer(202, results)


def _batch(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_EVENTS:
        raise RequestError(
            "invalid_input",
            f"A batch is a JSON array of at most {MAX_EVENTS} events; nothing of it was taken.",
        )
    return value


def _ingested(call: Call, events: Sequence[Any]) -> list[Ingested]:
    """What looks like a card number stays out; the others are taken."""
    refused = {
        place: Ingested(
            IngestedStatus.REJECTED,
            "card_number_refused",
            tuple(Fault(pointer, "looks like a card number") for pointer in pointers),
        )
        for place, event in enumerate(events)
        if (pointers := limits.card_number_pointers(event, MACHINE_IDS))
    }
    taken = iter(
        call.talktime.ingest_events.ingest(
            call.tenant,
            [event for place, event in enumerate(events) if place not in refused],
            lambda: call.talktime.first_account(call.tenant),
        )
    )
    return [refused[place] if place in refused else next(taken) for place in range(len(events))]


def _nothing_taken(
    found: Sequence[Ingested], results: UsageResults, *, is_batch: bool
) -> RequestError:
    errors = [
        FieldError((f"/{place}" if is_batch else "") + fault.pointer, fault.detail)
        for place, ingested in enumerate(found)
        for fault in ingested.faults
    ]
    return RequestError(
        "invalid_usage",
        "Nothing was taken; results tells why, event by event.",
        errors=errors,
        members=results.model_dump(mode="json", exclude_unset=True),
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/usage",
        name="post_usage",
        summary="Report usage as CloudEvents, one or a batch; each event has its own result",
        tag="Usage",
        serve=post_usage,
        roles=auth.MACHINES,
        is_tenants=True,
        reads=READS,
        answers={202: UsageResults},
        problems=("invalid_usage",),
    ),
)
