"""Opening a tenant and its billing accounts."""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, AccountRef, PlanTerms, require_id
from billing.domain.change import Change
from billing.domain.grants import first_lots
from billing.domain.ledger import opening_head
from billing.domain.money import Money
from billing.domain.periods import period_at
from billing.domain.records import AccountListing, Operation, Tenant, Timer, TimerKind
from billing.domain.subscription import Subscription, first_subscription


def new_account(
    ref: AccountRef,
    *,
    currency: str,
    time_zone: str,
    billing_day: int,
    plan: PlanTerms,
    rate_deck: str,
    now: datetime,
) -> Account:
    """A billing account on its first day: an empty wallet, the plan's grants whole.

    The first period runs from now to the first turn of the billing day, which may be soon; its
    grants are whole all the same.

    Raises:
        InvalidInputError: An id, currency, time zone or billing day is none; names the field.
    """
    for value, name in ((ref.tenant_id, "tenant"), (ref.account_id, "account")):
        require_id(value, name)
    require_id(rate_deck, "rate_deck")
    Money(0, currency)
    period = replace(period_at(now, billing_day, time_zone), start_at=now)
    return Account(
        ref=ref,
        version=0,
        currency=currency,
        time_zone=time_zone,
        billing_day=billing_day,
        created_at=now,
        plan=plan,
        rate_deck=rate_deck,
        wallet_micros=0,
        head=opening_head(ref, now),
        period=period,
        grants=first_lots(plan.recurring_grants, period),
    )


def first_to_bill(account: Account) -> Subscription:
    """What a new account holds, with no invoice for its first period yet."""
    return replace(first_subscription(account), billed_until=account.period.start_at)


def open_account(
    account: Account,
    name: str,
    operation: Operation,
    tenant: Tenant | None,
    now: datetime,
    subscription: Subscription | None = None,
) -> Change:
    """The Change that opens an account, and its tenant with it where that is new.

    Args:
        account: From ``new_account``.
        name: What people call it.
        operation: The request that asked for it.
        tenant: The tenant to create in the same transaction; None: it exists.
        now: Aware UTC.
        subscription: From ``first_to_bill``; None: its first period counts as billed.
    """
    listing = AccountListing(account.ref, name, now)
    return Change(
        before=None,
        after=account.next_version(),
        operation=operation,
        records=(
            *((tenant,) if tenant else ()),
            listing,
            *((subscription,) if subscription else ()),
        ),
        timers_set=(
            Timer(TimerKind.PERIOD_END, account.ref, account.period.end_at),
            *((Timer(TimerKind.BILLING, account.ref, now),) if subscription else ()),
        ),
    )
