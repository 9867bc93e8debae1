"""What every gateway's webhooks keep to: nothing unsigned counts, and each kind is understood."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest

from billing.domain.callbacks import WebhookRequest
from billing.domain.declines import DeclineGroup
from billing.domain.errors import InvalidInputError
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.ports import ActionNeeded, Declined, Processing, Refunded
from contract.gateway_asking import (
    NEEDS,
    SETUP_KEY,
    asking,
    asking_once,
    captured,
    refunding,
    saved,
    saving,
    says,
)
from contract.gateway_beds import Behaviour, Capability, GatewayBed, needs

ANOTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQgb2Ygbm8gZ2F0ZXdheSBhdCBhbGw="
JUST_WITHIN = timedelta(minutes=4, seconds=50)
JUST_BEYOND = timedelta(minutes=5, seconds=10)
MUTATIONS = 300


def the_event(bed: GatewayBed, kind: GatewayEventKind) -> GatewayEvent:
    """What the one webhook of that kind says, after its signature was verified."""
    (request,) = bed.requests(kind)
    assert bed.webhooks.verify(request, [bed.webhook_secret], bed.now())
    event = bed.webhooks.parse(request)
    assert event is not None
    assert (event.kind, bool(event.event_id)) == (kind, True)
    assert event.occurred_at.tzinfo is UTC
    assert abs(bed.now() - event.occurred_at) <= timedelta(minutes=1)
    return event


def a_request(bed: GatewayBed) -> WebhookRequest:
    """That a payment was captured."""
    captured(bed)
    (request,) = bed.requests(GatewayEventKind.CAPTURED)
    return request


def test_a_captured_payment_is_told_with_what_we_said_of_it(dialect_bed: GatewayBed) -> None:
    payment_id = captured(dialect_bed)
    event = the_event(dialect_bed, GatewayEventKind.CAPTURED)
    assert (event.payment_id, event.amount_minor, event.currency) == (payment_id, 2_500, "USD")
    assert says(event.metadata)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour.INSUFFICIENT_FUNDS,
        Behaviour.EXPIRED_CARD,
        Behaviour.STOLEN,
        Behaviour.NEEDS_ACTION,
    ],
)
def test_a_decline_is_told_as_it_was_answered(
    dialect_bed: GatewayBed, behaviour: Behaviour
) -> None:
    needs(dialect_bed, NEEDS[behaviour])
    answer = dialect_bed.gateway.charge(asking(dialect_bed, behaviour))
    event = the_event(dialect_bed, GatewayEventKind.DECLINED)
    assert Declined(event.code, event.group) == answer
    assert event.payment_id
    assert says(event.metadata)


def test_a_debit_is_told_when_it_is_under_way_and_again_when_it_is_captured(
    dialect_bed: GatewayBed,
) -> None:
    needs(dialect_bed, Capability.UPI)
    answer = dialect_bed.gateway.charge(asking(dialect_bed, Behaviour.UPI_SUCCEEDS))
    assert isinstance(answer, Processing)
    begun = the_event(dialect_bed, GatewayEventKind.PROCESSING)
    assert (begun.payment_id, says(begun.metadata)) == (answer.payment_id, True)
    dialect_bed.advance(answer.expected_at - dialect_bed.now())
    ended = the_event(dialect_bed, GatewayEventKind.CAPTURED)
    assert (ended.payment_id, ended.amount_minor) == (answer.payment_id, 2_500)
    assert says(ended.metadata)


def test_a_debit_that_is_declined_in_the_end_is_told_so(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.UPI)
    answer = dialect_bed.gateway.charge(asking(dialect_bed, Behaviour.UPI_DECLINES))
    assert isinstance(answer, Processing)
    assert dialect_bed.requests(GatewayEventKind.DECLINED) == []
    assert the_event(dialect_bed, GatewayEventKind.PROCESSING).code == ""
    dialect_bed.advance(answer.expected_at - dialect_bed.now())
    event = the_event(dialect_bed, GatewayEventKind.DECLINED)
    assert (event.payment_id, event.group) == (answer.payment_id, DeclineGroup.RETRY_LATER)
    assert says(event.metadata)


def test_an_approval_is_told_as_a_capture(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.ONE_OFF)
    answer = dialect_bed.gateway.charge(asking_once(dialect_bed))
    assert isinstance(answer, ActionNeeded)
    assert dialect_bed.requests(GatewayEventKind.CAPTURED) == []
    dialect_bed.approve(answer.payment_id)
    event = the_event(dialect_bed, GatewayEventKind.CAPTURED)
    assert (event.payment_id, says(event.metadata)) == (answer.payment_id, True)


def test_a_refund_is_told_with_the_running_total(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.REFUNDS)
    payment_id = captured(dialect_bed)
    dialect_bed.gateway.refund(refunding(dialect_bed, payment_id, 1_000, "one"))
    event = the_event(dialect_bed, GatewayEventKind.REFUNDED)
    assert (event.payment_id, event.refunded_total_minor) == (payment_id, 1_000)
    assert says(event.metadata)
    dialect_bed.gateway.refund(refunding(dialect_bed, payment_id, 500, "two"))
    totals = {
        told.refunded_total_minor
        for request in dialect_bed.requests(GatewayEventKind.REFUNDED)
        if (told := dialect_bed.webhooks.parse(request))
    }
    assert totals == {1_000, 1_500}


def test_a_refund_from_the_dashboard_is_told_too(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.REFUND_ELSEWHERE)
    payment_id = captured(dialect_bed)
    dialect_bed.refund_elsewhere(payment_id, 700)
    event = the_event(dialect_bed, GatewayEventKind.REFUNDED)
    assert (event.payment_id, event.refunded_total_minor) == (payment_id, 700)
    assert says(event.metadata)


def test_a_refund_that_failed_is_told(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.REFUND_FAILURE)
    payment_id = captured(dialect_bed)
    answer = dialect_bed.gateway.refund(refunding(dialect_bed, payment_id))
    assert isinstance(answer, Refunded)
    dialect_bed.fail_refund(answer.refund_id)
    event = the_event(dialect_bed, GatewayEventKind.REFUND_FAILED)
    assert (event.payment_id, event.reference) == (payment_id, answer.refund_id)
    assert event.amount_minor == 2_500


@pytest.mark.parametrize("won", [True, False], ids=["won", "lost"])
def test_a_dispute_is_told_when_it_is_opened_and_when_it_is_decided(
    dialect_bed: GatewayBed, won: bool
) -> None:
    needs(dialect_bed, Capability.DISPUTES)
    payment_id = captured(dialect_bed)
    dispute_id = dialect_bed.dispute(payment_id)
    opened = the_event(dialect_bed, GatewayEventKind.DISPUTED)
    assert (opened.payment_id, opened.reference) == (payment_id, dispute_id)
    assert (opened.amount_minor, opened.currency, bool(opened.code)) == (2_500, "USD", True)
    dialect_bed.close_dispute(dispute_id, won=won)
    kinds = (GatewayEventKind.DISPUTE_LOST, GatewayEventKind.DISPUTE_WON)
    closed = the_event(dialect_bed, kinds[won])
    assert (closed.payment_id, closed.reference) == (payment_id, dispute_id)
    assert dialect_bed.requests(kinds[not won]) == []


@pytest.mark.parametrize("ok", [True, False], ids=["saved", "failed"])
def test_a_finished_setup_is_told(dialect_bed: GatewayBed, ok: bool) -> None:
    needs(dialect_bed, Capability.SETUPS)
    needs(dialect_bed, *(() if ok else (Capability.SETUP_FAILURE,)))
    setup = dialect_bed.gateway.begin_setup(saving(dialect_bed))
    dialect_bed.finish_setup(setup.setup_id, PaymentMethod.CARD, ok=ok)
    kinds = (GatewayEventKind.SOURCE_FAILED, GatewayEventKind.SOURCE_SAVED)
    event = the_event(dialect_bed, kinds[ok])
    assert event.reference == setup.setup_id
    assert event.metadata.items() >= {"account": "main", "setup": SETUP_KEY}.items()
    assert bool(event.code) is not ok


def test_a_revoked_mandate_is_told(dialect_bed: GatewayBed) -> None:
    needs(dialect_bed, Capability.UPI, Capability.SETUPS, Capability.REVOCATION)
    source = saved(dialect_bed, PaymentMethod.UPI)
    dialect_bed.revoke(source.token)
    assert the_event(dialect_bed, GatewayEventKind.SOURCE_REVOKED).reference == source.token


def test_what_we_did_once_is_told_as_one_event(dialect_bed: GatewayBed) -> None:
    request = asking(dialect_bed)
    for _ in range(2):
        dialect_bed.gateway.charge(request)
    first, again = (the_event(dialect_bed, GatewayEventKind.CAPTURED) for _ in range(2))
    assert first == again


def test_events_of_two_payments_have_two_ids(dialect_bed: GatewayBed) -> None:
    captured(dialect_bed, "one")
    captured(dialect_bed, "two")
    parsed = map(dialect_bed.webhooks.parse, dialect_bed.requests(GatewayEventKind.CAPTURED))
    assert len({event.event_id for event in parsed if event}) == 2


def test_one_altered_bit_of_the_body_is_noticed_wherever_it_is(dialect_bed: GatewayBed) -> None:
    request = a_request(dialect_bed)
    accepted = [
        position
        for position in range(len(request.body))
        if _is_verified(dialect_bed, replace(request, body=_flipped(request.body, position)))
    ]
    assert (_is_verified(dialect_bed, request), accepted) == (True, [])


def test_only_what_was_posted_counts(dialect_bed: GatewayBed) -> None:
    assert not _is_verified(dialect_bed, replace(a_request(dialect_bed), method="GET"))


@pytest.mark.parametrize("change", [b"", b" ", b"\n"], ids=["cut", "a space more", "a line more"])
def test_a_body_of_another_length_is_noticed(dialect_bed: GatewayBed, change: bytes) -> None:
    request = a_request(dialect_bed)
    body = request.body + change if change else request.body[:-1]
    assert not _is_verified(dialect_bed, replace(request, body=body))


def test_a_body_written_anew_is_noticed(dialect_bed: GatewayBed) -> None:
    request = a_request(dialect_bed)
    body = json.dumps(json.loads(request.body), indent=1).encode()
    assert not _is_verified(dialect_bed, replace(request, body=body))


@pytest.mark.parametrize("late", [True, False], ids=["old", "from the future"])
def test_a_signature_counts_for_five_minutes(dialect_bed: GatewayBed, late: bool) -> None:
    request = a_request(dialect_bed)
    sign = 1 if late else -1
    secrets = [dialect_bed.webhook_secret]
    within = dialect_bed.now() + sign * JUST_WITHIN
    beyond = dialect_bed.now() + sign * JUST_BEYOND
    assert dialect_bed.webhooks.verify(request, secrets, within)
    assert not dialect_bed.webhooks.verify(request, secrets, beyond)


def test_while_secrets_change_either_one_counts(dialect_bed: GatewayBed) -> None:
    request = a_request(dialect_bed)
    ours = dialect_bed.webhook_secret
    for secrets in ([ANOTHER_SECRET, ours], [ours, ANOTHER_SECRET]):
        assert dialect_bed.webhooks.verify(request, secrets, dialect_bed.now())


@pytest.mark.parametrize(
    "secrets",
    [
        pytest.param([], id="none"),
        pytest.param([""], id="an empty one"),
        pytest.param(["whsec_"], id="one that is only its beginning"),
        pytest.param([ANOTHER_SECRET], id="another one"),
    ],
)
def test_without_the_right_secret_nothing_counts(
    dialect_bed: GatewayBed, secrets: list[str]
) -> None:
    request = a_request(dialect_bed)
    assert not dialect_bed.webhooks.verify(request, secrets, dialect_bed.now())


def test_broken_headers_never_verify_and_never_raise(dialect_bed: GatewayBed) -> None:
    request = a_request(dialect_bed)
    names = [name for name in request.headers if name.lower() != "content-type"]
    assert names
    for name in names:
        missing = {key: value for key, value in request.headers.items() if key != name}
        assert not _is_verified(dialect_bed, replace(request, headers=missing))
        for value in ("", "x", "t=,v1=", "v1,", "t=1,v1=é", "\ud800", "9" * 400, "t=٣,v1=aa", "-1"):
            broken = {**request.headers, name: value}
            assert not _is_verified(dialect_bed, replace(request, headers=broken))


def test_headers_are_read_in_any_case(dialect_bed: GatewayBed) -> None:
    request = a_request(dialect_bed)
    shouted = {name.upper(): value for name, value in request.headers.items()}
    assert _is_verified(dialect_bed, replace(request, headers=shouted))


@pytest.mark.parametrize("name", ["something.new", "payment.captured.v2", "CAPTURED"])
def test_a_type_we_do_not_know_says_nothing(dialect_bed: GatewayBed, name: str) -> None:
    request = a_request(dialect_bed)
    document = {**json.loads(request.body), "type": name}
    assert _parsed(dialect_bed, json.dumps(document).encode(), request) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="nested without end"),
        pytest.param(b'{"id":' + b"9" * 5_000 + b"}", id="a number without end"),
    ],
)
def test_what_is_signed_and_no_event_is_refused(dialect_bed: GatewayBed, body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        _parsed(dialect_bed, body, a_request(dialect_bed))


def test_what_is_signed_and_malformed_is_refused_and_nothing_else(
    dialect_bed: GatewayBed,
) -> None:
    """Each mutation is read into an event, says nothing, or is refused with the field named."""
    seeded = random.Random(20260314)
    refused: list[InvalidInputError] = []
    for request in _one_of_each_kind(dialect_bed):
        document = json.loads(request.body)
        for _ in range(MUTATIONS):
            body = json.dumps(_mutated(document, seeded)).encode()
            try:
                event = _parsed(dialect_bed, body, request)
            except InvalidInputError as error:
                refused.append(error)
            else:
                assert event is None or _is_sound(event), body
    assert len(refused) > MUTATIONS
    assert all(error.field for error in refused)


def _one_of_each_kind(bed: GatewayBed) -> Iterator[WebhookRequest]:
    payment_id = captured(bed)
    plays: list[tuple[Capability, Callable[[], object]]] = [
        (Capability.REFUND_ELSEWHERE, lambda: bed.refund_elsewhere(payment_id, 100)),
        (Capability.DISPUTES, lambda: bed.close_dispute(bed.dispute(payment_id), won=True)),
        (Capability.SETUPS, lambda: saved(bed)),
        (
            Capability.DECLINE_CODES,
            lambda: bed.gateway.charge(asking(bed, Behaviour.INSUFFICIENT_FUNDS, "declined")),
        ),
    ]
    for capability, play in plays:
        if capability not in bed.lacks:
            play()
    for kind in GatewayEventKind:
        yield from bed.requests(kind)[:1]


NASTY: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", " ", "x" * 5_000, "\x00", "\ud800", "2026-13-45", "٣",
    [], [[]], {}, {"id": None}, {"": {}}, "pi_1/../..", 253_402_300_800, -(10**18), "NaN",
]  # fmt: skip


def _mutated(document: Any, seeded: random.Random) -> Any:
    """One value somewhere replaced or left out, or a few of them."""
    mutated = json.loads(json.dumps(document))
    for _ in range(seeded.choice((1, 1, 1, 3))):
        parents = list(_containers(mutated))
        parent = seeded.choice(parents)
        key = seeded.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        if seeded.random() < 0.2:
            del parent[key]
        else:
            parent[key] = seeded.choice(NASTY)
    return mutated


def _containers(value: Any) -> Iterator[Any]:
    """Every object and list that holds something, from the outside in."""
    if not isinstance(value, dict | list) or not value:
        return
    yield value
    for inner in value.values() if isinstance(value, dict) else value:
        yield from _containers(inner)


def _is_sound(event: GatewayEvent) -> bool:
    """Whether an event holds only what its types and its docstring say."""
    texts = (event.event_id, event.payment_id, event.currency, event.reference, event.code)
    amounts = (event.amount_minor, event.refunded_total_minor or 0)
    return (
        bool(event.event_id)
        and all(_is_text(text) for text in texts)
        and all(type(amount) is int and amount >= 0 for amount in amounts)
        and event.occurred_at.tzinfo is UTC
        and isinstance(event.group, DeclineGroup)
        and all(_is_text(text) for item in event.metadata.items() for text in item)
    )


def _is_text(value: object) -> bool:
    """Whether it can be stored: half a surrogate pair cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_verified(bed: GatewayBed, request: WebhookRequest) -> bool:
    return bed.webhooks.verify(request, [bed.webhook_secret], bed.now())


def _parsed(bed: GatewayBed, body: bytes, request: WebhookRequest) -> GatewayEvent | None:
    return bed.webhooks.parse(replace(request, body=body))


def _flipped(body: bytes, position: int) -> bytes:
    return body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
