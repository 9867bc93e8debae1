"""A catalogue as it is shown: as it can be sent back, without what says nothing."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from billing.domain.account import PlanFeatures
from billing.domain.canonical import Json
from billing.domain.catalog import QUOTE_MINUTES, Catalog, Plan
from billing.domain.grants import Scope
from billing.domain.money import Money
from billing.domain.selling import (
    Bundle,
    DowngradePolicy,
    DunningRule,
    LicenceKind,
    NumberRule,
    NumberType,
    OnInvite,
    Package,
    Price,
    Product,
    RecurringPrice,
    StorageRule,
    TaxRate,
)
from billing.domain.selling_form import contacts_json, grant_json, party_json

PER_CENT = 10_000
"""Millionths in one per cent."""

Sold = TypeVar("Sold")
Shown = dict[str, Json]


def catalog_shown(catalog: Catalog) -> Shown:
    """The document; its author reads it from the terms down to the rules."""
    since = catalog.existing_from
    shown: Shown = {
        "terms_version": catalog.terms_version,
        "terms_url": catalog.terms_url,
        "terms_text": catalog.terms_text,
        "existing_from": since.isoformat() if since else None,
        "tax_rates": _each(_tax_rate, catalog.tax_rates.values()),
        "licences": _each(_licence, catalog.licences.values()),
        "plans": _each(_plan, catalog.plans.values()),
        "bundles": _each(_bundle, catalog.bundles.values()),
        "packages": _each(_package, catalog.packages.values()),
        "products": _each(_product, catalog.products.values()),
        "number_types": _each(_number_type, catalog.number_types.values()),
        "contacts": contacts_json(catalog.contacts),
        "seller": party_json(catalog.seller),
    }
    if catalog.quote_minutes != QUOTE_MINUTES:
        shown["quote_minutes"] = catalog.quote_minutes
    if catalog.number_rule != NumberRule():
        rule = catalog.number_rule
        shown["numbers"] = {"grace_days": rule.grace_days, "notice_days": list(rule.notice_days)}
    if catalog.storage != StorageRule():
        shown["storage"] = _storage(catalog.storage)
    if catalog.dunning != DunningRule():
        shown["dunning"] = _dunning(catalog.dunning)
    if catalog.downgrade is not DowngradePolicy.CONTACT_SALES:
        shown["downgrade"] = catalog.downgrade
    return _said(shown)


def percentage(millionths: int) -> str:
    """A fifth is ``20``; a little less than nine per cent may be ``8.875``."""
    whole, rest = divmod(millionths, PER_CENT)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def _each(show: Callable[[Sold], Shown], listed: Iterable[Sold]) -> list[Json]:
    return [show(one) for one in listed]


def _said(shown: Shown) -> Shown:
    return {name: value for name, value in shown.items() if value not in (None, "", [], {})}


def _amounts(price: Price) -> dict[str, Json]:
    return {currency: Money(micros, currency).amount for currency, micros in price.amounts}


def _term(price: RecurringPrice) -> Shown:
    prices: Shown = {"month": _amounts(price.month)}
    if price.year is not None:
        prices["year"] = _amounts(price.year)
    return _said({"price": _said(prices), "tax": price.tax})


def _tax_rate(rate: TaxRate) -> Shown:
    return {"tax": rate.code, "name": rate.name, "percentage": percentage(rate.millionths)}


def _licence(licence: LicenceKind) -> Shown:
    shown: Shown = {"licence": licence.kind, "name": licence.name, "mode": licence.mode}
    if licence.on_invite is not OnInvite.NOTHING:
        shown["on_invite"] = licence.on_invite
    if licence.needs_assignment:
        shown["needs_assignment"] = True
    return shown


def _plan(plan: Plan) -> Shown:
    shown: Shown = {
        "plan": plan.plan_id,
        "name": plan.name,
        **_term(plan.price),
        "grants": [grant_json(grant) for grant in plan.recurring_grants],
    }
    if plan.features != PlanFeatures():
        shown["features"] = {
            "concurrent_calls": plan.features.concurrent_calls,
            "queue_priority": plan.features.queue_priority,
        }
    if plan.units:
        shown["units"] = [
            {
                "licence": unit.kind,
                "included": unit.included,
                "minimum": unit.minimum,
                **_term(unit.price),
            }
            for unit in plan.units
        ]
    if plan.numbers_included:
        shown["numbers_included"] = plan.numbers_included
    if plan.most_numbers is not None:
        shown["most_numbers"] = plan.most_numbers
    return shown


def _scope(scope: Scope | None) -> Shown:
    if scope is None:
        return {}
    return {"scope": {"direction": scope.direction, "prefixes": list(scope.prefixes)}}


def _bundle(bundle: Bundle) -> Shown:
    shown: Shown = {
        "bundle": bundle.bundle_id,
        "name": bundle.name,
        "unit": bundle.unit,
        "quantity": bundle.quantity,
        "price": _amounts(bundle.price),
        "tax": bundle.price.tax,
        "expires_after_days": bundle.expires_after_days,
        **_scope(bundle.scope),
    }
    return _said(shown) | {"priority": bundle.priority}


def _package(package: Package) -> Shown:
    return {
        "package": package.package_id,
        "name": package.name,
        **_term(package.price),
        "grants": [grant_json(grant) for grant in package.grants],
    }


def _product(product: Product) -> Shown:
    return _said(
        {
            "product": product.product_id,
            "name": product.name,
            "price": _amounts(product.price),
            "tax": product.price.tax,
        }
    )


def _number_type(number_type: NumberType) -> Shown:
    return _said(
        {
            "number_type": number_type.type_id,
            "name": number_type.name,
            "capabilities": list(number_type.capabilities),
            "up_front": _amounts(number_type.up_front),
            "recurring": _amounts(number_type.recurring),
            "tax": number_type.recurring.tax,
        }
    )


def _storage(rule: StorageRule) -> Shown:
    return {
        "included_mb": rule.included_mb,
        "members_included": rule.members_included,
        "per_member_mb": rule.per_member_mb,
        **_said({"price": _amounts(rule.price), "tax": rule.price.tax}),
    }


def _dunning(rule: DunningRule) -> Shown:
    return {
        "retry_days": list(rule.retry_days),
        "suspend_after_days": rule.suspend_after_days,
        "refills_while_past_due": rule.refills_while_past_due,
    }
