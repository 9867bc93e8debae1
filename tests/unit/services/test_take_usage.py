"""Taking a callback in: who is believed, where usage goes, and what the provider is told."""

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from billing.adapters.telephony.registry import PROVIDERS
from billing.domain.account import AccountRef
from billing.domain.callbacks import WebhookRequest
from billing.domain.errors import InvalidSignatureError
from billing.domain.usage import CallKey, CallStatus, UsageEvent
from billing.domain.usage_parts import PartKind
from billing.ports import Connection, Parked, PartialCall, UsageQueue
from billing.services.place_usage import Taken, TakenStatus
from billing.services.take_usage import TakeUsage
from fakes.stores import InMemoryConnections, InMemoryQuarantine
from fakes.usage_parts import InMemoryCarrierCosts, InMemoryUsageParts
from fakes.world import FixedClock, RecordingUsageQueue
from local.twilio import signed_callback

URL = "https://billing.example.com/webhooks/usage/acme"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)
SECRET = "secret"
TELNYX_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ACME = AccountRef("acme", "main")
SALES = AccountRef("acme", "sales")
CONNECTION = Connection(
    connection_id="acme",
    provider="twilio",
    secrets=(SECRET,),
    account=None,
    accounts={"AC1": ACME, "AC2": SALES},
    version=1,
    updated_at=NOW,
)
CALL = {
    "AccountSid": "AC1",
    "CallDuration": "61",
    "CallSid": "CA1",
    "CallStatus": "completed",
    "Direction": "outbound-api",
    "From": "+14155550100",
    "Timestamp": "Sun, 22 Nov 2026 12:04:59 +0000",
    "To": "+14155550123",
}
MESSAGE = {
    "AccountSid": "AC1",
    "From": "+14155550100",
    "MessageSid": "SM1",
    "MessageStatus": "delivered",
    "To": "+14155550123",
}


class World:
    """One connection and everything around it in memory."""

    def __init__(self, connection: Connection = CONNECTION) -> None:
        self.connections = InMemoryConnections()
        self.connections.save(connection, 0)
        self.quarantine = InMemoryQuarantine()
        self.queue = RecordingUsageQueue()
        self.parts = InMemoryUsageParts()
        self.costs = InMemoryCarrierCosts()
        self.clock = FixedClock(NOW)
        self.take_usage = self.taking(self.queue, self.quarantine)

    def taking(self, queue: UsageQueue, quarantine: InMemoryQuarantine) -> TakeUsage:
        return TakeUsage(
            connections=self.connections,
            quarantine=quarantine,
            queue=queue,
            parts=self.parts,
            costs=self.costs,
            clock=self.clock,
            providers=PROVIDERS,
        )

    def take(self, params: dict[str, str], secret: str = SECRET, conn: str = "acme") -> Taken:
        return self.take_usage.take(conn, callback(params, secret))

    @property
    def queued(self) -> list[tuple[AccountRef, str]]:
        return [(ref, event.key.call_id) for ref, events in self.queue.waiting for event in events]

    @property
    def parked(self) -> list[Parked]:
        return self.quarantine.parked(None, 100)


def callback(params: dict[str, str], secret: str = SECRET) -> WebhookRequest:
    headers, body = signed_callback(URL, secret, params)
    return WebhookRequest("POST", URL, headers, body)


def test_usage_goes_to_the_account_its_sub_account_is_mapped_to() -> None:
    world = World()
    assert world.take(CALL) == Taken(TakenStatus.ACCEPTED)
    assert world.take(CALL | {"AccountSid": "AC2", "CallSid": "CA2"}).status == "accepted"
    assert world.queued == [(ACME, "CA1"), (SALES, "CA2")]
    assert world.parked == []


def test_usage_of_any_other_sub_account_goes_to_the_connections_own_account() -> None:
    world = World(replace(CONNECTION, account=SALES))
    assert world.take(CALL | {"AccountSid": "AC9"}).status is TakenStatus.ACCEPTED
    assert world.queued == [(SALES, "CA1")]


