"""How a catalogue is written down and read back.

What says nothing is left out, so a document stored before there was such a thing reads the same.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from billing.domain.account import PlanFeatures
from billing.domain.canonical import Json
from billing.domain.catalog import QUOTE_MINUTES, Catalog, Plan
from billing.domain.selling import (
    DowngradePolicy,
    DunningRule,
    NumberRule,
    Price,
    Product,
    StorageRule,
    TaxRate,
    UnitTerms,
)
from billing.domain.selling_form import (
    bundle_from,
    bundle_json,
    contacts_from,
    contacts_json,
    grant_json,
    grants_from,
    licence_from,
    licence_json,
    number_type_from,
    number_type_json,
    package_from,
    package_json,
    party_from,
    party_json,
    price_from,
    price_json,
    recurring_from,
    recurring_json,
)


def to_json(catalog: Catalog) -> dict[str, Json]:
    """The document as it is stored. Everything that is listed keeps its order."""
    document: dict[str, Json] = {
        "terms_version": catalog.terms_version,
        "plans": [_plan_json(plan) for plan in catalog.plans.values()],
    }
    listed: dict[str, Json] = {
        "licences": [licence_json(one) for one in catalog.licences.values()],
        "bundles": [bundle_json(one) for one in catalog.bundles.values()],
        "packages": [package_json(one) for one in catalog.packages.values()],
        "products": [
            {"product": one.product_id, "name": one.name, "price": price_json(one.price)}
            for one in catalog.products.values()
        ],
        "number_types": [number_type_json(one) for one in catalog.number_types.values()],
        "tax_rates": [
            {"code": one.code, "name": one.name, "millionths": one.millionths}
            for one in catalog.tax_rates.values()
        ],
    }
    document |= {name: value for name, value in listed.items() if value}
    rules: dict[str, Json] = {
        "storage": _without_defaults(catalog.storage),
        "dunning": _without_defaults(catalog.dunning),
        "number_rule": _without_defaults(catalog.number_rule),
        "contacts": contacts_json(catalog.contacts),
        "seller": party_json(catalog.seller),
        "terms_url": catalog.terms_url,
        "terms_text": catalog.terms_text,
    }
    document |= {name: value for name, value in rules.items() if value}
    if catalog.downgrade is not DowngradePolicy.CONTACT_SALES:
        document["downgrade"] = catalog.downgrade
    if catalog.existing_from is not None:
        document["existing_from"] = catalog.existing_from.isoformat()
    if catalog.quote_minutes != QUOTE_MINUTES:
        document["quote_minutes"] = catalog.quote_minutes
    if catalog.saved_at is not None:
        document["saved_at"] = catalog.saved_at.isoformat()
    return document


def from_json(document: Mapping[str, Any]) -> Catalog:
    """Read back what ``to_json`` wrote.

    It was checked when it was stored, and is not checked again: what was sold stays readable when
    the rules have grown stricter.
    """
    existing_from = document.get("existing_from")
    saved_at = document.get("saved_at")
    return Catalog(
        terms_version=document["terms_version"],
        plans={plan.plan_id: plan for plan in map(_plan, document["plans"])},
        licences={one.kind: one for one in map(licence_from, document.get("licences", ()))},
        bundles={one.bundle_id: one for one in map(bundle_from, document.get("bundles", ()))},
        packages={one.package_id: one for one in map(package_from, document.get("packages", ()))},
        products={
            one["product"]: Product(one["product"], one["name"], price_from(one["price"]))
            for one in document.get("products", ())
        },
        number_types={
            one.type_id: one for one in map(number_type_from, document.get("number_types", ()))
        },
        tax_rates={one["code"]: TaxRate(**one) for one in document.get("tax_rates", ())},
        storage=StorageRule(**_read(document.get("storage", {}))),
        dunning=DunningRule(**_read(document.get("dunning", {}))),
        number_rule=NumberRule(**_read(document.get("number_rule", {}))),
        downgrade=DowngradePolicy(document.get("downgrade", DowngradePolicy.CONTACT_SALES)),
        contacts=contacts_from(document.get("contacts", {})),
        terms_url=document.get("terms_url", ""),
        terms_text=document.get("terms_text", ""),
        existing_from=date.fromisoformat(existing_from) if existing_from else None,
        quote_minutes=document.get("quote_minutes", QUOTE_MINUTES),
        seller=party_from(document.get("seller", {})),
        saved_at=datetime.fromisoformat(saved_at) if saved_at else None,
    )


def _plan_json(plan: Plan) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "plan": plan.plan_id,
        "name": plan.name,
        "grants": [grant_json(grant) for grant in plan.recurring_grants],
        **recurring_json(plan.price),
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
                **recurring_json(unit.price),
            }
            for unit in plan.units
        ]
    if plan.numbers_included:
        shown["numbers_included"] = plan.numbers_included
    if plan.most_numbers is not None:
        shown["most_numbers"] = plan.most_numbers
    return shown


def _plan(value: Mapping[str, Any]) -> Plan:
    features = value.get("features")
    return Plan(
        plan_id=value["plan"],
        name=value["name"],
        recurring_grants=grants_from(value["grants"]),
        features=PlanFeatures(**features) if features else PlanFeatures(),
        price=recurring_from(value),
        units=tuple(
            UnitTerms(unit["licence"], unit["included"], unit["minimum"], recurring_from(unit))
            for unit in value.get("units", ())
        ),
        numbers_included=value.get("numbers_included", 0),
        most_numbers=value.get("most_numbers"),
    )


def _without_defaults(rule: StorageRule | DunningRule | NumberRule) -> dict[str, Json]:
    """A rule's fields by their own names, but those that are as if nobody had said anything."""
    default = type(rule)()
    return {
        field.name: _plain(getattr(rule, field.name))
        for field in fields(rule)
        if getattr(rule, field.name) != getattr(default, field.name)
    }


def _plain(value: int | tuple[int, ...] | Price) -> Json:
    if isinstance(value, Price):
        return price_json(value)
    return list(value) if isinstance(value, tuple) else value


def _read(rule: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule from what ``_plain`` made of them."""
    return {
        name: price_from(value)
        if isinstance(value, Mapping)
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in rule.items()
    }
