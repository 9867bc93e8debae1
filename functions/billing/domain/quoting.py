"""Quoting: what is wanted, as one price that an order charges to the cent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from billing.domain.account import Account
from billing.domain.catalog_versions import Versions
from billing.domain.changing import changed
from billing.domain.documents import sums
from billing.domain.errors import InvalidInputError
from billing.domain.money import MAX_MICROS
from billing.domain.orders import Quote, Want
from billing.domain.renewing import check_billed, next_term
from billing.domain.scheduled_texts import scheduled_texts
from billing.domain.subscription import Subscription


def make_quote(
    account: Account,
    subscription: Subscription,
    versions: Versions,
    wants: Sequence[Want],
    numbers_held: int,
    quote_id: str,
    now: datetime,
) -> Quote:
    """What all that is wanted would cost now, and at the next renewal. Nothing is used up.

    It can be ordered until it expires, which is never after the account's period ends: a turn
    makes it stale.

    Args:
        account: Current as of ``now``.
        versions: As of ``now``.
        numbers_held: Phone numbers that are not released.
        now: Aware UTC; days and prices are as of then.

    Raises, in order of precedence:
        BookBusyError: The period that has begun is not billed yet.
        TalktimeError: See ``changed``.
        InvalidInputError: It comes to more than any bill; names ``wants``.
    """
    check_billed(account, subscription)
    outcome = changed(account, subscription, versions, wants, numbers_held, now)
    expires_at = now + timedelta(minutes=versions.offered.catalog.quote_minutes)
    coming = next_term(outcome.account, outcome.subscription, outcome.versions)
    quote = Quote(
        account=account.ref,
        quote_id=quote_id,
        wants=tuple(wants),
        lines=outcome.lines,
        currency=account.currency,
        next_recurring_micros=sums(coming.lines(outcome.account)).total_micros,
        next_recurring_at=outcome.subscription.term.end_at,
        quoted_at=now,
        expires_at=min(expires_at, account.period.end_at),
        subscription_revision=subscription.revision,
        catalog_version=versions.offered.version,
        period_start_at=account.period.start_at,
        scheduled=scheduled_texts(outcome.account, outcome.subscription, outcome.versions),
    )
    amounts = (quote.sums.total_micros, quote.next_recurring_micros)
    if max(*amounts, *(abs(one.amount_micros) for one in quote.lines)) > MAX_MICROS:
        raise InvalidInputError("this comes to more than can be billed", field="wants")
    return quote
