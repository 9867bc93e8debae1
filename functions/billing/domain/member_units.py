"""Members who join and leave, where units are counted by them.

Source: docs/subscriptions.md, "Units".
"""

from datetime import datetime

from billing.domain.account import Account
from billing.domain.catalog_versions import CatalogVersion
from billing.domain.documents import Line
from billing.domain.subscription import Subscription
from billing.domain.term_lines import Held, change_lines
from billing.domain.unit_counts import with_created


def with_members(
    account: Account,
    subscription: Subscription,
    sold: CatalogVersion,
    kind: str,
    change: int,
    at: datetime,
) -> tuple[Subscription, tuple[Line, ...]]:
    """Members hold units of a kind from now on, or hold them no longer.

    Args:
        sold: The version the subscription is under; its plan has the kind.
        kind: Counted by members.
        change: How many more; negative: fewer.
        at: Now (aware UTC).

    Returns:
        The subscription, and what has to be paid: a line for the units that had to be added, for
        today and the days left of the term. Nothing is given back.
    """
    before = Held(subscription, sold)
    after, _ = with_created(subscription, kind, before.plan, change)
    return after, change_lines(account, before, Held(after, sold), at)
