"""Versions of the catalogue that one decision is made with."""

from dataclasses import dataclass
from typing import Protocol

from billing.domain.catalog import Catalog, Plan
from billing.domain.errors import NotSoldError


class CatalogVersion(Protocol):
    """A catalogue with its version."""

    @property
    def version(self) -> int: ...

    @property
    def catalog(self) -> Catalog: ...


@dataclass(frozen=True, slots=True)
class Versions:
    """What is sold now, what the subscription was sold under, and what it goes on under.

    Args:
        offered: The current version.
        sold: The subscription's own.
        renewing: What its next term begins under where no other plan is scheduled: its own, or a
            later one whose prices reach existing subscriptions by then.
        scheduled: What the scheduled plan is sold under; None: none is scheduled, or it is one of
            the others.
    """

    offered: CatalogVersion
    sold: CatalogVersion
    renewing: CatalogVersion
    scheduled: CatalogVersion | None = None

    def numbered(self, version: int) -> CatalogVersion:
        """One of them, by its number."""
        known = (self.sold, self.offered, self.renewing, self.scheduled)
        found = next((one for one in known if one and one.version == version), None)
        assert found is not None, f"version {version} of the catalogue was not read"
        return found


def plan_of(catalog: Catalog, plan_id: str) -> Plan:
    """
    Raises:
        NotSoldError: The catalogue has no such plan.
    """
    plan = catalog.plans.get(plan_id)
    if plan is None:
        raise NotSoldError(f"there is no plan {plan_id[:64]!r}")
    return plan
