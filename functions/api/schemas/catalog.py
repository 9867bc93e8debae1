"""The catalogue: one document, validated as a whole."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Day, Id, Name, Schema
from api.schemas.catalog_shown import catalog_shown
from api.schemas.selling import (
    Amounts,
    BundleIn,
    ContactsSchema,
    GrantIn,
    LicenceIn,
    NumberTypeIn,
    PackageIn,
    PartySchema,
    ProductIn,
    TaxCode,
    TaxRateIn,
    TermPrices,
    price_from,
)
from billing.domain.account import PlanFeatures
from billing.domain.canonical import canonical_json
from billing.domain.catalog import QUOTE_MINUTES, Catalog, Plan
from billing.domain.catalog_checks import Faults
from billing.domain.catalog_rules import make_catalog
from billing.domain.selling import (
    DowngradePolicy,
    DunningRule,
    NumberRule,
    StorageRule,
    UnitTerms,
)
from billing.ports import StoredCatalog


class FeaturesIn(Schema):
    """What a plan allows. Without ``concurrent_calls`` it sets no limit to calls at once.

    ``queue_priority`` is answered to whoever authorises a call; higher goes first.
    """

    concurrent_calls: Annotated[int, Field(ge=1, le=100_000)] | None = None
    queue_priority: Annotated[int, Field(ge=0, le=100)] = 0


class UnitIn(Schema):
    """What a plan says of one licence: how many its fee pays for, how many are billed at least, and
    what each one above those that are included costs."""

    licence: Id
    included: int = 0
    minimum: int = 0
    price: TermPrices = TermPrices()
    tax: TaxCode = ""


class PlanIn(Schema):
    plan: Id
    name: Name
    price: TermPrices = TermPrices()
    tax: TaxCode = ""
    grants: Annotated[list[GrantIn], Field(max_length=20)] = []
    features: FeaturesIn = FeaturesIn()
    units: Annotated[list[UnitIn], Field(max_length=50)] = []
    numbers_included: int = 0
    most_numbers: int | None = None

    def to_plan(self, pointer: str, faults: Faults) -> Plan:
        return Plan(
            plan_id=self.plan,
            name=self.name,
            recurring_grants=tuple(
                grant.to_grant(f"{pointer}/grants/{place}", faults)
                for place, grant in enumerate(self.grants)
            ),
            features=PlanFeatures(self.features.concurrent_calls, self.features.queue_priority),
            price=self.price.to_price(self.tax),
            units=tuple(
                UnitTerms(unit.licence, unit.included, unit.minimum, unit.price.to_price(unit.tax))
                for unit in self.units
            ),
            numbers_included=self.numbers_included,
            most_numbers=self.most_numbers,
        )


class StorageIn(Schema):
    """What storage is free, and what each started GB above costs. 1 GB is 1,024 MB."""

    included_mb: int = StorageRule().included_mb
    members_included: int = StorageRule().members_included
    per_member_mb: int = StorageRule().per_member_mb
    price: Amounts = {}
    tax: TaxCode = ""

    def to_rule(self) -> StorageRule:
        return StorageRule(
            self.included_mb,
            self.members_included,
            self.per_member_mb,
            price_from(self.price, self.tax),
        )


class DunningIn(Schema):
    """Days are counted from the first failure."""

    retry_days: list[int] = list(DunningRule().retry_days)
    suspend_after_days: int = DunningRule().suspend_after_days
    refills_while_past_due: bool = DunningRule().refills_while_past_due

    def to_rule(self) -> DunningRule:
        return DunningRule(
            tuple(self.retry_days), self.suspend_after_days, self.refills_while_past_due
        )


class NumbersIn(Schema):
    """How long a number that is not paid for is on hold, and when it is said that it will go."""

    grace_days: int = NumberRule().grace_days
    notice_days: list[int] = list(NumberRule().notice_days)


class CatalogIn(Schema):
    """Everything that is sold, and the terms it is sold under. Only plans have to be there."""

    terms_version: Annotated[Name, Field(max_length=64)]
    terms_url: str = ""
    terms_text: str = ""
    existing_from: Day | None = None
    quote_minutes: int = QUOTE_MINUTES
    tax_rates: Annotated[list[TaxRateIn], Field(max_length=100)] = []
    licences: Annotated[list[LicenceIn], Field(max_length=50)] = []
    plans: Annotated[list[PlanIn], Field(min_length=1, max_length=200)]
    bundles: Annotated[list[BundleIn], Field(max_length=200)] = []
    packages: Annotated[list[PackageIn], Field(max_length=200)] = []
    products: Annotated[list[ProductIn], Field(max_length=200)] = []
    number_types: Annotated[list[NumberTypeIn], Field(max_length=100)] = []
    numbers: NumbersIn = NumbersIn()
    storage: StorageIn = StorageIn()
    dunning: DunningIn = DunningIn()
    downgrade: DowngradePolicy = DowngradePolicy.CONTACT_SALES
    contacts: ContactsSchema = ContactsSchema()
    seller: PartySchema = PartySchema()

    def to_catalog(self) -> Catalog:
        """
        Raises:
            InvalidCatalogError: Names every field that is wrong.
        """
        faults = Faults()
        return make_catalog(
            self.terms_version,
            [one.to_plan(f"plans/{i}", faults) for i, one in enumerate(self.plans)],
            licences=[one.to_kind() for one in self.licences],
            bundles=[one.to_bundle(f"bundles/{i}", faults) for i, one in enumerate(self.bundles)],
            packages=[
                one.to_package(f"packages/{i}", faults) for i, one in enumerate(self.packages)
            ],
            products=[one.to_product() for one in self.products],
            number_types=[one.to_type() for one in self.number_types],
            tax_rates=[one.to_rate() for one in self.tax_rates],
            storage=self.storage.to_rule(),
            dunning=self.dunning.to_rule(),
            number_rule=NumberRule(self.numbers.grace_days, tuple(self.numbers.notice_days)),
            downgrade=self.downgrade,
            contacts=self.contacts.to_contacts(),
            terms_url=self.terms_url,
            terms_text=self.terms_text,
            existing_from=self.existing_from,
            quote_minutes=self.quote_minutes,
            seller=self.seller.to_party(),
            noted=faults.noted,
        )


class CatalogOut(CatalogIn):
    """One version. What says nothing is left out."""

    version: int

    @staticmethod
    def of(stored: StoredCatalog) -> "CatalogOut":
        shown = {"version": stored.version, **catalog_shown(stored.catalog)}
        return CatalogOut.model_validate_json(canonical_json(shown))


class CatalogListed(Schema):
    """A version in the list of all: which terms it sold under, and whom it reaches."""

    version: int
    terms_version: str
    existing_from: Day | None
    plans: list[str]

    @staticmethod
    def of(stored: StoredCatalog) -> "CatalogListed":
        catalog = stored.catalog
        return CatalogListed(
            version=stored.version,
            terms_version=catalog.terms_version,
            existing_from=catalog.existing_from,
            plans=list(catalog.plans),
        )
