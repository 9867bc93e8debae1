"""What a bill leaves of the minutes that its period's turn has carried over.

The turn carries by the terms that were known then; the bill may find others.
"""

from dataclasses import replace

import pytest

from billing.domain import billing, turning
from billing.domain.account import Account, PlanTerms
from billing.domain.grants import RecurringGrant, first_lots
from billing.domain.units import Unit
from builders import an_account

MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 6_000, rollover_limit=1_200)
USED = 414


def after_the_turn() -> Account:
    """Some were used before it; of those that were left, as many roll over as may."""
    account = replace(an_account(), plan=PlanTerms("plan", 1, (MINUTES,)))
    lots = first_lots((MINUTES,), account.period)
    used = tuple(replace(lot, remaining=lot.remaining - USED) for lot in lots)
    return turning.begin_next_period(replace(account, grants=used))


@pytest.mark.parametrize(
    ("limit", "left"),
    [
        pytest.param(1_200, 1_200, id="another version of the same plan takes nothing"),
        pytest.param(2_000, 1_200, id="nor does one that carries more"),
        pytest.param(500, 500, id="one that carries less leaves as much as it carries"),
        pytest.param(0, 0, id="and one that carries nothing leaves nothing"),
    ],
)
def test_what_was_used_before_the_turn_is_not_taken_once_more(limit: int, left: int) -> None:
    account = after_the_turn()
    terms = PlanTerms("plan", 2, (replace(MINUTES, rollover_limit=limit),))
    after = billing._rolled_over(account, terms)
    carried = [lot for lot in after.grants if lot.rolled_over]
    serving = [lot for lot in carried if lot.expires_at == account.period.end_at]
    assert sum(lot.remaining for lot in serving) == left
    assert all(lot.remaining <= lot.total for lot in after.grants)


@pytest.mark.parametrize(("limit", "left"), [(1_200, 1_260), (1_201, 1_260), (1_199, 1_199)])
def test_what_a_correction_gave_back_since_the_turn_is_taken_only_where_less_is_carried(
    limit: int, left: int
) -> None:
    account = after_the_turn()
    given_back = tuple(
        replace(lot, remaining=lot.remaining + 60) if lot.rolled_over else lot
        for lot in account.grants
    )
    terms = PlanTerms("plan", 2, (replace(MINUTES, rollover_limit=limit),))
    after = billing._rolled_over(replace(account, grants=given_back), terms)
    assert [lot.remaining for lot in after.grants if lot.rolled_over] == [left]
