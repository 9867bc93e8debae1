"""How automatic recharge is shown: the worst first, and until when something happens by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import Account
from billing.domain.recharge_status import RechargeStanding, recharge_status
from billing.domain.recharging import (
    DueReason,
    OpenRecharge,
    RechargeMode,
    RechargePolicy,
    Recharging,
    SuspendedReason,
)
from builders import NOON, USD, an_account

FIXED = RechargePolicy(RechargeMode.FIXED, 20 * USD, 50 * USD)
LATER = NOON + timedelta(hours=24)
AT_FOUR = datetime(2026, 3, 14, 16, tzinfo=UTC)
PENDING = OpenRecharge(1, 50 * USD, "card", NOON)
SLOW = replace(PENDING, source_id="upi", expected_at=LATER, check_at=LATER)
WAITING = replace(PENDING, source_id="", is_waiting=True, check_at=LATER)
UNKNOWN = replace(PENDING, is_unknown=True)


def account(wallet: int = 90 * USD, **recharging: Any) -> Account:
    return an_account(
        wallet_micros=wallet,
        recharging=Recharging(**{"policy": FIXED, "default_source_id": "card", **recharging}),
    )


def marked(reason: DueReason, due_at: datetime = NOON) -> dict[str, Any]:
    return {"due_at": due_at, "due_reason": reason}


STANDINGS = [
    pytest.param({"suspended_at": NOON}, "suspended", "declined", None, id="suspended"),
    pytest.param({"opened": (UNKNOWN,)}, "unknown", None, None, id="not known to be paid"),
    pytest.param({"opened": (WAITING,)}, "action_needed", None, LATER, id="waits for its customer"),
    pytest.param(marked(DueReason.RETRY, LATER), "retrying", "retry", LATER, id="tried again"),
    pytest.param(
        marked(DueReason.MONTHLY_CAP, LATER), "limited", "monthly_cap", LATER, id="at the cap"
    ),
    pytest.param(
        marked(DueReason.NO_HISTORY, LATER), "limited", "no_history", LATER, id="without history"
    ),
    pytest.param({"opened": (SLOW,)}, "processing", None, LATER, id="a slow debit"),
    pytest.param({"opened": (PENDING,)}, "collecting", None, None, id="being collected"),
    pytest.param(marked(DueReason.EARLY), "scheduled", "early", NOON, id="at once"),
    pytest.param(marked(DueReason.LOW), "scheduled", "low", AT_FOUR, id="in the next cycle"),
    pytest.param(
        marked(DueReason.CALENDAR, LATER), "scheduled", "calendar", LATER, id="on its day"
    ),
    pytest.param({"default_source_id": None}, "no_source", None, None, id="nobody to ask"),
    pytest.param({"policy": RechargePolicy()}, "off", None, None, id="off"),
    pytest.param({}, "ok", None, None, id="well"),
]


@pytest.mark.parametrize(("recharging", "standing", "reason", "until"), STANDINGS)
def test_how_it_stands(
    recharging: dict[str, Any], standing: str, reason: str | None, until: datetime | None
) -> None:
    status = recharge_status(account(**recharging), NOON)
    assert (status.standing, status.reason, status.until) == (standing, reason, until)
    assert status.message.endswith(".")


def test_every_standing_can_be_reached() -> None:
    shown = {RechargeStanding(str(case.values[1])) for case in STANDINGS}
    assert shown == set(RechargeStanding)


@pytest.mark.parametrize("reason", SuspendedReason)
def test_a_suspension_says_why_and_what_a_person_can_do(reason: SuspendedReason) -> None:
    status = recharge_status(account(suspended_at=NOON, suspended_reason=reason), NOON)
    assert status.reason is reason
    assert "Pay once" in status.message or "Add another" in status.message


@pytest.mark.parametrize(
    ("due_at", "until"),
    [
        pytest.param(NOON - timedelta(days=3), AT_FOUR, id="what is past, in the next cycle"),
        pytest.param(AT_FOUR, AT_FOUR, id="what is due with a cycle, in that one"),
        pytest.param(
            AT_FOUR + timedelta(seconds=1), AT_FOUR + timedelta(hours=4),
            id="what is due after it, in the one after it",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("reason", [DueReason.LOW, DueReason.RETRY, DueReason.CALENDAR])
def test_something_happens_in_the_first_cycle_that_finds_it_due(
    reason: DueReason, due_at: datetime, until: datetime
) -> None:
    assert recharge_status(account(**marked(reason, due_at)), NOON).until == until


def test_a_low_balance_is_called_low_only_while_it_is() -> None:
    low = recharge_status(account(USD, **marked(DueReason.LOW)), NOON)
    tomorrow = recharge_status(account(**marked(DueReason.TOMORROW, LATER)), NOON)
    assert low.message.startswith("The balance is low")
    assert not tomorrow.message.startswith("The balance is low")


@settings(max_examples=150, deadline=None)
@given(
    suspended=st.booleans(),
    opened=st.lists(st.sampled_from([PENDING, SLOW, WAITING, UNKNOWN]), max_size=3),
    reason=st.sampled_from([None, *DueReason]),
    source=st.sampled_from([None, "card"]),
    policy=st.sampled_from([RechargePolicy(), FIXED]),
)
def test_the_worst_comes_first(
    suspended: bool,
    opened: list[OpenRecharge],
    reason: DueReason | None,
    source: str | None,
    policy: RechargePolicy,
) -> None:
    """Shown together, nothing is hidden by what is less bad than itself."""
    together: dict[str, Any] = {"default_source_id": source, "policy": policy}
    alone = [account(**together)]
    if suspended:
        together |= {"suspended_at": NOON}
        alone.append(account(suspended_at=NOON))
    if opened:
        together |= {"opened": tuple(opened)}
        alone += [account(opened=(one,)) for one in opened]
    if reason:
        together |= marked(reason, LATER)
        alone.append(account(**marked(reason, LATER)))
    worst_first = list(RechargeStanding)
    # That it is well otherwise is not said of what is not.
    seen = [recharge_status(state, NOON).standing for state in alone]
    worst = min(seen, key=worst_first.index)
    assert recharge_status(account(**together), NOON).standing is worst
