"""Which catalogue can be sold from: one document, checked as a whole, every fault named."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise

from billing.domain.catalog import QUOTE_MINUTES, Catalog, Plan
from billing.domain.catalog_checks import Faults
from billing.domain.catalog_plans import (
    MAX_UNITS,
    check_grants,
    check_licences,
    check_plans,
    currencies,
)
from billing.domain.checked_fields import Fault
from billing.domain.errors import InvalidInputError
from billing.domain.parties import Party, party_faults
from billing.domain.selling import (
    TAX_WHOLE,
    Bundle,
    Contacts,
    DowngradePolicy,
    DunningRule,
    Interval,
    LicenceKind,
    NumberRule,
    NumberType,
    Package,
    Product,
    StorageRule,
    TaxRate,
)

MAX_TERMS_VERSION = 64
MAX_QUANTITY = 10**12
MAX_EXPIRY_DAYS = 3_660
MAX_RULE_DAYS = 365
MAX_RETRIES = 20
MAX_QUOTE_MINUTES = 24 * 60
MAX_STORAGE_MB = 1024**4
"""An exabyte."""


class InvalidCatalogError(InvalidInputError):
    """The catalogue cannot be sold from; all that is wrong with it is named."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(
            "; ".join(f"{fault.pointer} {fault.detail}" for fault in faults[:3]),
            field=faults[0].pointer.removeprefix("/"),
        )
        self.faults = faults


def make_catalog(
    terms_version: str,
    plans: Iterable[Plan],
    *,
    licences: Iterable[LicenceKind] = (),
    bundles: Iterable[Bundle] = (),
    packages: Iterable[Package] = (),
    products: Iterable[Product] = (),
    number_types: Iterable[NumberType] = (),
    tax_rates: Iterable[TaxRate] = (),
    storage: StorageRule | None = None,
    dunning: DunningRule | None = None,
    number_rule: NumberRule | None = None,
    downgrade: DowngradePolicy = DowngradePolicy.CONTACT_SALES,
    contacts: Contacts | None = None,
    terms_url: str = "",
    terms_text: str = "",
    existing_from: date | None = None,
    quote_minutes: int = QUOTE_MINUTES,
    seller: Party | None = None,
    noted: Iterable[Fault] = (),
) -> Catalog:
    """A catalogue of what is listed, in its order; the rest is as ``Catalog`` has it.

    Args:
        noted: Faults that were found before there was anything to list.

    Raises:
        InvalidCatalogError: Names every field that is wrong.

    Source:
        docs/catalog.md, "What is refused".
    """
    faults = Faults(noted)
    licences, tax_rates = tuple(licences), tuple(tax_rates)
    plans, packages = tuple(plans), tuple(packages)
    bundles, products, number_types = tuple(bundles), tuple(products), tuple(number_types)
    catalog = Catalog(
        terms_version=terms_version,
        plans={one.plan_id: one for one in plans},
        licences={one.kind: one for one in licences},
        bundles={one.bundle_id: one for one in bundles},
        packages={one.package_id: one for one in packages},
        products={one.product_id: one for one in products},
        number_types={one.type_id: one for one in number_types},
        tax_rates={one.code: one for one in tax_rates},
        storage=storage or StorageRule(),
        dunning=dunning or DunningRule(),
        number_rule=number_rule or NumberRule(),
        downgrade=downgrade,
        contacts=contacts or Contacts(),
        terms_url=terms_url,
        terms_text=terms_text,
        existing_from=existing_from,
        quote_minutes=quote_minutes,
        seller=seller or Party(),
    )
    _terms(catalog, faults)
    _tax_rates(tax_rates, faults)
    check_licences(licences, faults)
    check_plans(plans, catalog, faults)
    _packages(packages, catalog, faults)
    _bundles(bundles, catalog, faults)
    _products(products, catalog, faults)
    _number_types(number_types, catalog, faults)
    _rules(catalog, faults)
    if faults.noted:
        raise InvalidCatalogError(tuple(faults.noted))
    return catalog


def _terms(catalog: Catalog, faults: Faults) -> None:
    version = catalog.terms_version
    faults.require(
        1 <= len(version) <= MAX_TERMS_VERSION and version.isprintable(),
        "terms_version",
        f"is one line of 1 to {MAX_TERMS_VERSION} characters",
    )
    faults.url(catalog.terms_url, "terms_url")
    faults.text(catalog.terms_text, "terms_text")
    faults.within(catalog.quote_minutes, 1, MAX_QUOTE_MINUTES, "quote_minutes")
    for role in ("sales", "support", "account_manager"):
        faults.contact(getattr(catalog.contacts, role), f"contacts/{role}")
    for field, detail in party_faults(catalog.seller):
        faults.require(False, f"seller/{field}", detail)


def _tax_rates(tax_rates: Sequence[TaxRate], faults: Faults) -> None:
    faults.ids("tax_rates", "tax", (one.code for one in tax_rates))
    for index, one in enumerate(tax_rates):
        faults.name(one.name, f"tax_rates/{index}/name")
        is_met = 0 <= one.millionths <= TAX_WHOLE
        faults.require(is_met, f"tax_rates/{index}/percentage", "is 0 to 100")


