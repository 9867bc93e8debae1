"""Whoever sets the policy has seen the one before, and leaves their name."""

from dataclasses import replace

import pytest

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.errors import BookContendedError, InvalidInputError
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import Acceptance, Origin
from billing.services.set_auto_recharge import SetAutoRecharge, StalePolicyError, policy_etag
from builders import ACME, NOON, USD
from unit.world import World, raising

FIXED = RechargePolicy(RechargeMode.FIXED, 10 * USD, amount_micros=20 * USD)
TARGET = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
ZOE = Acceptance("Zoë", "O'Hara", "2026-01")
BY = By("auth0|zoe", ZOE, Origin("192.0.2.1", "curl/8"))


@pytest.fixture
def world() -> World:
    world = World(NOON)
    world.open()
    world.add_source()
    return world


def set_policy(world: World, policy: RechargePolicy, seen: RechargePolicy) -> Account:
    return SetAutoRecharge(world.change_account).set(
        ACME, policy, seen_etag=policy_etag(seen), by=BY
    )


def test_the_policy_is_replaced_and_its_timer_agrees_at_once(world: World) -> None:
    account = set_policy(world, FIXED, RechargePolicy())
    assert account == world.account
    assert account.recharging.policy == FIXED
    assert world.is_recharge_due()
    set_policy(world, RechargePolicy(), FIXED)
    assert not world.is_recharge_due()


def test_who_changed_what_from_what_to_what_is_kept(world: World) -> None:
    set_policy(world, FIXED, RechargePolicy())
    record = world.book.audit_records(ACME)[-1]
    assert (record.actor, record.action, record.acceptance) == (
        "auth0|zoe", "auto_recharge.set", ZOE,
    )  # fmt: skip
    assert (record.before["mode"], record.after["mode"]) == ("off", "fixed")
    assert record.after["amount"] == {"amount": "20.00", "currency": "USD"}
    assert record.before["monthly_cap"] is None
    assert (record.origin, record.is_machine) == (Origin("192.0.2.1", "curl/8"), False)
    assert record.at == NOON


def test_settings_that_changed_since_they_were_read_are_not_overwritten(world: World) -> None:
    set_policy(world, FIXED, RechargePolicy())
    with pytest.raises(StalePolicyError):
        set_policy(world, TARGET, RechargePolicy())
    assert world.account.recharging.policy == FIXED


@pytest.mark.parametrize("theirs", [FIXED, TARGET], ids=["the same", "other ones"])
def test_of_two_who_set_it_at_once_the_later_reads_again(
    world: World, theirs: RechargePolicy
) -> None:
    world.book.races = [lambda: set_policy(world, theirs, RechargePolicy())]
    with pytest.raises(StalePolicyError):
        set_policy(world, FIXED, RechargePolicy())
    assert world.account.recharging.policy == theirs
    assert world.account.version == 3


def test_other_changes_of_the_account_do_not_make_the_settings_stale(world: World) -> None:
    world.book.races = [lambda: world.credit(5)]
    assert set_policy(world, FIXED, RechargePolicy()).recharging.policy == FIXED
    assert world.account.wallet_micros == 5


def test_setting_one_policy_another_and_the_first_again_is_three_changes(world: World) -> None:
    set_policy(world, FIXED, RechargePolicy())
    set_policy(world, TARGET, FIXED)
    account = set_policy(world, FIXED, TARGET)
    assert (account.version, account.recharging.policy) == (5, FIXED)
    records = [r for r in world.book.audit_records(ACME) if r.action == "auto_recharge.set"]
    assert len({record.operation_id for record in records}) >= 3


def test_a_policy_that_cannot_work_is_refused_and_nothing_changes(world: World) -> None:
    before = world.account
    with pytest.raises(InvalidInputError) as refused:
        set_policy(world, replace(FIXED, amount_micros=1), RechargePolicy())
    assert refused.value.field == "amount"
    assert world.account == before


def test_setting_the_policy_lifts_a_suspension_and_forgets_declines(world: World) -> None:
    suspended = replace(world.account.recharging, policy=FIXED, declines=3, suspended_at=NOON)
    world.book._accounts[ACME] = replace(world.account, recharging=suspended)
    account = set_policy(world, FIXED, FIXED)
    assert (account.recharging.declines, account.recharging.suspended_at) == (0, None)
    assert world.is_recharge_due()


def test_contention_is_waited_out(world: World) -> None:
    world.book.races = [raising(BookContendedError("throttled"))] * 3
    assert set_policy(world, FIXED, RechargePolicy()).recharging.policy == FIXED


def test_equal_settings_have_equal_tags_and_others_have_others() -> None:
    tags = {
        policy_etag(policy)
        for policy in (
            RechargePolicy(),
            FIXED,
            replace(FIXED, threshold_micros=1),
            replace(FIXED, amount_micros=1),
            replace(FIXED, target_micros=1),
            replace(FIXED, maximum_micros=1),
        )
    }
    assert len(tags) == 6
    assert policy_etag(replace(FIXED)) == policy_etag(FIXED)
