"""What a turn does to an account that is to change its plan, or that has not paid."""

from dataclasses import replace

import pytest

from billing.domain import turning
from billing.domain.account import PlanTerms, Standing
from billing.domain.grants import RecurringGrant, first_lots
from billing.domain.units import Unit
from builders import an_account

GRANT = RecurringGrant("minutes", Unit.VOICE_SECONDS, 6_000)
LARGER = PlanTerms("large", 2, (replace(GRANT, quantity=60_000),))


def test_the_next_plan_is_held_from_the_turn_on() -> None:
    account = replace(an_account(), grants=(), next_plan=LARGER)
    after = turning.at(account, account.period.end_at)
    assert (after.plan, after.next_plan) == (LARGER, None)
    assert [lot.total for lot in after.grants] == [60_000]


def test_until_the_turn_nothing_of_the_next_plan_is_held() -> None:
    account = replace(an_account(), next_plan=LARGER)
    assert turning.at(account, account.period.start_at) == account


def test_two_turns_apply_the_next_plan_once() -> None:
    account = replace(an_account(), grants=(), next_plan=LARGER)
    later = turning.at(account, turning.begin_next_period(account).period.end_at)
    assert (later.plan, later.next_plan) == (LARGER, None)


@pytest.mark.parametrize("standing", [Standing.PAST_DUE, Standing.SUSPENDED])
def test_the_catalogue_says_whether_an_unpaid_account_is_refilled(standing: Standing) -> None:
    plan = PlanTerms("plan", 1, (GRANT,), refills_while_past_due=False)
    account = replace(an_account(), grants=(), plan=plan, standing=standing)
    assert turning.begin_next_period(account).grants == ()
    kind = replace(account, plan=replace(plan, refills_while_past_due=True))
    assert len(turning.begin_next_period(kind).grants) == 1


@pytest.mark.parametrize("standing", [Standing.PAST_DUE, Standing.SUSPENDED])
def test_what_is_left_rolls_over_even_where_nothing_is_refilled(standing: Standing) -> None:
    grant = replace(GRANT, rollover_limit=GRANT.quantity)
    plan = PlanTerms("plan", 1, (grant,), refills_while_past_due=False)
    account = replace(an_account(), plan=plan, standing=standing)
    account = replace(account, grants=first_lots(plan.recurring_grants, account.period))
    after = turning.begin_next_period(account)
    (carried,) = after.grants
    assert carried.remaining == grant.quantity
    assert carried.expires_at == after.period.end_at


def test_whoever_pays_is_refilled_whatever_the_catalogue_says() -> None:
    plan = PlanTerms("plan", 1, (GRANT,), refills_while_past_due=False)
    account = replace(an_account(), grants=(), plan=plan)
    assert len(turning.begin_next_period(account).grants) == 1
