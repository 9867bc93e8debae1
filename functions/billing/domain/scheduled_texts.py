"""What happens when the term turns, in words: what a quote tells before it is accepted."""

from collections.abc import Iterator

from billing.domain.account import Account
from billing.domain.catalog_versions import Versions
from billing.domain.periods import local_day
from billing.domain.subscription import Subscription, UnitItem
from billing.domain.unit_counts import is_held


def scheduled_texts(
    account: Account, subscription: Subscription, versions: Versions
) -> tuple[str, ...]:
    """One sentence for each scheduled change; none for what a contract does not let happen."""
    return tuple(_texts(account, subscription, versions))


def _texts(account: Account, subscription: Subscription, versions: Versions) -> Iterator[str]:
    day = local_day(subscription.term.end_at, account.time_zone)
    catalog = versions.sold.catalog
    wanted = subscription.next_plan
    if wanted is not None:
        new = versions.numbered(wanted.catalog_version).catalog.plans[wanted.plan_id].name
        old = catalog.plans[subscription.plan_id].name
        billed = f", billed by the {wanted.interval}"
        is_other = wanted.interval is not subscription.interval
        yield f"From {day}: {new} instead of {old}{billed if is_other else ''}."
    if not is_held(subscription, day):
        names = {kind: licence.name for kind, licence in catalog.licences.items()}
        yield from (_text(one, names, day.isoformat()) for one in _reduced(subscription.units))
    names = {package_id: package.name for package_id, package in catalog.packages.items()}
    yield from (_text(one, names, day.isoformat()) for one in _reduced(subscription.packages))


def _reduced(items: tuple[UnitItem, ...]) -> Iterator[UnitItem]:
    return (one for one in items if one.next_created is not None)


def _text(item: UnitItem, names: dict[str, str], day: str) -> str:
    name = names.get(item.kind, item.kind)
    return f"From {day}: {item.next_created} instead of {item.created} of {name}."
