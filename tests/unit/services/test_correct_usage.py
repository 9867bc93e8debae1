"""Correcting one call: once per cause, on what stands, at the price that stands."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.errors import (
    DestinationNotRatedError,
    IdConflictError,
    InvalidUsageError,
    NotFoundError,
)
from billing.domain.usage import Call, CorrectionSource, UsageEvent
from billing.services.correct_usage import CorrectedCall, CorrectUsage
from builders import ACME, GLOBEX, a_usage_event, an_account, an_audit_record, an_opening
from unit.world import BY_THE_SECOND, OPENED, World, raising

CARRIER, OPERATOR = CorrectionSource.CARRIER, CorrectionSource.OPERATOR
SECOND = 10_000
"""Micros: the deck's price of one second."""


@pytest.fixture
def world() -> World:
    world = World()
    world.open(seconds=100)
    world.upload()
    world.clock.advance(timedelta(days=1))
    return world


@pytest.fixture
def correct(world: World) -> CorrectUsage:
    return CorrectUsage(book=world.book, decks=world.decks, change_account=world.change_account)


def post(world: World, number: int = 1, seconds: int = 161) -> UsageEvent:
    event = a_usage_event(number, world.clock.now(), quantity=seconds)
    event = replace(event, answered_at=event.ended_at - timedelta(seconds=500))
    assert world.post_usage.post(ACME, [event]) == 1
    return event


def standing(world: World, event: UsageEvent) -> Call:
    return world.book.current_calls("acme", [event.key])[event.key]


