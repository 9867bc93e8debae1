"""What every quarantine keeps to."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.domain.errors import BookContendedError, ConflictError, NotFoundError
from billing.domain.quarantine import ParkedState, dismiss, fix, posting_id, replay
from billing.domain.usage import UsageEvent
from billing.ports import Parked, Quarantine
from builders import a_usage_event
from contract.aws import EVERYWHERE, NOON, moto, opened
from fakes.stores import InMemoryQuarantine


@pytest.fixture(params=EVERYWHERE)
def quarantine(request: pytest.FixtureRequest) -> Iterator[Quarantine]:
    if request.param == "memory":
        yield InMemoryQuarantine()
        return
    with opened(request) as aws:
        yield DynamoDBQuarantine(aws.main_table())


def parked(name: str) -> Parked:
    return Parked(
        parked_id=hashlib.sha256(name.encode()).hexdigest(),
        reason="account_not_mapped",
        detail="Nobody mapped sub-account AC9.",
        connection_id="twilio-1",
        account=None,
        event={"call_id": name, "quantity": 61, "answered_at": None, "to": "+49 ☎"},
        parked_at=NOON,
    )


ACME = AccountRef("acme", "main")
LATER = NOON + timedelta(hours=1)


def unrated(number: int = 1, **overrides: Any) -> Parked:
    """What posting parks of an event that has no price."""
    event = a_usage_event(number)
    reason = "destination_not_rated"
    item = Parked(
        parked_id=posting_id(ACME, reason, event),
        reason=reason,
        detail="no rate for +999",
        connection_id=event.connection_id,
        account=ACME,
        event=event.to_json(),
        parked_at=NOON,
    )
    return replace(item, **overrides)


def opened_ids(quarantine: Quarantine) -> set[str]:
    groups = list(quarantine.open())
    assert all(len(group) <= 100 for group in groups)
    found = [item.parked_id for group in groups for item in group]
    assert len(found) == len(set(found))
    return set(found)


def test_what_is_parked_comes_back_whole(quarantine: Quarantine) -> None:
    placed = replace(parked("CA1"), account=AccountRef("acme", "main"))
    quarantine.park(placed)
    quarantine.park(parked("CA2"))
    found = quarantine.parked(None, 10)
    assert sorted(found, key=lambda kept: kept.parked_id) == found
    assert {kept.parked_id: kept for kept in found} == {
        placed.parked_id: placed,
        parked("CA2").parked_id: parked("CA2"),
    }


def test_parking_again_keeps_the_first(quarantine: Quarantine) -> None:
    quarantine.park(parked("CA1"))
    quarantine.park(replace(parked("CA1"), parked_at=NOON + timedelta(hours=1)))
    assert quarantine.parked(None, 10) == [parked("CA1")]


@pytest.mark.parametrize("limit", [1, 7, 40, 41])
def test_pages_hold_everything_once_and_in_order(quarantine: Quarantine, limit: int) -> None:
    everything = sorted(
        (parked(f"CA{number}") for number in range(40)), key=lambda kept: kept.parked_id
    )
    for kept in everything[::-1]:
        quarantine.park(kept)
    found: list[Parked] = []
    after: str | None = None
    while page := quarantine.parked(after, limit):
        assert len(page) <= limit
        found += page
        after = page[-1].parked_id
    assert found == everything


def test_an_empty_quarantine_lists_nothing(quarantine: Quarantine) -> None:
    assert quarantine.parked(None, 10) == []


def test_one_item_is_read_by_its_id(quarantine: Quarantine) -> None:
    quarantine.park(parked("CA1"))
    assert quarantine.get(parked("CA1").parked_id) == parked("CA1")


@pytest.mark.parametrize("parked_id", ["", "0" * 32, "not hexadecimal", "É", "#", "٣"])
def test_what_was_never_parked_is_not_found(quarantine: Quarantine, parked_id: str) -> None:
    with pytest.raises(NotFoundError):
        quarantine.get(parked_id)


def test_many_are_read_by_their_ids(quarantine: Quarantine) -> None:
    quarantine.park(parked("CA1"))
    quarantine.park(parked("CA2"))
    wanted = [parked("CA1").parked_id, parked("CA2").parked_id, parked("CA3").parked_id]
    assert set(quarantine.get_many(wanted)) == set(wanted[:2])
    assert quarantine.get_many([]) == {}


def test_everything_done_to_an_item_is_kept(quarantine: Quarantine) -> None:
    quarantine.park(unrated())
    fixed = fix(unrated(), {"to": "+14155550199", "account": ["acme", "sales"]}, "kim", LATER)
    quarantine.save(fixed, 1)
    assert quarantine.get(fixed.parked_id) == fixed
    assert fixed.account is not None
    replayed = replay(fixed, fixed.account, "kim", LATER)
    quarantine.save(replayed, 2)
    closed = dismiss(replayed, "a test call", "lee", LATER)
    quarantine.save(closed, 3)
    assert quarantine.get(fixed.parked_id) == closed
    assert UsageEvent.from_json(closed.current).to_number == "+14155550199"
    assert [step.action for step in closed.steps] == ["fix", "replay", "dismiss"]


def test_a_change_by_somebody_else_is_not_overwritten(quarantine: Quarantine) -> None:
    quarantine.park(unrated())
    quarantine.save(dismiss(unrated(), "mine", "kim", LATER), 1)
    with pytest.raises(ConflictError):
        quarantine.save(dismiss(unrated(), "his", "lee", LATER), 1)
    assert quarantine.get(unrated().parked_id).steps[-1].actor == "kim"


def test_what_was_replayed_in_vain_waits_again(quarantine: Quarantine) -> None:
    quarantine.park(unrated())
    quarantine.save(replay(unrated(), ACME, "kim", LATER), 1)
    quarantine.park(unrated(parked_at=LATER, detail="still no rate"))
    found = quarantine.get(unrated().parked_id)
    assert (found.state, found.attempts, found.version) == ("parked", 1, 3)
    assert (found.parked_at, found.returned_at) == (NOON, LATER)
    assert found.detail == "still no rate"


@pytest.mark.parametrize("is_fixed", [True, False])
def test_nothing_but_what_was_replayed_waits_again(quarantine: Quarantine, is_fixed: bool) -> None:
    quarantine.park(unrated())
    decided = (
        fix(unrated(), {"to": "+14155550199"}, "kim", LATER)
        if is_fixed
        else dismiss(unrated(), "fraud", "kim", LATER)
    )
    quarantine.save(decided, 1)
    quarantine.park(unrated(parked_at=LATER))
    assert quarantine.get(unrated().parked_id) == decided


def test_a_provider_that_delivers_again_takes_nothing_back(quarantine: Quarantine) -> None:
    """Only posting knows that a replay was in vain."""
    item = replace(parked("CA1"), event=a_usage_event().to_json())
    quarantine.park(item)
    replayed = replay(item, ACME, "kim", LATER)
    quarantine.save(replayed, 1)
    quarantine.park(replace(item, parked_at=LATER))
    assert quarantine.get(item.parked_id) == replayed


def test_what_is_open_is_found_and_what_is_closed_is_not(quarantine: Quarantine) -> None:
    items = [unrated(number) for number in range(1, 8)]
    for item in items:
        quarantine.park(item)
    assert opened_ids(quarantine) == {item.parked_id for item in items}
    quarantine.save(dismiss(items[0], "fraud", "kim", LATER), 1)
    quarantine.save(replay(items[1], ACME, "kim", LATER), 1)
    quarantine.save(fix(items[2], {"quantity": 60}, "kim", LATER), 1)
    quarantine.save(replace(items[3], state=ParkedState.RESOLVED, version=2), 1)
    assert opened_ids(quarantine) == {item.parked_id for item in (items[1], items[2], *items[4:])}


def test_parking_again_gives_up_to_those_who_keep_changing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with moto() as aws:
        quarantine = DynamoDBQuarantine(aws.main_table())
        quarantine.park(unrated())
        quarantine.save(replay(unrated(), ACME, "kim", LATER), 1)

        def refuse(*_: object) -> None:
            raise ConflictError("it was changed since it was read; read it again")

        monkeypatch.setattr(quarantine, "save", refuse)
        with pytest.raises(BookContendedError):
            quarantine.park(unrated())


def test_an_error_other_than_the_condition_is_not_swallowed() -> None:
    with moto() as aws:
        quarantine = DynamoDBQuarantine(Table(aws.main_table().name + "-gone"))
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            quarantine.park(parked("CA1"))
