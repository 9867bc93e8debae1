"""What the sandbox's whole book says: what is collected, and what there is to tell of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from billing.adapters.gateways.sandbox_records import (
    DISPUTE,
    DISPUTE_END,
    END,
    GONE,
    OUTCOME,
    REFUND,
    SETUP,
    SETUP_END,
    Decision,
    Document,
    RefundLine,
    RefundStanding,
    SandboxCharge,
    Standing,
    derived_id,
    kind_of,
    named,
    subject_of,
)
from billing.adapters.gateways.sandbox_setups import REVOKED
from billing.domain.declines import DeclineGroup
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind

_OF_STANDING = {
    Standing.CAPTURED: GatewayEventKind.CAPTURED,
    Standing.DECLINED: GatewayEventKind.DECLINED,
    Standing.PROCESSING: GatewayEventKind.PROCESSING,
}

_OF_REFUND = {
    RefundStanding.REFUNDED: GatewayEventKind.REFUNDED,
    RefundStanding.FAILED: GatewayEventKind.REFUND_FAILED,
}


def collected(documents: Mapping[str, Document]) -> list[SandboxCharge]:
    """Every captured payment by its id, with what of it was given back."""
    charges: dict[str, SandboxCharge] = {}
    refunds: dict[str, tuple[int, int]] = {}
    for name, document in documents.items():
        kind = kind_of(name)
        if kind in (OUTCOME, END) and document["standing"] == Standing.CAPTURED:
            charge = Decision.from_document(document).charge
            assert charge is not None, name
            charges[charge.payment_id] = charge
        elif kind == REFUND:
            _, payment_id, number = name.split("#")
            line = (int(number), RefundLine.from_document(document).total_minor)
            refunds[payment_id] = max(line, refunds.get(payment_id, (0, 0)))
    return [
        replace(charge, refunded_minor=refunds.get(payment_id, (0, 0))[1])
        for payment_id, charge in sorted(charges.items())
    ]


def told(documents: Mapping[str, Document]) -> list[GatewayEvent]:
    """One event for each document that says something happened, by when it did."""
    events = (event for name in documents for event in _of_document(name, documents))
    return sorted(events, key=lambda event: (event.occurred_at, event.event_id))


def _of_document(name: str, documents: Mapping[str, Document]) -> Iterator[GatewayEvent]:
    event_id = derived_id("evt", name)
    kind = kind_of(name)
    if kind in (OUTCOME, END):
        yield from _of_payment(event_id, Decision.from_document(documents[name]))
    elif kind == REFUND:
        line = RefundLine.from_document(documents[name])
        if line.standing in _OF_REFUND:
            yield _of_refund(event_id, line, _collected(documents, subject_of(name)))
    elif kind in (DISPUTE, DISPUTE_END):
        yield _of_dispute(event_id, name, documents)
    elif kind == SETUP_END:
        yield _of_setup(event_id, name, documents)
    elif kind == GONE:
        yield from _of_source(event_id, name, documents)


def _of_payment(event_id: str, decision: Decision) -> Iterator[GatewayEvent]:
    charge = decision.charge
    if charge is None or decision.standing not in _OF_STANDING:
        return
    is_declined = decision.standing is Standing.DECLINED
    yield GatewayEvent(
        event_id,
        _OF_STANDING[decision.standing],
        decision.at,
        payment_id=charge.payment_id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        metadata=charge.metadata,
        # Why a debit will be declined is not known to anybody before it is.
        code=decision.code if is_declined else "",
        group=decision.group if is_declined else DeclineGroup.RETRY_LATER,
    )


def _of_refund(event_id: str, line: RefundLine, charge: SandboxCharge) -> GatewayEvent:
    return GatewayEvent(
        event_id,
        _OF_REFUND[line.standing],
        line.at,
        payment_id=charge.payment_id,
        amount_minor=line.amount_minor,
        currency=charge.currency,
        refunded_total_minor=line.total_minor,
        # The payment's own words too: a refund that was not made through us has no others.
        metadata={**charge.metadata, **line.metadata},
        reference=line.refund_id,
        code=line.code,
    )


def _of_dispute(event_id: str, name: str, documents: Mapping[str, Document]) -> GatewayEvent:
    payment_id = subject_of(name)
    charge = _collected(documents, payment_id)
    opened: Mapping[str, Any] = documents[named(DISPUTE, payment_id)]
    document: Mapping[str, Any] = documents[name]
    return GatewayEvent(
        event_id,
        GatewayEventKind(document["kind"]),
        datetime.fromisoformat(document["at"]),
        payment_id=payment_id,
        amount_minor=opened["amount_minor"],
        currency=charge.currency,
        metadata=charge.metadata,
        reference=opened["dispute"],
        code=opened["reason"],
    )


def _of_setup(event_id: str, name: str, documents: Mapping[str, Document]) -> GatewayEvent:
    setup_id = subject_of(name)
    begun: Mapping[str, Any] = documents[named(SETUP, setup_id)]
    end: Mapping[str, Any] = documents[name]
    is_saved = bool(end["token"])
    return GatewayEvent(
        event_id,
        GatewayEventKind.SOURCE_SAVED if is_saved else GatewayEventKind.SOURCE_FAILED,
        datetime.fromisoformat(end["at"]),
        metadata=begun["metadata"],
        reference=setup_id,
        code="" if is_saved else end["code"],
    )


def _of_source(
    event_id: str, name: str, documents: Mapping[str, Document]
) -> Iterator[GatewayEvent]:
    token = subject_of(name)
    gone: Mapping[str, Any] = documents[name]
    if gone["how"] != REVOKED:  # What we let go of ourselves is no news to us.
        return
    begun: Mapping[str, Any] = documents.get(named(SETUP, token.partition(".")[2]), {})
    yield GatewayEvent(
        event_id,
        GatewayEventKind.SOURCE_REVOKED,
        datetime.fromisoformat(gone["at"]),
        metadata=begun.get("metadata", {}),
        reference=token,
    )


def _collected(documents: Mapping[str, Document], payment_id: str) -> SandboxCharge:
    """A payment that was captured, or nothing could have been refunded or disputed."""
    found = documents.get(named(END, payment_id)) or documents[named(OUTCOME, payment_id)]
    charge = Decision.from_document(found).charge
    assert charge is not None, payment_id
    return charge
