"""What an account can buy, with the prices of its own currency."""

from contextlib import suppress
from typing import Any

from api.schemas.base import Decimals, MoneyOut, Schema
from api.schemas.catalog import FeaturesIn
from api.schemas.catalog_shown import percentage
from api.schemas.selling import ContactsSchema, GrantIn, ScopeIn
from billing.domain.canonical import canonical_json
from billing.domain.catalog import Catalog, Plan
from billing.domain.errors import NotSoldError
from billing.domain.grants import RecurringGrant
from billing.domain.offers import is_sold
from billing.domain.selling import (
    Bundle,
    Interval,
    LicenceMode,
    NumberType,
    OnInvite,
    Package,
    Price,
    RecurringPrice,
    UnitTerms,
)
from billing.domain.selling_form import grant_json
from billing.services.read_offers import Offers


class TaxOut(Schema):
    """What comes on top of a price."""

    tax: str
    name: str
    percentage: Decimals


class PriceOut(Schema):
    """Once, net of tax; without ``tax`` there is none."""

    amount: Decimals
    currency: str
    tax: TaxOut | None = None


class TermPriceOut(Schema):
    """For a month and for a year, net of tax; what is not sold for a year has no ``year``."""

    month: MoneyOut
    year: MoneyOut | None = None
    tax: TaxOut | None = None


class UnitOffer(Schema):
    """A licence that a plan sells: ``included`` are free, at least ``minimum`` are billed."""

    licence: str
    name: str
    mode: LicenceMode
    on_invite: OnInvite
    needs_assignment: bool
    included: int
    minimum: int
    price: TermPriceOut


class PlanOffer(Schema):
    plan: str
    name: str
    is_current: bool
    price: TermPriceOut
    grants: list[GrantIn]
    features: FeaturesIn
    units: list[UnitOffer]
    numbers_included: int
    most_numbers: int | None


class BundleOffer(Schema):
    bundle: str
    name: str
    unit: str
    quantity: int
    expires_after_days: int | None
    scope: ScopeIn | None
    price: PriceOut


class PackageOffer(Schema):
    package: str
    name: str
    grants: list[GrantIn]
    price: TermPriceOut


class ProductOffer(Schema):
    product: str
    name: str
    price: PriceOut


class NumberOffer(Schema):
    """``up_front`` is paid when it is ordered, ``recurring`` for every period."""

    number_type: str
    name: str
    capabilities: list[str]
    up_front: PriceOut
    recurring: PriceOut


class StorageOffer(Schema):
    """What is free, and what each started GB (1,024 MB) above costs for a period."""

    included_mb: int
    members_included: int
    per_member_mb: int
    price: PriceOut


class TermsOut(Schema):
    """What an acceptance accepts."""

    terms_version: str
    terms_url: str | None
    terms_text: str | None


class OffersOut(Schema):
    """What the account can buy. Licences, packages and storage are those of the version its plan
    was sold under; everything else is the current one's."""

    account: str
    currency: str
    catalog_version: int
    terms: TermsOut
    plans: list[PlanOffer]
    licences: list[UnitOffer]
    packages: list[PackageOffer]
    bundles: list[BundleOffer]
    products: list[ProductOffer]
    number_types: list[NumberOffer]
    storage: StorageOffer | None
    contacts: ContactsSchema

    @staticmethod
    def of(offers: Offers) -> "OffersOut":
        account, catalog, held = offers.account, offers.current.catalog, offers.held
        now = _Shown(catalog, account.currency)
        kept = _Shown(held, account.currency)
        plan = held.plans.get(account.plan.plan_id)
        return OffersOut(
            account=account.ref.account_id,
            currency=account.currency,
            catalog_version=offers.current.version,
            terms=TermsOut(
                terms_version=catalog.terms_version,
                terms_url=catalog.terms_url or None,
                terms_text=catalog.terms_text or None,
            ),
            plans=[now.plan(one, account.plan.plan_id) for one in catalog.plans.values()],
            licences=kept.units(plan),
            packages=[kept.package(one) for one in held.packages.values()],
            bundles=[now.bundle(one) for one in catalog.bundles.values()],
            products=[
                ProductOffer(product=one.product_id, name=one.name, price=now.once(one.price))
                for one in catalog.products.values()
            ],
            number_types=[now.number_type(one) for one in catalog.number_types.values()],
            storage=kept.storage(),
            contacts=ContactsSchema.of(catalog.contacts),
        )


