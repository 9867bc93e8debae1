"""The first source becomes the default, and a recharge that waited for one becomes due."""

import pytest

from billing.domain.account import RechargePolicy
from billing.domain.errors import IdConflictError
from billing.ports import AlreadyRecordedError
from billing.services.add_funding_source import AddFundingSource, NewSource
from builders import ACME, USD, an_audit_record
from unit.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def add(world: World, source_id: str, body_hash: str = "b") -> None:
    AddFundingSource(world.change_account).add(
        ACME,
        NewSource(source_id, "sandbox", "tok_succeeds", "Visa ending in 4242"),
        operation_id=f"add {source_id}",
        body_hash=body_hash,
        audit=an_audit_record(operation_id=f"add {source_id}"),
    )


def test_the_first_source_becomes_the_default_and_the_second_does_not(world: World) -> None:
    for source_id in ("card-1", "card-2"):
        add(world, source_id)
        assert world.account.recharging.default_source_id == "card-1"
        assert world.book.funding_source(ACME, source_id).token == "tok_succeeds"
    assert len(world.book.audit_records(ACME)) == 2


def test_a_recharge_that_only_lacked_a_source_becomes_due(world: World) -> None:
    world.set_policy(RechargePolicy("fixed", 10 * USD, amount_micros=USD))
    assert not world.is_recharge_due()
    add(world, "card-1")
    assert world.is_recharge_due()


def test_a_replayed_request_is_answered_without_the_gateways_token(world: World) -> None:
    add(world, "card-1")
    before = world.account
    with pytest.raises(AlreadyRecordedError) as answered:
        add(world, "card-1")
    assert "tok_succeeds" not in str(answered.value.operation.answer)
    with pytest.raises(IdConflictError):
        add(world, "card-1", body_hash="c")
    assert world.account == before
