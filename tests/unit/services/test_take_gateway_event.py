"""What a payment gateway's webhooks say becomes true here: once, in any order, and nothing else."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from billing.adapters.gateways.sandbox import (
    DECLINES,
    SUCCEEDS,
    TIMES_OUT_AFTER_CHARGING,
    UPI_SUCCEEDS,
)
from billing.domain.declines import DeclineGroup
from billing.domain.errors import (
    BookBusyError,
    PaymentMismatchError,
    PaymentNotCreditedError,
    PaymentUnknownError,
    StaleAccountError,
)
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import (
    DisputeState,
    OperationState,
    RechargeState,
    RefundState,
    SourceState,
)
from billing.domain.sources import UPI_NOTICE_HOURS
from billing.services.add_funding_source import NewSource
from billing.services.racing import MAX_ATTEMPTS
from billing.services.take_gateway_event import Taken
from builders import ACME, USD, a_touch, an_audit_record
from unit.told_world import Told
from unit.world import raising

MINUTE = timedelta(minutes=1)
KINDS = GatewayEventKind


# Captured


def test_a_lost_answer_is_credited_by_the_webhook_before_anybody_asks_again() -> None:
    world = Told(SUCCEEDS)
    world.lose()
    assert world.account.wallet_micros == 0
    assert world.tell(KINDS.CAPTURED) is Taken.TAKEN
    assert world.account.wallet_micros == 20 * USD
    assert world.recharge.state is RechargeState.SUCCEEDED
    assert world.operation("asked").state is OperationState.SUCCEEDED
    assert world.recharges.finish_open(ACME) is None
    assert world.account.wallet_micros == 20 * USD
    assert world.is_proven()


def test_a_webhook_that_comes_before_the_intent_is_answered_leaves_nothing_for_the_answer() -> None:
    world = Told(SUCCEEDS)
    kept = world.line.charge

    def tells_first(request: Any) -> Any:
        outcome = kept(request)
        world.tell(KINDS.CAPTURED)
        return outcome

    world.line.charge = tells_first
    assert world.ask().state is RechargeState.SUCCEEDED
    assert world.account.wallet_micros == 20 * USD
    assert world.told.count("recharge.succeeded") == 1


def test_the_same_capture_told_ten_times_is_credited_once() -> None:
    world = Told(SUCCEEDS)
    world.lose()
    assert {world.tell(KINDS.CAPTURED) for _ in range(10)} == {Taken.TAKEN}
    assert world.account.wallet_micros == 20 * USD
    assert world.told.count("recharge.succeeded") == 1


def test_what_was_answered_and_is_told_as_well_is_credited_once() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    before = world.account
    assert world.tell(KINDS.CAPTURED) is Taken.TAKEN
    assert world.account == before


def test_a_capture_of_an_attempt_that_was_given_up_is_credited_all_the_same() -> None:
    world = Told(DECLINES, SUCCEEDS)
    world.ask()
    assert [one.state for one in world.recharge.attempts] == ["failed", "succeeded"]
    late = replace(
        world.event(KINDS.CAPTURED),
        payment_id="sbx_late",
        metadata={**world.event(KINDS.CAPTURED).metadata, "attempt": "1"},
    )
    assert world.webhooks.take("sandbox", late) is Taken.TAKEN
    assert world.account.wallet_micros == 40 * USD
    assert world.is_proven()


@pytest.mark.parametrize(
    ("overrides", "gateway"),
    [
        pytest.param({"amount_minor": 2001}, "sandbox", id="a cent more"),
        pytest.param({"amount_minor": 1999}, "sandbox", id="a cent less"),
        pytest.param({"amount_minor": 0}, "sandbox", id="nothing"),
        pytest.param({"currency": "EUR"}, "sandbox", id="another currency"),
        pytest.param({}, "stripe", id="another gateway"),
    ],
)
@pytest.mark.parametrize("kind", [KINDS.CAPTURED, KINDS.DECLINED, KINDS.PROCESSING])
def test_another_payment_than_the_book_has_is_never_taken_silently(
    overrides: dict[str, Any], gateway: str, kind: GatewayEventKind
) -> None:
    world = Told(SUCCEEDS)
    world.lose()
    before = world.account
    told = replace(world.event(KINDS.CAPTURED), kind=kind, **overrides)
    with pytest.raises(PaymentMismatchError, match="recharge 1, attempt 1"):
        world.webhooks.take(gateway, told)
    assert world.account == before


NOT_OURS = [
    pytest.param({}, id="no metadata"),
    pytest.param({"order": "17"}, id="somebody else's metadata"),
    pytest.param({"tenant": "initech"}, id="another deployment's tenant"),
    pytest.param({"account": "second"}, id="another deployment's account"),
    pytest.param({"recharge": "2"}, id="a recharge that was never intended"),
    pytest.param({"attempt": "2"}, id="an attempt that was never made"),
    pytest.param({"attempt": "0"}, id="no attempt"),
    pytest.param({"recharge": "-1"}, id="a negative number"),
    pytest.param({"recharge": "1" * 10}, id="a number too long"),
    pytest.param({"recharge": "\u0661"}, id="another script's digit"),
    pytest.param({"recharge": "1 "}, id="a number with a blank"),
    pytest.param({"tenant": "acme#main"}, id="an id with a separator"),
    pytest.param({"tenant": ""}, id="an empty id"),
]


@pytest.mark.parametrize("changed", NOT_OURS)
def test_what_is_not_ours_is_acknowledged_and_changes_nothing(changed: dict[str, str]) -> None:
    world = Told(SUCCEEDS)
    world.lose()
    before = world.account
    told = world.event(KINDS.CAPTURED)
    is_other = not changed or "order" in changed
    metadata = changed if is_other else {**told.metadata, **changed}
    told = replace(told, metadata=metadata)
    assert world.webhooks.take("sandbox", told) is Taken.NOT_OURS
    assert world.account == before


# Declined, processing


def test_a_decline_begins_the_next_attempt_and_asks_nobody_for_money() -> None:
    world = Told(DECLINES, SUCCEEDS)
    world.lose()
    assert world.tell(KINDS.DECLINED) is Taken.TAKEN
    assert [one.state for one in world.recharge.attempts] == ["failed", "pending"]
    assert world.recharge.attempts[0].failure_code == "insufficient_funds"
    assert world.sandbox.captured() == []
    assert world.queue.take() == [ACME], "the worker goes on without waiting for the timer"
    world.recharges.finish_open(ACME)
    assert world.account.wallet_micros == 20 * USD


def test_a_decline_told_again_does_not_decline_the_next_attempt() -> None:
    world = Told(DECLINES, DECLINES, SUCCEEDS)
    world.lose()
    for _ in range(3):
        world.tell(KINDS.DECLINED)
    assert [one.state for one in world.recharge.attempts] == ["failed", "pending"]
    assert [cause for _, cause in world.queue.waiting] == [world.event(KINDS.DECLINED).event_id]
    world.recharges.finish_open(ACME)
    world.tell(KINDS.DECLINED)
    assert world.recharge.state is RechargeState.SUCCEEDED


def test_a_decline_of_the_last_source_fails_the_recharge_and_leaves_nothing_to_do() -> None:
    world = Told(DECLINES)
    world.lose()
    world.tell(KINDS.DECLINED)
    assert world.recharge.state is RechargeState.FAILED
    assert world.operation("asked").state is OperationState.FAILED
    assert world.queue.waiting == []


def test_a_decline_after_a_capture_of_the_same_attempt_changes_nothing() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    before = world.account
    captured = world.event(KINDS.CAPTURED)
    late = replace(captured, kind=KINDS.DECLINED, code="insufficient_funds", event_id="evt_late")
    assert world.webhooks.take("sandbox", late) is Taken.TAKEN
    assert world.account == before


def test_a_one_off_payment_is_called_off_by_the_worker_before_it_counts_as_declined() -> None:
    """Its customer still has the page, and could pay once more what we took for declined."""
    world = Told(currency="INR")
    asked = world.ask(one_off="sandbox")
    assert asked.state is RechargeState.ACTION_NEEDED
    payment_id = asked.attempt.payment_id
    assert payment_id is not None
    world.sandbox.turn_down(payment_id)
    assert world.tell(KINDS.DECLINED) is Taken.HANDED_ON
    assert not world.recharge.state.is_final
    assert world.queue.take() == [ACME]
    world.recharges.finish_open(ACME)
    assert world.recharge.state is RechargeState.FAILED


def test_an_approved_one_off_payment_is_credited_by_its_webhook() -> None:
    world = Told(currency="INR")
    world.ask(one_off="sandbox")
    world.sandbox.approve(world.recharge.attempt.payment_id or "")
    assert world.tell(KINDS.CAPTURED) is Taken.TAKEN
    assert world.account.wallet_micros == 20 * USD
    assert world.recharge.state is RechargeState.SUCCEEDED


def test_a_slow_debit_whose_answer_was_lost_is_known_to_be_on_its_way() -> None:
    world = Told(UPI_SUCCEEDS, currency="INR")
    world.lose()
    assert world.tell(KINDS.PROCESSING) is Taken.TAKEN
    attempt = world.recharge.attempt
    told = world.event(KINDS.PROCESSING)
    assert attempt.state is RechargeState.PROCESSING
    assert attempt.payment_id == told.payment_id
    assert attempt.expected_at == told.occurred_at + timedelta(hours=UPI_NOTICE_HOURS)


def test_when_a_debit_is_due_the_gateways_answer_says_and_its_webhook_does_not_change() -> None:
    world = Told(UPI_SUCCEEDS, currency="INR")
    assert world.ask().state is RechargeState.PROCESSING
    before = world.account
    assert world.tell(KINDS.PROCESSING) is Taken.TAKEN
    assert world.account == before
    world.clock.advance(timedelta(days=1))
    world.tell(KINDS.CAPTURED)
    world.tell(KINDS.PROCESSING)
    assert world.recharge.state is RechargeState.SUCCEEDED
    assert world.account.wallet_micros == 20 * USD


# Refunds and disputes


def life_of_a_payment() -> tuple[Told, list[GatewayEvent]]:
    """Charged, refunded by us and at the gateway, disputed and won: and none of it answered."""
    world = Told(SUCCEEDS)
    world.ask()
    world.clock.advance(MINUTE)
    world.refund(5 * USD)
    world.clock.advance(MINUTE)
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    world.clock.advance(MINUTE)
    world.sandbox.dispute(world.payment_id)
    world.clock.advance(MINUTE)
    world.sandbox.close_dispute(f"{world.payment_id}_dispute", won=True)
    return world, world.sandbox.events()


STORY = (
    KINDS.CAPTURED,
    KINDS.REFUNDED,
    KINDS.REFUNDED,
    KINDS.DISPUTED,
    KINDS.DISPUTE_WON,
)


def test_the_life_of_a_payment_ends_the_same_in_every_order_and_with_repetitions() -> None:
    dice = random.Random(4)
    ends: list[dict[str, Any]] = []
    for order in permutations(range(len(STORY))):
        world, events = life_of_a_payment()
        assert [event.kind for event in events] == list(STORY)
        told: Sequence[GatewayEvent] = [events[place] for place in order]
        world.deliver([*told, *dice.sample(told, 3)])
        assert world.is_proven()
        ends.append(world.standing())
    assert all(end == ends[0] for end in ends)
    assert ends[0] == {
        "wallet": 12 * USD,
        "refunded": 8 * USD,
        "disputed": 0,
        "refunds": [(0, RefundState.SUCCEEDED, 3 * USD), (1, RefundState.SUCCEEDED, 5 * USD)],
        "dispute": DisputeState.WON,
        "recharge": RechargeState.SUCCEEDED,
    }


def test_the_same_life_told_without_a_single_answer_ends_as_the_gateway_says() -> None:
    """Only webhooks speak: the charge's answer was lost, and everything happened at the gateway."""
    for order in permutations(range(4)):
        world = Told(SUCCEEDS)
        world.lose()
        world.clock.advance(MINUTE)
        world.sandbox.refund_elsewhere(world.payment_id, 300)
        world.clock.advance(MINUTE)
        world.sandbox.dispute(world.payment_id)
        world.clock.advance(MINUTE)
        world.sandbox.close_dispute(f"{world.payment_id}_dispute", won=False)
        events = world.sandbox.events()
        world.deliver(events[place] for place in order)
        assert world.account.wallet_micros == -3 * USD
        assert world.standing()["dispute"] is DisputeState.LOST
        assert world.is_proven()