def _packages(packages: Sequence[Package], catalog: Catalog, faults: Faults) -> None:
    faults.ids("packages", "package", (one.package_id for one in packages))
    # Held together, two grants of one name would be one, and its refill would be lost.
    taken = {
        grant.recurring_id for plan in catalog.plans.values() for grant in plan.recurring_grants
    }
    for index, one in enumerate(packages):
        owner = f"packages/{index}"
        faults.name(one.name, f"{owner}/name")
        faults.recurring(one.price, catalog.tax_rates, owner)
        faults.require(bool(one.grants), f"{owner}/grants", "has at least one grant")
        check_grants(one.grants, owner, faults)
        for place, grant in enumerate(one.grants):
            faults.require(
                grant.recurring_id not in taken,
                f"{owner}/grants/{place}/grant",
                f"{grant.recurring_id!r} is a grant of a plan or of another package already",
            )
        taken |= {grant.recurring_id for grant in one.grants}


def _bundles(bundles: Sequence[Bundle], catalog: Catalog, faults: Faults) -> None:
    faults.ids("bundles", "bundle", (one.bundle_id for one in bundles))
    for index, one in enumerate(bundles):
        owner = f"bundles/{index}"
        faults.name(one.name, f"{owner}/name")
        faults.within(one.quantity, 1, MAX_QUANTITY, f"{owner}/quantity")
        faults.within(one.expires_after_days, 1, MAX_EXPIRY_DAYS, f"{owner}/expires_after_days")
        faults.within(one.priority, 0, 1_000_000, f"{owner}/priority")
        faults.price(one.price, catalog.tax_rates, f"{owner}/price", f"{owner}/tax")


def _products(products: Sequence[Product], catalog: Catalog, faults: Faults) -> None:
    faults.ids("products", "product", (one.product_id for one in products))
    for index, one in enumerate(products):
        owner = f"products/{index}"
        faults.name(one.name, f"{owner}/name")
        faults.price(one.price, catalog.tax_rates, f"{owner}/price", f"{owner}/tax")


def _number_types(number_types: Sequence[NumberType], catalog: Catalog, faults: Faults) -> None:
    faults.ids("number_types", "number_type", (one.type_id for one in number_types))
    for index, one in enumerate(number_types):
        owner = f"number_types/{index}"
        faults.name(one.name, f"{owner}/name")
        faults.require(
            bool(one.capabilities), f"{owner}/capabilities", "says at least one, such as voice"
        )
        for place, capability in enumerate(one.capabilities):
            at = f"{owner}/capabilities/{place}"
            is_new = capability not in one.capabilities[:place]
            faults.require(is_new, at, f"{capability!r} is there twice")
            is_word = capability.isascii() and capability.isidentifier() and capability.islower()
            faults.require(is_word and len(capability) <= 32, at, "is a word such as voice or sms")
        faults.price(one.up_front, catalog.tax_rates, f"{owner}/up_front", f"{owner}/tax")
        faults.price(one.recurring, catalog.tax_rates, f"{owner}/recurring", f"{owner}/tax")
        faults.require(
            one.up_front.tax == one.recurring.tax, f"{owner}/tax", "is one for both prices"
        )
        ordered, kept = (
            {currency for currency, _ in price.amounts} for price in (one.up_front, one.recurring)
        )
        faults.require(
            not ordered or not kept or ordered == kept,
            f"{owner}/recurring",
            "is in the same currencies as up_front",
        )


def _rules(catalog: Catalog, faults: Faults) -> None:
    storage, dunning, numbers = catalog.storage, catalog.dunning, catalog.number_rule
    faults.within(storage.included_mb, 0, MAX_STORAGE_MB, "storage/included_mb")
    faults.within(storage.members_included, 0, MAX_UNITS, "storage/members_included")
    faults.within(storage.per_member_mb, 0, MAX_STORAGE_MB, "storage/per_member_mb")
    faults.price(storage.price, catalog.tax_rates, "storage/price", "storage/tax")
    # What is stored is charged without anybody ordering it.
    of_plans = set[str]().union(
        *(currencies(plan.price, Interval.MONTH) for plan in catalog.plans.values())
    )
    missing = sorted(of_plans - {one for one, _ in storage.price.amounts})
    faults.require(
        not missing or not storage.price.amounts,
        "storage/price",
        f"is missing for {', '.join(missing)}, in which a plan is sold",
    )
    faults.require(
        len(dunning.retry_days) <= MAX_RETRIES
        and _is_rising((0, *dunning.retry_days, MAX_RULE_DAYS + 1)),
        "dunning/retry_days",
        f"are at most {MAX_RETRIES} days from 1 to {MAX_RULE_DAYS}, rising",
    )
    faults.within(dunning.suspend_after_days, 0, MAX_RULE_DAYS, "dunning/suspend_after_days")
    # The least that leaves a day for the notice before a release.
    faults.within(numbers.grace_days, 2, MAX_RULE_DAYS, "numbers/grace_days")
    faults.require(
        bool(numbers.notice_days)
        and _is_rising((0, *reversed(numbers.notice_days), numbers.grace_days)),
        "numbers/notice_days",
        "are one or more days below grace_days, falling: no number is released without a notice",
    )


def _is_rising(days: Sequence[int]) -> bool:
    return all(before < after for before, after in pairwise(days))
