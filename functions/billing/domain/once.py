"""What is bought once: bundles and products. They are sold from the current catalogue."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from billing.domain.account import Account
from billing.domain.catalog_versions import CatalogVersion
from billing.domain.documents import Line, LineKind
from billing.domain.errors import NotSoldError, PlanLimitError
from billing.domain.grants import Grant
from billing.domain.line_making import line
from billing.domain.orders import Want
from billing.domain.periods import local_day, start_of_day
from billing.domain.selling import Bundle, Price
from billing.domain.wants import named

MOST_LOTS = 20
"""Live bundles of one account: its state is written with every posting, and carries each."""

Bought = tuple[tuple[Bundle, int], ...]
"""Bundles, each with how many."""


def bundles_of(
    account: Account, wants: Iterable[tuple[int, Want]], offered: CatalogVersion, at: datetime
) -> Bought:
    """The bundles that are wanted.

    Args:
        wants: With their places in the quote.

    Raises:
        NotSoldError: There is no such bundle, or it has no price in the account's currency.
        PlanLimitError: More would be live than an account can have.
    """
    live = sum(_is_live(one, at) for one in account.grants)
    bought: list[tuple[Bundle, int]] = []
    for index, want in wants:
        with named(index):
            bundle = offered.catalog.bundles.get(want.what)
            if bundle is None:
                raise NotSoldError(f"there is no bundle {want.what[:64]!r}")
            bundle.price.micros(account.currency)
            bought.append((bundle, want.quantity))
            if live + len(bought) > MOST_LOTS:
                raise PlanLimitError(
                    f"at most {MOST_LOTS} bundles that are not used up or expired at a time"
                )
    return tuple(bought)


def _is_live(lot: Grant, at: datetime) -> bool:
    """Whether it was bought once, and something is left of it."""
    is_left = lot.unlimited or lot.remaining > 0
    return lot.recurring_id is None and is_left and (lot.expires_at is None or at < lot.expires_at)


def bundle_lines(account: Account, bought: Bought, offered: CatalogVersion) -> list[Line]:
    """What bundles cost: once, whatever the day."""
    return [
        _line(account, LineKind.BUNDLE, bundle.bundle_id, bundle.name, bundle.price, count, offered)
        for bundle, count in bought
    ]


def bundle_lots(account: Account, bought: Bought, invoice: int, now: datetime) -> tuple[Grant, ...]:
    """The bundles' lots, from now on.

    Args:
        invoice: The number of what charges for them: it names the lots.
    """
    return tuple(
        Grant(
            grant_id=f"{bundle.bundle_id}:{invoice}",
            unit=bundle.unit,
            total=bundle.quantity * count,
            remaining=bundle.quantity * count,
            priority=bundle.priority,
            granted_at=now,
            expires_at=_expires_at(bundle, account, now),
            scope=bundle.scope,
        )
        for bundle, count in bought
    )


def _expires_at(bundle: Bundle, account: Account, now: datetime) -> datetime | None:
    """The end of its last local day, of which today is the first."""
    if bundle.expires_after_days is None:
        return None
    today = local_day(now, account.time_zone)
    return start_of_day(today + timedelta(days=bundle.expires_after_days), account.time_zone)


def product_lines(
    account: Account, wants: Iterable[tuple[int, Want]], offered: CatalogVersion
) -> list[Line]:
    """What products cost; nothing else comes of them.

    Raises:
        NotSoldError: There is no such product, or it has no price in the account's currency.
    """
    lines = []
    for index, want in wants:
        with named(index):
            one = offered.catalog.products.get(want.what)
            if one is None:
                raise NotSoldError(f"there is no product {want.what[:64]!r}")
            kind = LineKind.PRODUCT
            lines.append(
                _line(account, kind, one.product_id, one.name, one.price, want.quantity, offered)
            )
    return lines


def _line(
    account: Account,
    kind: LineKind,
    what: str,
    text: str,
    price: Price,
    count: int,
    offered: CatalogVersion,
) -> Line:
    micros = price.micros(account.currency)
    return line(
        kind,
        what,
        text,
        count,
        micros,
        micros * count,
        price.tax,
        offered.catalog,
        account.currency,
        is_up_front=True,
    )
