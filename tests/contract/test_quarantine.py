"""What every quarantine keeps to."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.adapters.dynamodb.quarantine import DynamoDBQuarantine
from billing.adapters.dynamodb.table import Table
from billing.domain.account import AccountRef
from billing.ports import Parked, Quarantine
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


def test_an_error_other_than_the_condition_is_not_swallowed() -> None:
    with moto() as aws:
        quarantine = DynamoDBQuarantine(Table(aws.main_table().name + "-gone"))
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            quarantine.park(parked("CA1"))