class _Shown:
    """Shows a catalogue in one currency."""

    def __init__(self, catalog: Catalog, currency: str) -> None:
        self._catalog = catalog
        self._currency = currency

    def once(self, price: Price) -> PriceOut:
        money = MoneyOut.of(price.micros(self._currency), self._currency)
        return PriceOut(amount=money.amount, currency=money.currency, **self._tax(price.tax))

    def plan(self, plan: Plan, current: str) -> PlanOffer:
        features = plan.features
        return PlanOffer(
            plan=plan.plan_id,
            name=plan.name,
            is_current=plan.plan_id == current,
            price=self._term(plan.price),
            grants=[_grant(grant) for grant in plan.recurring_grants],
            features=FeaturesIn(
                concurrent_calls=features.concurrent_calls, queue_priority=features.queue_priority
            ),
            units=self.units(plan),
            numbers_included=plan.numbers_included,
            most_numbers=plan.most_numbers,
        )

    def units(self, plan: Plan | None) -> list[UnitOffer]:
        return [self._unit(unit) for unit in plan.units] if plan else []

    def package(self, package: Package) -> PackageOffer:
        return PackageOffer(
            package=package.package_id,
            name=package.name,
            grants=[_grant(grant) for grant in package.grants],
            price=self._term(package.price),
        )

    def bundle(self, bundle: Bundle) -> BundleOffer:
        return BundleOffer(
            bundle=bundle.bundle_id,
            name=bundle.name,
            unit=bundle.unit.value,
            quantity=bundle.quantity,
            expires_after_days=bundle.expires_after_days,
            scope=ScopeIn.of(bundle.scope) if bundle.scope else None,
            price=self.once(bundle.price),
        )

    def number_type(self, number_type: NumberType) -> NumberOffer:
        return NumberOffer(
            number_type=number_type.type_id,
            name=number_type.name,
            capabilities=list(number_type.capabilities),
            up_front=self.once(number_type.up_front),
            recurring=self.once(number_type.recurring),
        )

    def storage(self) -> StorageOffer | None:
        rule = self._catalog.storage
        if not is_sold(rule.price, self._currency):
            return None
        return StorageOffer(
            included_mb=rule.included_mb,
            members_included=rule.members_included,
            per_member_mb=rule.per_member_mb,
            price=self.once(rule.price),
        )

    def _unit(self, unit: UnitTerms) -> UnitOffer:
        licence = self._catalog.licences[unit.kind]
        return UnitOffer(
            licence=licence.kind,
            name=licence.name,
            mode=licence.mode,
            on_invite=licence.on_invite,
            needs_assignment=licence.needs_assignment,
            included=unit.included,
            minimum=unit.minimum,
            price=self._term(unit.price),
        )

    def _term(self, price: RecurringPrice) -> TermPriceOut:
        shown: dict[str, Any] = {"month": self._money(price, Interval.MONTH)}
        # A catalogue may sell the year in fewer currencies than the month.
        with suppress(NotSoldError):
            shown["year"] = self._money(price, Interval.YEAR)
        return TermPriceOut(**shown, **self._tax(price.tax))

    def _money(self, price: RecurringPrice, interval: Interval) -> MoneyOut:
        return MoneyOut.of(price.micros(self._currency, interval), self._currency)

    def _tax(self, code: str) -> dict[str, Any]:
        """The field for it, which is left out where there is none."""
        rate = self._catalog.tax_rates.get(code)
        if rate is None:
            return {}
        return {"tax": TaxOut(tax=code, name=rate.name, percentage=percentage(rate.millionths))}


def _grant(grant: RecurringGrant) -> GrantIn:
    return GrantIn.model_validate_json(canonical_json(grant_json(grant)))