def test_usage_of_a_sub_account_nobody_mapped_is_parked_once() -> None:
    world = World()
    expected = Taken(TakenStatus.PARKED, "account_not_mapped")
    assert world.take(CALL | {"AccountSid": "AC9"}) == expected
    world.clock.advance(timedelta(minutes=5))
    assert world.take(CALL | {"AccountSid": "AC9"}) == expected
    (parked,) = world.parked
    assert (parked.reason, parked.account) == ("account_not_mapped", None)
    assert (parked.connection_id, parked.parked_at) == ("acme", NOW)
    assert UsageEvent.from_json(parked.event).quantity == 61
    assert world.queued == []


def test_a_message_reported_again_later_is_still_parked_once() -> None:
    world = World()
    for status in ("sent", "delivered"):
        world.take(MESSAGE | {"AccountSid": "AC9", "MessageStatus": status})
        world.clock.advance(timedelta(minutes=5))
    assert len(world.parked) == 1


def test_reports_of_one_call_that_differ_are_parked_each() -> None:
    world = World()
    for seconds in ("61", "62"):
        world.take(CALL | {"AccountSid": "AC9", "CallDuration": seconds})
    assert len(world.parked) == 2


def test_a_callback_that_cannot_be_true_is_parked_as_it_came() -> None:
    world = World()
    assert world.take(CALL | {"CallDuration": "-5"}) == Taken(
        TakenStatus.PARKED, "invalid_quantity"
    )
    (parked,) = world.parked
    assert parked.event["CallDuration"] == "-5"
    assert parked.account == ACME
    assert world.queued == []


def test_a_call_that_goes_on_leaves_nothing_behind() -> None:
    world = World()
    assert world.take(CALL | {"CallStatus": "ringing"}) == Taken(
        TakenStatus.IGNORED, "call_not_ended"
    )
    assert world.queued == []
    assert world.parked == []


def telnyx_webhook(
    event_type: str, *, at: str = "2026-11-22T12:04:59Z", **payload: Any
) -> WebhookRequest:
    told = {"call_leg_id": "leg", "connection_id": "1", "to": "+14155550123", **payload}
    event = {"event_type": event_type, "occurred_at": at, "payload": told}
    body = json.dumps({"data": event}).encode()
    timestamp = str(int(NOW.timestamp()))
    signature = TELNYX_KEY.sign(timestamp.encode() + b"|" + body)
    headers = {
        "telnyx-timestamp": timestamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
    }
    return WebhookRequest("POST", URL, headers, body)


def telnyx_world(accounts: dict[str, AccountRef] | None = None) -> World:
    public = base64.b64encode(TELNYX_KEY.public_key().public_bytes_raw()).decode()
    accounts = {"1": ACME} if accounts is None else accounts
    return World(replace(CONNECTION, provider="telnyx", secrets=(public,), accounts=accounts))


TELNYX_CALL = CallKey("telnyx", "1", "leg")
WHOLE_CALL = (
    telnyx_webhook("call.hangup", hangup_cause="normal_clearing"),
    telnyx_webhook("call.answered", at="2026-11-22T12:03:58.5Z"),
    telnyx_webhook("call.initiated", at="2026-11-22T12:03:50Z", direction="outgoing"),
)
COST = telnyx_webhook(
    "call.cost",
    status="success",
    total_cost="0.013",
    billed_duration_secs=120,
    cost_parts=[{"currency": "USD"}],
)


def test_a_part_of_a_call_waits_for_the_others_and_parks_nothing() -> None:
    world = telnyx_world()
    request = telnyx_webhook("call.hangup", hangup_cause="normal_clearing")
    for _ in range(2):
        taken = world.take_usage.take("acme", request)
        assert taken == Taken(TakenStatus.WAITING, "half_of_a_call")
    (kept,) = world.parts.of_call(PartialCall("acme", TELNYX_CALL))
    assert (kept.part.kind, kept.part.status) == (PartKind.ENDED, CallStatus.COMPLETED)
    assert kept.account == ACME
    assert world.parked == []
    assert world.queued == []


def test_the_last_part_to_come_makes_the_call_whole() -> None:
    world = telnyx_world()
    outcomes = [world.take_usage.take("acme", request).status for request in WHOLE_CALL]
    assert outcomes == ["waiting", "waiting", "accepted"]
    ((ref, (event,)),) = world.queue.waiting
    assert (ref, event.key, event.quantity) == (ACME, TELNYX_CALL, 61)


