"""A storage gauge and an account: what it charges goes on the account's next invoice.

Source of the rules: docs/storage.md.
"""

from dataclasses import replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import LineKind
from billing.domain.effects import Effect
from billing.domain.line_making import line
from billing.domain.periods import local_day
from billing.domain.storage import Assessed
from billing.domain.subscription import Subscription


def gauged(
    account: Account,
    subscription: Subscription,
    assessed: Assessed,
    catalog: Catalog,
    by: By,
    now: datetime,
) -> Change | None:
    """Keep what a gauge said, and charge what it extends; None: it says what it said before.

    Args:
        account: With its period current.
        subscription: As it is before.
        catalog: The version it was sold under.

    Raises:
        NotSoldError: Storage has prices, and none in the account's currency.
    """
    if replace(assessed.storage, told_at=subscription.storage.told_at) == subscription.storage:
        return None
    operation = step(account, f"storage/v{account.version}", [assessed.storage.used_bytes], now)
    after = replace(subscription, storage=assessed.storage)
    if not assessed.charged_gb:
        effect = Effect(account, records=(after,))
        return effect_change(account, effect, operation=operation, now=now)
    price = catalog.storage.price.micros(account.currency)
    fee = line(
        LineKind.STORAGE,
        "storage",
        f"Storage, {assessed.storage.extended_gb} GB above what is included",
        assessed.charged_gb,
        price,
        price * assessed.charged_gb,
        catalog.storage.price.tax,
        catalog,
        account.currency,
        local_day(now, account.time_zone),
        local_day(account.period.end_at, account.time_zone),
    )
    if fee.amount_micros:
        after = replace(after, pending=(*after.pending, fee))
    audit = by.audit(
        account.ref,
        operation.operation_id,
        "storage.extended",
        before={"extended_gb": subscription.storage.extended_gb},
        after={
            "extended_gb": assessed.storage.extended_gb,
            "used_bytes": assessed.storage.used_bytes,
        },
        at=now,
    )
    effect = Effect(account, records=(after, audit))
    return effect_change(account, effect, operation=operation, now=now)
