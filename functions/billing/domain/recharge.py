"""Automatic recharge: when it fires, what it collects, and the steps of collecting.

Collecting is a saga of three Changes' worth of steps: intend, ask the gateway, settle. Each is
decided here from the account state, so that any of them can be repeated by whoever comes next.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.domain.account import Account, OpenRecharge, RechargePolicy
from billing.domain.errors import InvalidInputError
from billing.domain.money import Money, ceil_div, minor_unit_micros, up_to_minor_unit
from billing.domain.records import Timer, TimerKind

CYCLE = timedelta(hours=4)
"""How often the sweep looks for recharges that are due."""

DECLINES_BEFORE_SUSPENSION = 3
"""Definite declines in a row after which automatic recharge waits for a person."""

KEY_KEPT = timedelta(hours=23)
"""How long the same idempotency key is safe to repeat: gateways keep it for 24 hours."""

MODES = ("off", "fixed", "target")


def validate_policy(policy: RechargePolicy, currency: str) -> RechargePolicy:
    """Check a policy a person has set.

    Raises:
        InvalidInputError: Names the field: an unknown mode; a negative threshold; a fixed amount,
            target or maximum that is no positive whole number of minor units; a target that is
            not above the threshold; a maximum below the fixed amount.
    """
    if policy.mode not in MODES:
        raise InvalidInputError(f"mode is one of {', '.join(MODES)}", field="mode")
    if policy.mode == "off":
        return policy
    if policy.threshold_micros < 0:
        raise InvalidInputError("the threshold is not negative", field="threshold")
    collected = (
        {"amount": policy.amount_micros}
        if policy.mode == "fixed"
        else {"target": policy.target_micros}
    )
    if policy.maximum_micros is not None:
        collected["maximum"] = policy.maximum_micros
    for name, micros in collected.items():
        if micros <= 0 or micros % minor_unit_micros(currency):
            raise InvalidInputError(
                f"{name} is a positive whole number of the currency's minor unit", field=name
            )
    # What the wallet can reach must be money, before a gateway has any of it.
    Money(policy.threshold_micros + max(collected.values()), currency)
    if policy.mode == "target" and policy.target_micros <= policy.threshold_micros:
        raise InvalidInputError("the target is above the threshold", field="target")
    if policy.mode == "fixed" and (policy.maximum_micros or policy.amount_micros) < (
        policy.amount_micros
    ):
        raise InvalidInputError("the maximum is at least the amount", field="maximum")
    return policy


def is_below_threshold(account: Account) -> bool:
    """Whether the balance, with what is on its way, is strictly below the threshold."""
    covered = account.wallet_micros + account.in_flight_micros
    return covered < account.recharging.policy.threshold_micros


def is_wanted(account: Account) -> bool:
    """Whether automatic recharge has something to do: fires, is not off, and is not suspended."""
    recharging = account.recharging
    return (
        recharging.policy.mode != "off"
        and recharging.suspended_at is None
        and recharging.default_source_id is not None
        and is_below_threshold(account)
    )


def amount_to_collect_micros(account: Account) -> int:
    """What one automatic payment would be now; 0 when nothing is to be collected.

    Target pays what is missing to the target. Fixed pays the smallest whole multiple of its amount
    that brings the balance, with what is on its way, to the threshold. Both stay within the
    maximum: a fixed payment by fewer multiples, a target payment by stopping there.

    Returns:
        Micros, a whole number of the currency's minor units (a target's gap is rounded up).
    """
    policy = account.recharging.policy
    if not is_wanted(account):
        return 0
    covered = account.wallet_micros + account.in_flight_micros
    if policy.mode == "target":
        gap = up_to_minor_unit(policy.target_micros - covered, account.currency)
        return gap if policy.maximum_micros is None else min(gap, policy.maximum_micros)
    multiples = ceil_div(policy.threshold_micros - covered, policy.amount_micros)
    if policy.maximum_micros is not None:
        # Rounded down: the last multiple that still fits.
        multiples = min(multiples, policy.maximum_micros // policy.amount_micros)
    return multiples * policy.amount_micros


@dataclass(frozen=True, slots=True)
class TimerChange:
    """What a level trigger asks for: the account with its mark, and the timer to set or clear."""

    account: Account
    timers_set: tuple[Timer, ...] = ()
    timers_cleared: tuple[TimerKind, ...] = ()


def level(account: Account, now: datetime) -> TimerChange:
    """Set or clear the recharge timer to agree with the state: a level, not an edge.

    A timer stands while automatic recharge is wanted or a payment is open; it costs a write only
    when that changes, which the account's own mark tells.

    Args:
        account: As the Change would leave it.
        now: Aware UTC; a timer newly set is due at once, for the next sweep.
    """
    recharging = account.recharging
    needed = is_wanted(account) or recharging.open is not None
    if needed and recharging.due_at is None:
        marked = replace(account, recharging=replace(recharging, due_at=now))
        return TimerChange(marked, timers_set=(Timer(TimerKind.RECHARGE, account.ref, now),))
    if not needed and recharging.due_at is not None:
        marked = replace(account, recharging=replace(recharging, due_at=None))
        return TimerChange(marked, timers_cleared=(TimerKind.RECHARGE,))
    return TimerChange(account)


def open_recharge(
    account: Account,
    *,
    amount_micros: int,
    source_id: str,
    now: datetime,
) -> Account:
    """Intend a payment, under the next ordinal. One at a time: none may be open."""
    recharging = account.recharging
    assert recharging.open is None, "one open recharge at a time"
    opened = OpenRecharge(
        ordinal=recharging.ordinal + 1,
        amount_micros=amount_micros,
        source_id=source_id,
        started_at=now,
    )
    return replace(account, recharging=replace(recharging, ordinal=opened.ordinal, open=opened))


def mark_unknown(account: Account) -> Account:
    """The gateway did not answer: the payment may or may not have happened."""
    recharging = account.recharging
    assert recharging.open is not None
    return replace(
        account,
        recharging=replace(recharging, open=replace(recharging.open, is_unknown=True)),
    )


def close_succeeded(account: Account) -> Account:
    """The money has come: nothing is open, and declines are forgotten."""
    recharging = replace(account.recharging, open=None, declines=0, suspended_at=None)
    return replace(account, recharging=recharging)


def close_failed(account: Account, now: datetime, *, is_counted: bool) -> Account:
    """A definite decline. After the last counted in a row, automatic recharge waits for a person.

    Args:
        now: Aware UTC; when it is suspended, if it is.
        is_counted: Whether automatic recharge itself was declined.
    """
    recharging = account.recharging
    declines = recharging.declines + is_counted
    suspended = now if declines >= DECLINES_BEFORE_SUSPENSION else recharging.suspended_at
    return replace(
        account,
        recharging=replace(recharging, open=None, declines=declines, suspended_at=suspended),
    )


def idempotency_key(account: Account, ordinal: int) -> str:
    """The gateway's key for one payment: derived from the saga, the same however often asked."""
    return f"recharge/{account.ref.tenant_id}/{account.ref.account_id}/{ordinal}"
