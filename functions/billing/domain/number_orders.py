"""Numbers that are ordered: what they cost, and what is written of them.

Source: docs/numbers.md, "Ordering".
"""

from collections.abc import Sequence
from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import CatalogVersion
from billing.domain.documents import Line
from billing.domain.errors import InvalidInputError, NotSoldError, PlanLimitError
from billing.domain.number_renewing import order_lines
from billing.domain.numbers import NumberState, PhoneNumber, checked_e164
from billing.domain.orders import Quote, Want, WantKind
from billing.domain.proration import full_term
from billing.domain.wants import named


def number_lines(
    account: Account,
    wants: Sequence[tuple[int, Want]],
    plans: Sequence[Plan],
    offered: CatalogVersion,
    numbers_held: int,
    at: datetime,
) -> list[Line]:
    """What numbers cost now: set-up, and the days left of the account's period.

    Args:
        wants: With their places in the quote.
        plans: What is held, and then what is scheduled: their limits count, and what the first
            includes.
        numbers_held: Those that are not released.

    Raises, in order of precedence:
        NotSoldError: There is no such type, or it has no price in the account's currency.
        InvalidInputError: It is no number, or what it can do is not confirmed as it is.
        PlanLimitError: A plan allows no more.
    """
    whole = full_term(account.period, account.billing_day, account.time_zone)
    limits = [one.most_numbers for one in plans if one.most_numbers is not None]
    room = max(0, plans[0].numbers_included - numbers_held)
    # Of one order they are counted by E.164, as they are when they are renewed.
    included = sorted(want.e164 for _, want in wants)[:room]
    lines: list[Line] = []
    for place, (index, want) in enumerate(wants, start=numbers_held):
        with named(index):
            _check(want, offered)
            if limits and place >= min(limits):
                raise PlanLimitError(f"the plan allows at most {min(limits)} numbers")
            lines += order_lines(
                account,
                want.e164,
                want.what,
                offered.catalog,
                whole,
                at,
                is_included=want.e164 in included,
            )
    return lines


def _check(want: Want, offered: CatalogVersion) -> None:
    sold = offered.catalog.number_types.get(want.what)
    if sold is None:
        raise NotSoldError(f"there is no number type {want.what[:64]!r}")
    checked_e164(want.e164, "e164")
    if set(want.capabilities) != set(sold.capabilities):
        raise InvalidInputError(
            f"confirm what {sold.name} can do: {', '.join(sold.capabilities)}",
            field="capabilities",
        )


def numbers_wanted(quote: Quote) -> tuple[str, ...]:
    """The numbers that an order of it claims, in E.164."""
    return tuple(one.e164 for one in quote.wants if one.kind is WantKind.NUMBER)


def ordered_numbers(
    account: Account, quote: Quote, invoice: int | None, now: datetime
) -> tuple[PhoneNumber, ...]:
    """The numbers, waiting for the operator's carrier.

    Args:
        invoice: What they were paid on; None: they cost nothing.
    """
    return tuple(
        PhoneNumber(
            account=account.ref,
            e164=one.e164,
            type_id=one.what,
            capabilities=one.capabilities,
            state=NumberState.PENDING,
            is_auto_pay=one.is_auto_pay,
            catalog_version=quote.catalog_version,
            ordered_at=now,
            invoice=invoice,
        )
        for one in quote.wants
        if one.kind is WantKind.NUMBER
    )
