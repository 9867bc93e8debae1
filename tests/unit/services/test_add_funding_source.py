"""A token is kept and shown to nobody; the first source becomes the default."""

import pytest

from billing.domain.errors import IdConflictError, InvalidInputError, TooManySourcesError
from billing.domain.funding import MAX_SOURCES
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.ports import AlreadyRecordedError
from billing.services.add_funding_source import AddFundingSource, NewSource
from builders import ACME, USD, an_audit_record
from unit.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.open()
    return world


def add(world: World, source_id: str, body_hash: str = "b", gateway: str = "sandbox") -> None:
    AddFundingSource(world.book, world.change_account).add(
        ACME,
        NewSource(source_id, gateway, "tok_succeeds", "Visa ending in 4242"),
        operation_id=f"add {source_id}",
        body_hash=body_hash,
        audit=an_audit_record(operation_id=f"add {source_id}"),
    )


def test_the_first_source_becomes_the_default_and_the_second_a_backup(world: World) -> None:
    for source_id in ("card-1", "card-2"):
        add(world, source_id)
        assert world.account.recharging.default_source_id == "card-1"
        assert world.book.funding_source(ACME, source_id).token == "tok_succeeds"
    assert world.account.recharging.source_ids == ("card-1", "card-2")
    assert len(world.book.audit_records(ACME)) == 2


def test_a_recharge_that_only_lacked_a_source_becomes_due(world: World) -> None:
    world.set_policy(RechargePolicy(RechargeMode.FIXED, 10 * USD, amount_micros=USD))
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


def test_a_gateway_that_hands_no_token_over_is_not_believed_to(world: World) -> None:
    with pytest.raises(InvalidInputError, match="leave out token") as refused:
        add(world, "card-1", gateway="stripe")
    assert refused.value.field == "token"
    assert world.book.funding_sources(ACME) == []


def test_an_account_has_so_many_sources_and_no_more(world: World) -> None:
    for number in range(MAX_SOURCES):
        add(world, f"card-{number:02d}")
    with pytest.raises(TooManySourcesError):
        add(world, "card-more")
    assert len(world.account.recharging.source_ids) == MAX_SOURCES