@pytest.mark.parametrize("kind", [KINDS.REFUNDED, KINDS.DISPUTED, KINDS.DISPUTE_LOST])
def test_what_became_of_a_payment_that_is_not_credited_yet_has_to_be_told_again(
    kind: GatewayEventKind,
) -> None:
    world = Told(SUCCEEDS)
    world.lose()
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    world.sandbox.dispute(world.payment_id)
    world.sandbox.close_dispute(f"{world.payment_id}_dispute", won=False)
    before = world.account
    with pytest.raises(PaymentNotCreditedError):
        world.tell(kind)
    assert world.account == before


@pytest.mark.parametrize("metadata", [{}, {"tenant": "initech", "account": "main"}])
def test_a_refund_of_somebody_elses_payment_is_not_ours(metadata: dict[str, str]) -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    told = {"payment_id": "pi_of_somebody_else", "metadata": metadata}
    assert world.tell(KINDS.REFUNDED, **told) is Taken.NOT_OURS
    assert world.account.wallet_micros == 20 * USD


def test_a_gateway_that_sends_no_metadata_back_is_understood_by_the_payments_own_id() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.dispute(world.payment_id)
    assert world.tell(KINDS.DISPUTED, metadata={}) is Taken.TAKEN
    assert world.account.wallet_micros == 0


