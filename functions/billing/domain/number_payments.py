"""A person pays for a number that is on hold: from the wallet in one Change, or by a payment.

The fee is that of the whole present period, whatever is left of it: the number was kept for him.
The days before, in which it could not be used, cost nothing; nor does a number that the plan has
come to include.

Source of the rules: docs/numbers.md, "On hold".
"""

from dataclasses import replace
from datetime import datetime

from billing.domain import collecting
from billing.domain import numbers as life
from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.change import Change
from billing.domain.collecting import Intent
from billing.domain.collecting_steps import effect_change
from billing.domain.documents import Line, sums
from billing.domain.effects import Effect
from billing.domain.errors import ConflictError, InsufficientBalanceError
from billing.domain.money import Money
from billing.domain.number_changes import Numbers, changed, paid_for
from billing.domain.number_renewing import NumberRenewal, included_in, renewal_line
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.recharging import RechargeReason
from billing.domain.records import AuditRecord, Operation, OperationState, Purpose, PurposeKind
from billing.domain.reservations import Holds
from billing.domain.spendable import spendable_micros


def cost(account: Account, known: Numbers, number: PhoneNumber, plan: Plan) -> Line | None:
    """What paying for it comes to now.

    Args:
        plan: The subscription's, as it was sold: says how many numbers cost nothing.

    Returns:
        None: nothing is to be paid.

    Raises:
        ConflictError: It is not on hold, or its payment is on its way.
    """
    if number.state is not NumberState.ON_HOLD:
        raise ConflictError(f"{number.e164} is {number.state}; there is nothing to pay for")
    if number.renewal:
        raise ConflictError(f"a payment for {number.e164} is on its way; wait for its outcome")
    if number.e164 in included_in(plan, known.all):
        return None
    line = renewal_line(account, number, known.catalogs[number.e164], account.period)
    return line if line.amount_micros else None


def total_micros(line: Line) -> int:
    """Tax included."""
    return sums((line,)).total_micros


def for_nothing(
    account: Account,
    known: Numbers,
    number: PhoneNumber,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """It is back, and nobody is charged: there is no invoice."""
    effect = changed(account, known, [life.paid(number, account.period.end_at)], now=now)
    return _answered(account, effect, number, operation, audit, now)


def from_wallet(
    account: Account,
    known: Numbers,
    number: PhoneNumber,
    line: Line,
    holds: Holds,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """
    Args:
        holds: Read after the account.

    Raises:
        InsufficientBalanceError: The wallet does not hold as much, beside what calls in progress
            have set aside.
    """
    free = spendable_micros(account, holds, now)
    if total_micros(line) > free:
        raise InsufficientBalanceError(
            f"{Money(total_micros(line), account.currency)} are due, and the wallet can spend"
            f" {Money(free, account.currency)}",
            field="pay_with",
        )
    effect = paid_for(account, known, [(number, line)], operation.operation_id, now)
    return _answered(account, effect, number, operation, audit, now, holds)


def _answered(
    account: Account,
    effect: Effect,
    number: PhoneNumber,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
    holds: Holds | None = None,
) -> Change:
    answered = replace(operation, state=OperationState.SUCCEEDED, answer={"number": number.e164})
    return effect_change(
        account,
        replace(effect, records=(*effect.records, audit)),
        operation=answered,
        now=now,
        holds=holds,
    )


def for_payment(
    account: Account,
    number: PhoneNumber,
    line: Line,
    intent: Intent,
    operation: Operation,
    audit: AuditRecord,
    now: datetime,
) -> Change:
    """Commit to collecting the fee, before anybody is asked; the number waits for the money."""
    name = f"{account.period.start_at:%Y%m%dT%H%MZ}/{account.recharging.ordinal + 1}"
    renewal = NumberRenewal(
        account=account.ref,
        name=name,
        numbers=(number.e164,),
        lines=(line,),
        period_end_at=account.period.end_at,
    )
    return collecting.intend(
        account,
        replace(intent, reason=RechargeReason.NUMBERS),
        now,
        requested=operation,
        audit=audit,
        purpose=Purpose(PurposeKind.NUMBERS, name),
        records=(renewal, replace(number, renewal=name)),
    )
