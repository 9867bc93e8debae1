"""What may become of parked usage: decided by a person, kept for ever, never billed twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.checked_fields import InvalidFieldsError
from billing.domain.errors import InvalidInputError, InvalidUsageError, ItemClosedError
from billing.domain.quarantine import (
    FIELDS,
    HALF_OF_A_CALL,
    MAX_STEPS,
    POSTING_REASONS,
    Parked,
    ParkedState,
    dismiss,
    fix,
    is_of_posting,
    park_again,
    posting_id,
    replay,
    settle,
    successor_ids,
)
from billing.services.post_usage import UNPLACEABLE, ConflictingReportError
from builders import ACME, GLOBEX, NOON, a_call, a_usage_event

LATER = NOON + timedelta(hours=1)
CALLBACK: dict[str, Json] = {"CallSid": "CA9", "direction": "incoming", "Timestamp": "yesterday"}
WHOLE: dict[str, Json] = {
    "provider": "twilio",
    "provider_account": "AC9",
    "call_id": "CA9",
    "unit": "voice_seconds",
    "direction": "outbound",
    "from": "+14155550100",
    "to": "+14155550123",
    "status": "completed",
    "quantity": 61,
    "answered_at": "2026-03-14T11:58:59Z",
    "ended_at": "2026-03-14T12:00:00Z",
}


def parked(**overrides: Any) -> Parked:
    """What posting parks of an event that has no price."""
    event = a_usage_event()
    item = Parked(
        parked_id=posting_id(ACME, "destination_not_rated", event),
        reason="destination_not_rated",
        detail="no rate",
        connection_id="acme-twilio",
        account=ACME,
        event=event.to_json(),
        parked_at=NOON,
    )
    return replace(item, **overrides)


def fixed(item: Parked, **changes: Any) -> Parked:
    return fix(item, changes, "kim", LATER)


def test_every_reason_that_posting_parks_for_is_known() -> None:
    codes = {error.code for error in (*UNPLACEABLE, ConflictingReportError)} | {"not_found"}
    assert set(POSTING_REASONS) == codes


def test_a_fix_says_who_changed_what_from_what_to_what() -> None:
    found = fixed(parked(), to="+14155550123", quantity=60)
    assert (found.state, found.version) == (ParkedState.FIXED, 2)
    (step,) = found.steps
    assert (step.action, step.actor, step.at) == ("fix", "kim", LATER)
    assert step.before == {"to": parked().event["to"], "quantity": 61}
    assert step.after == {"to": "+14155550123", "quantity": 60}
    assert (found.usage().to_number, found.usage().quantity) == ("+14155550123", 60)
    # What came in is evidence.
    assert found.event == parked().event


def test_a_fix_builds_on_the_fix_before() -> None:
    found = fixed(fixed(parked(), quantity=60), to="+14155550123")
    assert (found.usage().quantity, found.usage().to_number) == (60, "+14155550123")
    assert found.steps[1].before == {"to": parked().event["to"]}


def test_changing_nothing_leaves_it_as_it_is() -> None:
    item = parked()
    same = {name: item.event[name] for name in FIELDS}
    assert fix(item, {**same, "account": ["acme", "main"]}, "kim", LATER) is item


@pytest.mark.parametrize("account", [["globex", "main"], None])
def test_whose_it_is_can_be_changed(account: Any) -> None:
    found = fixed(parked(), account=account)
    assert found.account == (AccountRef(*account) if account else None)
    assert (found.steps[0].before, found.steps[0].after) == (
        {"account": ["acme", "main"]},
        {"account": account},
    )
    assert found.usage() == parked().usage()


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"quantity": -1}, ["/quantity"]),
        ({"quantity": 10**8}, ["/quantity"]),
        ({"quantity": True}, ["/quantity"]),
        ({"direction": "sideways", "unit": "Pigeons"}, ["/unit", "/direction"]),
        ({"to": ""}, ["/to"]),
        ({"to": "x" * 257}, ["/to"]),
        ({"from": "\n"}, ["/from"]),
        ({"ended_at": "2026-03-14T12:00:00"}, ["/ended_at"]),
        ({"ended_at": None}, ["/ended_at"]),
    ],
)
def test_every_wrong_field_is_named(changes: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        fix(parked(), changes, "kim", LATER)
    assert [fault.pointer for fault in refused.value.faults] == fields


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answered_at": None}, "answered_at"),
        ({"status": "busy"}, "quantity"),
        ({"ended_at": "2026-03-14T11:00:00Z"}, "answered_at"),
    ],
)
def test_what_cannot_be_true_of_usage_is_no_fix(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidUsageError) as refused:
        fix(parked(), changes, "kim", LATER)
    assert refused.value.field == field


def test_an_unanswered_call_has_no_quantity() -> None:
    found = fixed(parked(), status="busy", quantity=0, answered_at=None)
    assert found.usage().answered_at is None


@pytest.mark.parametrize("name", ["provider", "provider_account", "call_id"])
def test_no_fix_makes_another_call_of_it(name: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        fix(parked(), {name: "another"}, "kim", LATER)
    assert refused.value.field == name


def test_a_callback_that_could_not_be_read_is_filled_in() -> None:
    item = parked(event=CALLBACK, reason="invalid_timestamp", account=None)
    with pytest.raises(InvalidFieldsError) as refused:
        fix(item, {"direction": "inbound"}, "kim", LATER)
    missing = {fault.pointer[1:] for fault in refused.value.faults}
    assert missing == {*FIELDS} - {"direction", "from", "answered_at"}
    found = fix(item, WHOLE, "kim", LATER)
    assert found.usage().key.call_id == "CA9"
    assert found.usage().connection_id == "acme-twilio"
    assert found.steps[0].before == {"direction": "incoming"}
    assert found.event == CALLBACK
    # It was not known before; a slip of the pen may still be put right.
    assert fixed(found, call_id="CA8").usage().key.call_id == "CA8"
    with pytest.raises(InvalidInputError):
        fixed(replay(found, ACME, "kim", LATER), call_id="CA8")


def test_a_callback_that_could_not_be_read_can_be_given_an_account() -> None:
    item = parked(event=CALLBACK, account=None)
    assert fixed(item, account=["acme", "main"]).account == ACME


def test_a_number_nobody_knows_stays_so() -> None:
    item = parked(event=a_usage_event(from_number="").to_json())
    assert fixed(item, quantity=60).usage().from_number == ""


def test_a_replay_counts_and_remembers_where_it_went() -> None:
    once = replay(parked(), ACME, "kim", LATER)
    twice = replay(once, GLOBEX, "lee", LATER)
    assert (twice.state, twice.attempts, twice.account) == (ParkedState.REPLAYED, 2, GLOBEX)
    assert [step.actor for step in twice.steps] == ["kim", "lee"]


def test_a_dismissal_says_why_and_is_final() -> None:
    found = dismiss(parked(), "a test call", "kim", LATER)
    assert (found.state, found.closed_at) == (ParkedState.DISMISSED, LATER)
    assert (found.steps[0].reason, found.steps[0].actor) == ("a test call", "kim")
    assert dismiss(found, "another reason", "lee", LATER) is found
    with pytest.raises(ItemClosedError):
        fixed(found, quantity=60)
    with pytest.raises(ItemClosedError):
        replay(found, ACME, "kim", LATER)


def test_what_was_posted_is_not_dismissed() -> None:
    with pytest.raises(ItemClosedError):
        dismiss(parked(state=ParkedState.RESOLVED), "too late", "kim", LATER)


def test_an_item_has_room_for_so_many_steps_and_one_dismissal() -> None:
    item = parked()
    for _ in range(MAX_STEPS):
        item = replay(item, ACME, "kim", LATER)
    with pytest.raises(ItemClosedError):
        replay(item, ACME, "kim", LATER)
    with pytest.raises(ItemClosedError):
        fixed(item, quantity=60)
    assert dismiss(item, "hopeless", "kim", LATER).state is ParkedState.DISMISSED


def test_only_what_was_replayed_comes_back() -> None:
    again = parked(parked_at=LATER, detail="still no rate")
    back = park_again(replay(parked(), ACME, "kim", NOON), again)
    assert back is not None
    assert (back.state, back.attempts, back.returned_at) == (ParkedState.PARKED, 1, LATER)
    assert (back.parked_at, back.detail) == (NOON, "still no rate")
    for state in set(ParkedState) - {ParkedState.REPLAYED}:
        assert park_again(parked(state=state), again) is None


def test_posting_knows_what_it_parked_itself() -> None:
    assert is_of_posting(parked())
    assert not is_of_posting(parked(parked_id="0" * 32))
    assert not is_of_posting(parked(account=None))
    assert not is_of_posting(parked(reason="account_not_mapped"))
    assert not is_of_posting(parked(event=CALLBACK))


def test_the_same_call_with_the_same_content_settles_it() -> None:
    call = a_call()
    for item in (parked(), fixed(parked(), account=["acme", "sales"])):
        found = settle(item, [call], None)
        assert (found.state, found.closed_at) == (ParkedState.RESOLVED, call.posted_at)
        assert found.version == item.version + 1


def test_the_same_call_with_other_content_settles_nothing() -> None:
    item = parked(reason="conflicting_report", event=a_usage_event(quantity=62).to_json())
    assert settle(item, [a_call()], None) is item
    corrected = replace(a_call(), fingerprint=item.usage().fingerprint)
    assert settle(item, [a_call(), corrected], None).state is ParkedState.RESOLVED


def test_half_a_call_is_settled_by_the_whole() -> None:
    event: dict[str, Json] = {name: a_usage_event().to_json()[name] for name in FIELDS[:3]}
    half = parked(reason=HALF_OF_A_CALL, event=event)
    assert half.key() == a_usage_event().key
    assert settle(half, [a_call()], None).state is ParkedState.RESOLVED
    other = parked(reason="carrier_rated", event=event)
    assert settle(other, [a_call()], None) is other


def test_what_is_closed_is_settled_already() -> None:
    closed = dismiss(parked(), "fraud", "kim", LATER)
    assert settle(closed, [a_call()], None) is closed


def test_an_item_that_another_goes_on_with_waits_no_more() -> None:
    unmapped = parked(parked_id="1" * 32, reason="account_not_mapped", account=None)
    assert successor_ids(unmapped) == ()
    replayed = replay(unmapped, ACME, "kim", NOON)
    assert parked().parked_id in successor_ids(replayed)
    found = settle(replayed, [], parked(parked_at=LATER))
    assert (found.state, found.parked_as) == (ParkedState.RESOLVED, parked().parked_id)
    assert settle(unmapped, [], parked()) is unmapped


def test_an_item_is_not_its_own_successor() -> None:
    replayed = replay(parked(), ACME, "kim", NOON)
    assert parked().parked_id not in successor_ids(replayed)
    assert len(successor_ids(replayed)) == len(POSTING_REASONS) - 1