@pytest.mark.parametrize("amount_minor", [201, 205, 803, 1999])
def test_no_fraction_of_a_cent_is_lost_of_what_is_disputed(amount_minor: int) -> None:
    # Of each of them 64-bit floating point has another hundredth, just above or just below.
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.dispute(world.payment_id)
    assert world.tell(KINDS.DISPUTED, amount_minor=amount_minor) is Taken.TAKEN
    assert world.account.wallet_micros == 20 * USD - amount_minor * (USD // 100)


def test_whose_payment_it_is_the_book_says_and_not_the_metadata() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    forged = {"tenant": "globex", "account": "main"}
    assert world.tell(KINDS.REFUNDED, metadata=forged) is Taken.TAKEN
    assert world.account.wallet_micros == 17 * USD


def test_a_refund_in_another_currency_is_never_taken_silently() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.refund_elsewhere(world.payment_id, 300)
    with pytest.raises(PaymentMismatchError):
        world.tell(KINDS.REFUNDED, currency="EUR")
    assert world.account.wallet_micros == 20 * USD


def test_a_refund_whose_answer_was_lost_is_settled_by_its_webhook() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.line.is_silent = True
    world.refund(5 * USD)
    world.line.is_silent = False
    assert world.operation("refund").state is OperationState.UNKNOWN
    for _ in range(3):
        assert world.tell(KINDS.REFUNDED) is Taken.TAKEN
    assert world.operation("refund").state is OperationState.SUCCEEDED
    assert world.account.recharging.refunds == ()
    assert world.account.wallet_micros == 15 * USD
    world.refunds.finish_open(ACME)
    assert world.sandbox.captured()[0].refunded_minor == 500


def test_a_refund_of_ours_that_comes_back_is_in_the_wallet_again() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.refund(5 * USD)
    refund_id = world.event(KINDS.REFUNDED).reference
    world.clock.advance(MINUTE)
    world.sandbox.fail_refund(refund_id)
    for _ in range(2):
        assert world.tell(KINDS.REFUND_FAILED) is Taken.TAKEN
    assert world.account.wallet_micros == 20 * USD
    assert world.book.refund(ACME, "sandbox", world.payment_id, 1).state is RefundState.FAILED


def test_a_refund_made_at_the_gateway_that_comes_back_is_in_the_wallet_again() -> None:
    for is_told_first in (True, False):
        world = Told(SUCCEEDS)
        world.ask()
        world.sandbox.refund_elsewhere(world.payment_id, 300)
        world.clock.advance(MINUTE)
        world.sandbox.fail_refund(world.event(KINDS.REFUNDED).reference)
        kinds = [KINDS.REFUNDED, KINDS.REFUND_FAILED]
        for kind in kinds if is_told_first else reversed(kinds):
            assert world.tell(kind) is Taken.TAKEN
        assert world.account.wallet_micros == 20 * USD
        assert world.is_proven()


def test_a_refund_of_the_same_number_of_another_payment_is_not_taken_for_this_ones() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.line.is_silent = True
    world.refund(5 * USD)
    world.line.is_silent = False
    metadata = {**world.event(KINDS.REFUNDED).metadata, "payment": "another"}
    world.tell(KINDS.REFUNDED, metadata=metadata)
    assert world.operation("refund").state is OperationState.UNKNOWN


def test_what_came_back_may_be_given_back_again() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    for _ in range(2):
        world.sandbox.refund_elsewhere(world.payment_id, 300)
        world.tell(KINDS.REFUNDED)
        assert world.account.wallet_micros == 17 * USD
        world.clock.advance(MINUTE)
        world.sandbox.fail_refund(world.event(KINDS.REFUNDED).reference)
        world.tell(KINDS.REFUND_FAILED)
        assert world.account.wallet_micros == 20 * USD
        world.clock.advance(MINUTE)
    assert world.is_proven()


def test_what_came_back_and_was_given_back_again_may_be_told_late_and_in_any_order() -> None:
    for order in permutations(range(3)):
        world = Told(SUCCEEDS)
        world.ask()
        world.sandbox.refund_elsewhere(world.payment_id, 300)
        world.clock.advance(MINUTE)
        world.sandbox.fail_refund(world.event(KINDS.REFUNDED).reference)
        world.clock.advance(MINUTE)
        world.sandbox.refund_elsewhere(world.payment_id, 200)
        world.clock.advance(MINUTE)
        kinds = (KINDS.REFUNDED, KINDS.REFUND_FAILED)
        events = [event for event in world.sandbox.events() if event.kind in kinds]
        world.deliver(events[place] for place in order)
        assert world.account.wallet_micros == 18 * USD, order
        assert world.is_proven()


def test_a_card_whose_payment_was_disputed_is_not_asked_again() -> None:
    world = Told(SUCCEEDS)
    world.ask()
    world.sandbox.dispute(world.payment_id)
    world.tell(KINDS.DISPUTED)
    card = world.book.funding_source(ACME, "card-1")
    assert card.blocked_group is DeclineGroup.NEVER


# Sources


def begun(world: Told, method: PaymentMethod = PaymentMethod.CARD) -> str:
    """A source that its customer is about to save; the gateway's setup."""
    world.begin_source.begin(
        ACME,
        NewSource("new", "sandbox", "", "New", method),
        operation_id="begin",
        body_hash="b",
        audit=an_audit_record(operation_id="begin"),
    )
    setup = world.begin_source.setup(ACME, "new")
    assert setup is not None
    return setup.setup_id


def test_a_source_is_chargeable_as_soon_as_its_webhook_says_that_it_was_saved() -> None:
    world = Told()
    world.sandbox.finish_setup(begun(world))
    for _ in range(2):
        assert world.tell(KINDS.SOURCE_SAVED) is Taken.TAKEN
    source = world.book.funding_source(ACME, "new")
    assert (source.state, source.token) == (SourceState.ACTIVE, SUCCEEDS)
    assert world.account.recharging.default_source_id == "new"


def test_a_source_that_came_to_nothing_is_removed() -> None:
    world = Told()
    world.sandbox.fail_setup(begun(world))
    assert world.tell(KINDS.SOURCE_FAILED) is Taken.TAKEN
    source = world.book.funding_source(ACME, "new")
    assert (source.state, source.blocked_code) == (SourceState.REMOVED, "authentication_failed")


def test_a_saved_source_of_which_the_gateway_does_not_answer_has_to_be_told_again() -> None:
    world = Told()
    world.sandbox.finish_setup(begun(world))
    world.line.is_silent = True
    with pytest.raises(PaymentUnknownError):
        world.tell(KINDS.SOURCE_SAVED)
    assert world.book.funding_source(ACME, "new").state is SourceState.PENDING


def a_revoked_mandate() -> Told:
    world = Told(currency="INR")
    setup_id = begun(world, PaymentMethod.UPI)
    token = f"{UPI_SUCCEEDS}.{setup_id}"
    world.sandbox.finish_setup(setup_id, token)
    world.tell(KINDS.SOURCE_SAVED)
    world.sandbox.revoke_source(token)
    return world


def test_a_mandate_that_its_customer_took_back_is_left_alone_and_told_of_once() -> None:
    world = a_revoked_mandate()
    for _ in range(3):
        assert world.tell(KINDS.SOURCE_REVOKED) is Taken.TAKEN
    source = world.book.funding_source(ACME, "new")
    assert (source.blocked_code, source.blocked_group) == ("revoked", DeclineGroup.NEVER)
    assert world.told.count("funding_source.blocked") == 1
    policy = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
    world.set_policy(policy)
    world.recharges.collect(ACME)
    assert world.sandbox.captured() == []
    assert world.account.recharging.suspended_at is not None


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param({"state": SourceState.REMOVED}, id="removed"),
        pytest.param(
            {"blocked_code": "disputed", "blocked_group": DeclineGroup.NEVER}, id="blocked for good"
        ),
    ],
)
def test_a_source_that_nobody_charges_any_more_stays_as_it_is(standing: dict[str, Any]) -> None:
    world = a_revoked_mandate()
    stands = replace(world.book.funding_source(ACME, "new"), **standing)
    world.book.commit(a_touch(world.account, "stands", world.clock.now(), records=(stands,)))
    before = world.account
    assert world.tell(KINDS.SOURCE_REVOKED) is Taken.TAKEN
    assert world.account == before
    assert world.book.funding_source(ACME, "new") == stands


