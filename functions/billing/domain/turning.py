"""What the turn of a period does to an account: no money moves, and it may be computed at any time.

Carried out by ``rolling``, and computed by whoever reads an account whose roll is late.
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account, PeriodTotals, PlanTerms, Standing
from billing.domain.grants import RecurringGrant, refill
from billing.domain.periods import period_after


def is_due(account: Account, now: datetime) -> bool:
    """Whether the account's period has ended."""
    return account.period.end_at <= now


def begin_next_period(account: Account) -> Account:
    """The account one period on: totals at zero, the plan it holds from then on, grants refilled.

    Where the catalogue says so, nothing is refilled while an invoice is past due; what the period
    would have granted comes with the payment. What is left of the period before rolls over all the
    same: it was granted long ago.
    """
    period = period_after(account.period, account.billing_day, account.time_zone)
    plan = account.next_plan or account.plan
    return replace(
        account,
        period=period,
        totals=PeriodTotals(),
        plan=plan,
        next_plan=None,
        grants=refill(
            account.grants,
            plan.recurring_grants,
            period,
            is_withheld=not refilled(plan, account.standing),
        ),
    )


def refilled(plan: PlanTerms, standing: Standing) -> tuple[RecurringGrant, ...]:
    """The recurring grants that a turn refills."""
    is_refilled = standing is Standing.GOOD or plan.refills_while_past_due
    return plan.recurring_grants if is_refilled else ()


def at(account: Account, now: datetime) -> Account:
    """The account as it stands at an instant, even where the roll is late. For reading only."""
    while is_due(account, now):
        account = begin_next_period(account)
    return account
