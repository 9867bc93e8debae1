"""Renewing numbers: the wallet first, then the sources in order, else they are put on hold.

As many as one Change holds are renewed at a time, each time those that are left; so a roll of
hundreds is a row of Changes, each of which may be the last one before a crash.

Source of the rules: docs/numbers.md, "Renewal".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from billing.domain.account import Account, AccountRef
from billing.domain.catalog import Catalog, Plan
from billing.domain.documents import Line, LineKind, sums
from billing.domain.line_making import line
from billing.domain.numbers import NumberState, PhoneNumber, held
from billing.domain.periods import Period
from billing.domain.proration import prorated_micros, term_days

MOST_AT_ONCE = 25
"""Numbers in one Change: each is written, and may be told of by an event of its own kind once."""


@dataclass(frozen=True, slots=True)
class NumberRenewal:
    """Numbers whose renewal waits for one payment.

    Args:
        name: Of its cause: the period, and which payment within it.
        numbers: In E.164.
        lines: One for each, in their order.
        period_end_at: What they are paid until, once the money has come.
    """

    KIND: ClassVar[str] = "RENEWAL"

    account: AccountRef
    name: str
    numbers: tuple[str, ...]
    lines: tuple[Line, ...]
    period_end_at: datetime

    @property
    def thing_name(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Renewals:
    """What is to be done with the numbers whose paid time is over.

    Args:
        free: The plan includes them.
        from_wallet: The wallet pays for these, with their lines.
        from_sources: Somebody else has to.
        unpaid: Nobody pays by itself: auto-pay is off.
        leaving: They are let go of.
    """

    free: tuple[PhoneNumber, ...] = ()
    from_wallet: tuple[tuple[PhoneNumber, Line], ...] = ()
    from_sources: tuple[tuple[PhoneNumber, Line], ...] = ()
    unpaid: tuple[PhoneNumber, ...] = ()
    leaving: tuple[PhoneNumber, ...] = ()


def renewals(
    account: Account,
    numbers: Sequence[PhoneNumber],
    plan: Plan,
    catalogs: Mapping[str, Catalog],
    spendable_micros: int,
) -> Renewals:
    """Who pays for which of the next numbers that are to be renewed: at most ``MOST_AT_ONCE``.

    Only active numbers whose paid time has ended are renewed, and none that waits for a payment.

    Args:
        account: In the period to be paid for.
        numbers: All of the account's.
        plan: Says how many cost nothing.
        catalogs: By number: the version its price is of.
        spendable_micros: What the wallet holds beside what is set aside for calls.
    """
    included = included_in(plan, numbers)
    due = [one for one in held(numbers) if is_renewable(one, account.period)][:MOST_AT_ONCE]
    leaving = tuple(one for one in due if one.is_leaving)
    staying = [one for one in due if not one.is_leaving]
    priced = [
        (one, renewal_line(account, one, catalogs[one.e164], account.period)) for one in staying
    ]
    free = tuple(one for one, cost in priced if one.e164 in included or not cost.amount_micros)
    costly = [(one, cost) for one, cost in priced if one not in free]
    wanted = [(one, cost) for one, cost in costly if one.is_auto_pay]
    paid: list[tuple[PhoneNumber, Line]] = []
    left = spendable_micros
    for one, cost in wanted:
        total = sums((cost,)).total_micros
        if total > left:
            # In their order: a dear number is not passed over for ever by cheap ones behind it.
            break
        left -= total
        paid.append((one, cost))
    return Renewals(
        free=free,
        from_wallet=tuple(paid),
        from_sources=tuple(wanted[len(paid) :]),
        unpaid=tuple(one for one, _ in costly if not one.is_auto_pay),
        leaving=leaving,
    )


def included_in(plan: Plan, numbers: Iterable[PhoneNumber]) -> frozenset[str]:
    """Those whose recurring fee the plan pays for: the first so many that are the account's."""
    return frozenset(one.e164 for one in held(numbers)[: plan.numbers_included])


def is_renewable(number: PhoneNumber, period: Period) -> bool:
    """Whether what is paid for has ended before the period does, and nobody is being asked."""
    return (
        number.state is NumberState.ACTIVE
        and number.paid_until is not None
        and number.paid_until <= period.start_at
        and not number.renewal
    )


def renewal_line(account: Account, number: PhoneNumber, catalog: Catalog, period: Period) -> Line:
    """What a number costs for a whole period; nothing where the catalogue no longer knows it.

    Args:
        catalog: The version that its price is of.
    """
    sold = catalog.number_types.get(number.type_id)
    price = sold.recurring.micros(account.currency) if sold else 0
    starts_on, ends_on = term_days(period, account.time_zone)
    return line(
        LineKind.NUMBER,
        number.e164,
        f"{sold.name if sold else number.type_id} {number.e164}",
        1,
        price,
        price,
        sold.recurring.tax if sold else "",
        catalog,
        account.currency,
        starts_on,
        ends_on,
    )


def order_lines(
    account: Account,
    e164: str,
    type_id: str,
    catalog: Catalog,
    whole: Period,
    now: datetime,
    *,
    is_included: bool,
) -> tuple[Line, ...]:
    """What ordering a number costs now: its up-front fee, and the days that are left.

    Args:
        type_id: Of the catalogue's number types.
        whole: The account's present period, as long as it would be had it begun on its first day.
        is_included: The plan pays for its recurring fee.

    Raises:
        NotSoldError: It has prices, and none in the account's currency.
    """
    sold = catalog.number_types[type_id]
    up_front = sold.up_front.micros(account.currency)
    recurring = 0 if is_included else sold.recurring.micros(account.currency)
    share = prorated_micros(recurring, whole, now, account.time_zone, account.currency)
    # A clock that is behind may still have the day before the period.
    left = Period(max(now, account.period.start_at), whole.end_at)
    today, ends_on = term_days(left, account.time_zone)
    lines = (
        line(
            LineKind.NUMBER_SETUP,
            e164,
            f"{sold.name} {e164}, set-up",
            1,
            up_front,
            up_front,
            sold.up_front.tax,
            catalog,
            account.currency,
            is_up_front=True,
        ),
        line(
            LineKind.NUMBER,
            e164,
            f"{sold.name} {e164}",
            1,
            recurring,
            share,
            sold.recurring.tax,
            catalog,
            account.currency,
            today,
            ends_on,
        ),
    )
    return tuple(one for one in lines if one.amount_micros)