def test_a_carriers_own_record_is_kept_with_the_call_and_bills_nothing() -> None:
    world = telnyx_world()
    for _ in range(2):
        taken = world.take_usage.take("acme", COST)
        assert taken == Taken(TakenStatus.ACCEPTED, "carrier_rated")
    (rated,) = world.costs.of_calls("acme", [TELNYX_CALL]).values()
    assert (rated.cost, rated.currency, rated.billed_seconds) == ("0.013", "USD", 120)
    assert world.parked == []
    assert world.queued == []


def test_a_carriers_record_changes_nothing_wherever_it_comes_among_the_parts() -> None:
    quantities = set()
    for requests in permutations((*WHOLE_CALL, COST)):
        world = telnyx_world()
        for request in requests:
            world.take_usage.take("acme", request)
        ((_, (event,)),) = world.queue.waiting
        quantities.add(event.quantity)
        assert world.costs.of_calls("acme", [TELNYX_CALL])
    assert quantities == {61}


def test_a_carriers_record_of_nobodys_call_is_parked() -> None:
    world = telnyx_world(accounts={})
    assert world.take_usage.take("acme", COST) == Taken(TakenStatus.PARKED, "carrier_rated")
    (parked,) = world.parked
    assert (parked.event["cost"], parked.account) == ("0.013", None)


def test_a_call_in_parts_that_nobody_is_mapped_to_is_parked_whole() -> None:
    world = telnyx_world(accounts={})
    outcomes = [world.take_usage.take("acme", request) for request in WHOLE_CALL]
    assert outcomes[-1] == Taken(TakenStatus.PARKED, "account_not_mapped")
    (parked,) = world.parked
    assert UsageEvent.from_json(parked.event).quantity == 61


def test_a_signed_time_is_compared_with_ours() -> None:
    world = telnyx_world()
    request = telnyx_webhook("call.bridged")
    world.clock.advance(timedelta(seconds=300))
    assert world.take_usage.take("acme", request).status is TakenStatus.IGNORED
    world.clock.advance(timedelta(seconds=1))
    with pytest.raises(InvalidSignatureError):
        world.take_usage.take("acme", request)


def test_an_unknown_connection_and_a_bad_signature_are_refused_alike() -> None:
    world = World()
    world.connections.save(replace(CONNECTION, connection_id="bare", secrets=()), 0)
    world.connections.save(replace(CONNECTION, connection_id="odd", provider="nobody"), 0)
    refusals = set()
    for conn, secret in [
        ("acme", "wrong"),
        ("nobody", SECRET),
        ("bare", ""),
        ("odd", SECRET),
        ("", SECRET),
        ("a#b", SECRET),
        ("x" * 1000, SECRET),
    ]:
        with pytest.raises(InvalidSignatureError) as refusal:
            world.take(CALL, secret, conn)
        refusals.add((refusal.value.code, refusal.value.detail, refusal.value.field))
    assert len(refusals) == 1
    assert world.queued == []
    assert world.parked == []


def test_an_unmapped_sub_account_needs_a_valid_signature_too() -> None:
    world = World()
    with pytest.raises(InvalidSignatureError):
        world.take(CALL | {"AccountSid": "AC9"}, "wrong")
    assert world.parked == []


def test_a_replaced_secret_counts_until_it_is_removed() -> None:
    world = World(replace(CONNECTION, secrets=("new", SECRET)))
    assert world.take(CALL).status is TakenStatus.ACCEPTED
    assert world.take(CALL, "new").status is TakenStatus.ACCEPTED
    world.connections.save(replace(CONNECTION, secrets=("new",), version=2), 1)
    with pytest.raises(InvalidSignatureError):
        world.take(CALL)


class BrokenQueue:
    def send(self, ref: AccountRef, events: Sequence[UsageEvent], cause: str = "") -> None:
        raise ConnectionError("no queue")


class BrokenQuarantine(InMemoryQuarantine):
    def park(self, parked: Parked) -> None:
        raise ConnectionError("no table")


def test_a_store_that_fails_is_no_success() -> None:
    world = World()
    take_usage = world.taking(BrokenQueue(), BrokenQuarantine())
    with pytest.raises(ConnectionError, match="no queue"):
        take_usage.take("acme", callback(CALL))
    with pytest.raises(ConnectionError, match="no table"):
        take_usage.take("acme", callback(CALL | {"AccountSid": "AC9"}))