def test_a_call_is_corrected_and_the_first_report_is_kept(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    assert world.account.wallet_micros == -61 * SECOND
    corrected = correct.correct(ACME, replace(event, quantity=120), CARRIER)
    assert corrected.is_new
    assert corrected.call == standing(world, event)
    assert (corrected.call.wallet_micros, corrected.call.granted[0][1]) == (20 * SECOND, 100)
    assert world.account.wallet_micros == -20 * SECOND
    (first,) = world.book.calls("acme", [event.key]).values()
    assert (first.event, first.revision) == (event, 0)
    assert world.is_proven()


def test_the_same_correction_twice_is_one(world: World, correct: CorrectUsage) -> None:
    event = replace(post(world), quantity=120)
    correct.correct(ACME, event, CARRIER)
    before = world.account
    again = correct.correct(ACME, event, CARRIER)
    assert (again.is_new, again.call.revision) == (False, 1)
    assert world.account == before


def test_a_late_repetition_does_not_undo_a_later_correction(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    correct.correct(ACME, replace(event, quantity=120), CARRIER)
    correct.correct(ACME, replace(event, quantity=110), OPERATOR)
    again = correct.correct(ACME, replace(event, quantity=120), CARRIER)
    assert (again.is_new, again.call.event.quantity) == (False, 110)
    assert world.account.wallet_micros == -10 * SECOND


def amend(
    world: World, correct: CorrectUsage, event: UsageEvent, request: str, **content: Any
) -> CorrectedCall:
    cause = (request, str(content))
    audit = replace(an_audit_record(operation_id=request), before={}, after=content)
    return correct.amend(ACME, event.key, lambda found: replace(found, **content), cause, audit)


def test_each_request_of_an_operator_is_carried_out(world: World, correct: CorrectUsage) -> None:
    event = post(world)
    for request, seconds in enumerate((120, 161, 120)):
        assert amend(world, correct, event, str(request), quantity=seconds).is_new
    assert standing(world, event).revision == 3
    assert world.account.wallet_micros == -20 * SECOND
    records = [record for record in world.book.audit_records(ACME) if "quantity" in record.after]
    stood = [record.before["quantity"] for record in records]
    assert stood == [event.quantity, 120, 161]


def test_a_repeated_request_answers_what_it_led_to(world: World, correct: CorrectUsage) -> None:
    event = post(world)
    first = amend(world, correct, event, "a", quantity=120)
    amend(world, correct, event, "b", quantity=110)
    before = world.account
    again = amend(world, correct, event, "a", quantity=120)
    assert (again.is_new, again.call) == (False, first.call)
    assert world.account == before
    with pytest.raises(IdConflictError):
        amend(world, correct, event, "a", quantity=121)


def test_a_request_that_changes_nothing_is_taken_all_the_same(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    assert amend(world, correct, event, "a", quantity=161).call.revision == 0
    amend(world, correct, event, "b", quantity=110)
    assert amend(world, correct, event, "a", quantity=161).call.revision == 0
    assert standing(world, event).event.quantity == 110


def test_a_request_keeps_what_somebody_else_corrected_meanwhile(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    world.book.races = [lambda: amend(world, correct, event, "a", to_number="+12125550100")]
    amend(world, correct, event, "b", quantity=120)
    found = standing(world, event).event
    assert (found.to_number, found.quantity) == ("+12125550100", 120)


def test_what_is_recorded_already_is_no_correction(world: World, correct: CorrectUsage) -> None:
    event = post(world)
    before = world.account
    told = correct.correct(ACME, replace(event, from_number="anonymous"), CARRIER)
    assert (told.is_new, told.call.revision) == (False, 0)
    assert world.account == before


def test_the_first_report_delivered_again_is_a_duplicate_and_no_conflict(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    correct.correct(ACME, replace(event, quantity=120), CARRIER)
    assert world.post_usage.post(ACME, [event]) == 0
    assert world.post_usage.post(ACME, [event], redelivered=True) == 0
    assert world.parked == []
    assert world.account.wallet_micros == -20 * SECOND


def test_a_report_agrees_with_the_call_as_it_was_corrected_too(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    correct.correct(ACME, replace(event, quantity=120), CARRIER)
    before = world.account
    assert world.post_usage.post(ACME, [replace(event, quantity=120)]) == 0
    assert (world.account, world.parked_reasons) == (before, [])
    assert world.post_usage.post(ACME, [replace(event, quantity=121)]) == 0
    assert (world.account, world.parked_reasons) == (before, ["conflicting_report"])


def test_a_revision_that_is_stale_is_decided_again(world: World, correct: CorrectUsage) -> None:
    event = post(world)
    world.book.races = [
        lambda: correct.correct(ACME, replace(event, quantity=110), OPERATOR),
    ]
    corrected = correct.correct(ACME, replace(event, quantity=120), CARRIER)
    assert (corrected.is_new, corrected.call.revision) == (True, 2)
    assert world.account.wallet_micros == -20 * SECOND
    assert world.is_proven()


def test_a_lost_answer_finds_the_correction_done(world: World, correct: CorrectUsage) -> None:
    event = replace(post(world), quantity=120)
    world.book.races = [lambda: correct.correct(ACME, event, CARRIER)]
    assert not correct.correct(ACME, event, CARRIER).is_new
    assert standing(world, event).revision == 1


def test_a_crash_before_the_write_leaves_nothing(world: World, correct: CorrectUsage) -> None:
    event = replace(post(world), quantity=120)
    before = world.account
    world.book.races = [raising(ConnectionError())]
    with pytest.raises(ConnectionError):
        correct.correct(ACME, event, CARRIER)
    assert (world.account, standing(world, event).revision) == (before, 0)
    assert correct.correct(ACME, event, CARRIER).is_new


@pytest.mark.parametrize("ref", [AccountRef("acme", "other"), GLOBEX])
def test_a_call_of_another_account_is_not_found(
    world: World, correct: CorrectUsage, ref: AccountRef
) -> None:
    event = post(world)
    world.book.commit(an_opening(an_account(ref, world.clock.now())))
    with pytest.raises(NotFoundError):
        correct.correct(ref, replace(event, quantity=1), OPERATOR)
    assert standing(world, event).revision == 0


def test_a_call_that_is_not_recorded_is_not_found(correct: CorrectUsage) -> None:
    with pytest.raises(NotFoundError):
        correct.correct(ACME, a_usage_event(9), CARRIER)


def test_a_correction_that_cannot_be_priced_changes_nothing(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    before = world.account
    with pytest.raises(DestinationNotRatedError):
        correct.correct(ACME, replace(event, to_number="+4420"), OPERATOR)
    future = world.clock.now() + timedelta(hours=1)
    with pytest.raises(InvalidUsageError):
        correct.correct(ACME, replace(event, ended_at=future), OPERATOR)
    assert world.account == before


def test_a_correction_keeps_the_deck_version_that_priced_the_call(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world)
    # Effective before the call: a posting of today would choose it.
    world.upload(BY_THE_SECOND.replace("0.60", "6.00"), version=2, effective_at=OPENED)
    corrected = correct.correct(ACME, replace(event, quantity=120), CARRIER)
    assert corrected.call.deck_version == 1
    assert event.answered_at is not None
    moved = replace(event, quantity=120, answered_at=event.answered_at + timedelta(seconds=1))
    assert correct.correct(ACME, moved, CARRIER).call.deck_version == 2


def test_an_unanswered_call_may_turn_out_to_have_been_answered(
    world: World, correct: CorrectUsage
) -> None:
    event = post(world, seconds=161)
    correct.correct(ACME, replace(event, quantity=0), OPERATOR)
    assert world.account.wallet_micros == 0
    assert world.account.grants[0].remaining == 100
    assert correct.correct(ACME, event, OPERATOR).call.wallet_micros == 61 * SECOND