@pytest.mark.parametrize(
    ("gateway", "metadata"),
    [
        pytest.param("sandbox", {}, id="no metadata"),
        pytest.param(
            "sandbox", {"tenant": "acme", "account": "main", "source": "x"}, id="no such source"
        ),
        pytest.param(
            "sandbox", {"tenant": "globex", "account": "main", "source": "new"}, id="other tenant"
        ),
        pytest.param(
            "stripe", {"tenant": "acme", "account": "main", "source": "new"}, id="other gateway"
        ),
    ],
)
@pytest.mark.parametrize("kind", [KINDS.SOURCE_SAVED, KINDS.SOURCE_REVOKED])
def test_a_source_of_somebody_else_is_not_ours(
    kind: GatewayEventKind, gateway: str, metadata: dict[str, str]
) -> None:
    world = a_revoked_mandate()
    before = world.account
    told = replace(world.event(kind), metadata=metadata)
    assert world.webhooks.take(gateway, told) is Taken.NOT_OURS
    assert world.account == before


# Other workers


def test_a_race_with_another_worker_is_decided_again() -> None:
    world = Told(SUCCEEDS)
    world.lose()
    world.book.races.append(lambda: world.recharges.finish_open(ACME))
    assert world.tell(KINDS.CAPTURED) is Taken.TAKEN
    assert world.account.wallet_micros == 20 * USD
    assert world.is_proven()


def test_an_account_that_stays_busy_has_to_be_told_again() -> None:
    world = Told(SUCCEEDS)
    world.lose()
    world.book.races += [raising(StaleAccountError("busy"))] * MAX_ATTEMPTS
    with pytest.raises(BookBusyError):
        world.tell(KINDS.CAPTURED)
    assert world.account.wallet_micros == 0
    world.tell(KINDS.CAPTURED)
    assert world.account.wallet_micros == 20 * USD


def test_the_sandboxs_own_lost_answer_is_told_of() -> None:
    world = Told(TIMES_OUT_AFTER_CHARGING)
    assert world.ask().state is RechargeState.UNKNOWN
    world.tell(KINDS.CAPTURED)
    assert world.account.wallet_micros == 20 * USD
