"""The catalogue: one versioned document of what the operator sells.

``catalog_rules`` says which can be sold from, ``catalog_form`` how one is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from billing.domain.account import PlanFeatures, PlanTerms
from billing.domain.errors import NotFoundError
from billing.domain.grants import RecurringGrant
from billing.domain.parties import Party
from billing.domain.selling import (
    Bundle,
    Contacts,
    DowngradePolicy,
    DunningRule,
    LicenceKind,
    NumberRule,
    NumberType,
    Package,
    Product,
    RecurringPrice,
    StorageRule,
    TaxRate,
    UnitTerms,
)

QUOTE_MINUTES = 30
"""How long a quote can be ordered, where the catalogue does not say."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant holds: a name, what it grants each period, and what it allows."""

    plan_id: str
    name: str
    recurring_grants: tuple[RecurringGrant, ...] = ()
    features: PlanFeatures = field(default_factory=PlanFeatures)
    price: RecurringPrice = field(default_factory=RecurringPrice)
    units: tuple[UnitTerms, ...] = ()
    numbers_included: int = 0
    most_numbers: int | None = None

    def unit(self, kind: str) -> UnitTerms | None:
        """What it says of a licence kind; None: the plan does not sell it."""
        return next((one for one in self.units if one.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be sold, and the terms it is sold under.

    Args:
        terms_version: What an acceptance must name.
        plans: By id, and so are licences, bundles, packages, products, number types and tax rates.
        existing_from: From this day on its prices are those of existing subscriptions too, at the
            first term that begins then or later; None: never.
        quote_minutes: How long a quote can be ordered.
        seller: Whom documents name as the seller that are issued while it is current.
        saved_at: When it became current (aware UTC); None: before that was kept.
    """

    terms_version: str
    plans: Mapping[str, Plan]
    licences: Mapping[str, LicenceKind] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    packages: Mapping[str, Package] = field(default_factory=dict)
    products: Mapping[str, Product] = field(default_factory=dict)
    number_types: Mapping[str, NumberType] = field(default_factory=dict)
    tax_rates: Mapping[str, TaxRate] = field(default_factory=dict)
    storage: StorageRule = field(default_factory=StorageRule)
    dunning: DunningRule = field(default_factory=DunningRule)
    number_rule: NumberRule = field(default_factory=NumberRule)
    downgrade: DowngradePolicy = DowngradePolicy.CONTACT_SALES
    contacts: Contacts = field(default_factory=Contacts)
    terms_url: str = ""
    terms_text: str = ""
    existing_from: date | None = None
    quote_minutes: int = QUOTE_MINUTES
    seller: Party = field(default_factory=Party)
    saved_at: datetime | None = None

    def terms_of(self, plan_id: str, catalog_version: int) -> PlanTerms:
        """What an account keeps of the plan it is sold.

        Raises:
            NotFoundError: The catalogue has no such plan.
        """
        plan = self.plans.get(plan_id)
        if plan is None:
            raise NotFoundError(f"the catalogue has no plan {plan_id!r}", field="plan")
        return PlanTerms(
            plan.plan_id,
            catalog_version,
            plan.recurring_grants,
            plan.features,
            self.dunning.refills_while_past_due,
        )
