"""How what is sold besides plans is written down and read back. What says nothing is left out."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from billing.domain.canonical import Json
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.parties import Party
from billing.domain.selling import (
    Bundle,
    Contact,
    Contacts,
    LicenceKind,
    LicenceMode,
    NumberType,
    OnInvite,
    Package,
    Price,
    RecurringPrice,
)
from billing.domain.units import Direction, Unit


def contacts_json(contacts: Contacts) -> dict[str, Json]:
    """Whom to ask, as it is shown; without those who are not named."""
    shown: dict[str, Json] = {}
    for role in fields(contacts):
        contact = getattr(contacts, role.name)
        known = {field.name: getattr(contact, field.name) for field in fields(contact)}
        if given := {name: value for name, value in known.items() if value}:
            shown[role.name] = given
    return shown


def contacts_from(value: Mapping[str, Any]) -> Contacts:
    return Contacts(**{role: Contact(**contact) for role, contact in value.items()})


def party_json(party: Party) -> dict[str, Json]:
    """A side of a document, as it is shown; without what is not said."""
    address: list[Json] = list(party.address)
    shown: dict[str, Json] = {
        "name": party.name,
        "address": address,
        "country": party.country,
        "tax_id": party.tax_id,
    }
    return {name: value for name, value in shown.items() if value}


def party_from(value: Mapping[str, Any]) -> Party:
    return Party(**{**value, "address": tuple(value.get("address", ()))})


def price_json(price: Price) -> dict[str, Json]:
    """Pairs, not an object: a price keeps the order of its currencies."""
    amounts: list[Json] = [[currency, micros] for currency, micros in price.amounts]
    shown: dict[str, Json] = {"amounts": amounts} if amounts else {}
    return shown | ({"tax": price.tax} if price.tax else {})


def price_from(value: Mapping[str, Any]) -> Price:
    amounts = ((currency, micros) for currency, micros in value.get("amounts", ()))
    return Price(tuple(amounts), value.get("tax", ""))


def recurring_json(price: RecurringPrice) -> dict[str, Json]:
    if price == RecurringPrice():
        return {}
    shown: dict[str, Json] = {"month": price_json(price.month)}
    if price.year is not None:
        shown["year"] = price_json(price.year)
    return {"price": shown}


def recurring_from(value: Mapping[str, Any]) -> RecurringPrice:
    price = value.get("price")
    if price is None:
        return RecurringPrice()
    year = price.get("year")
    return RecurringPrice(price_from(price["month"]), None if year is None else price_from(year))


def _scope_json(scope: Scope | None) -> dict[str, Json]:
    if scope is None:
        return {}
    return {"scope": {"direction": scope.direction, "prefixes": list(scope.prefixes)}}


def _scope(value: Mapping[str, Any]) -> Scope | None:
    scope = value.get("scope")
    if scope is None:
        return None
    direction = scope["direction"]
    return Scope(Direction(direction) if direction else None, tuple(scope["prefixes"]))


def grant_json(grant: RecurringGrant) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "grant": grant.recurring_id,
        "unit": grant.unit,
        "quantity": grant.quantity,
        "priority": grant.priority,
        "rollover_limit": grant.rollover_limit,
    }
    if grant.unlimited:
        shown["unlimited"] = True
    return shown | _scope_json(grant.scope)


def grants_from(values: Iterable[Mapping[str, Any]]) -> tuple[RecurringGrant, ...]:
    return tuple(
        RecurringGrant(
            recurring_id=value["grant"],
            unit=Unit(value["unit"]),
            quantity=value["quantity"],
            priority=value["priority"],
            rollover_limit=value["rollover_limit"],
            scope=_scope(value),
            unlimited=value.get("unlimited", False),
        )
        for value in values
    )


def licence_json(licence: LicenceKind) -> dict[str, Json]:
    return {
        "licence": licence.kind,
        "name": licence.name,
        "mode": licence.mode,
        "on_invite": licence.on_invite,
        "needs_assignment": licence.needs_assignment,
    }


def licence_from(value: Mapping[str, Any]) -> LicenceKind:
    return LicenceKind(
        kind=value["licence"],
        name=value["name"],
        mode=LicenceMode(value["mode"]),
        on_invite=OnInvite(value["on_invite"]),
        needs_assignment=value["needs_assignment"],
    )


def bundle_json(bundle: Bundle) -> dict[str, Json]:
    return {
        "bundle": bundle.bundle_id,
        "name": bundle.name,
        "unit": bundle.unit,
        "quantity": bundle.quantity,
        "price": price_json(bundle.price),
        "expires_after_days": bundle.expires_after_days,
        "priority": bundle.priority,
        **_scope_json(bundle.scope),
    }


def bundle_from(value: Mapping[str, Any]) -> Bundle:
    return Bundle(
        bundle_id=value["bundle"],
        name=value["name"],
        unit=Unit(value["unit"]),
        quantity=value["quantity"],
        price=price_from(value["price"]),
        expires_after_days=value["expires_after_days"],
        priority=value["priority"],
        scope=_scope(value),
    )


def package_json(package: Package) -> dict[str, Json]:
    return {
        "package": package.package_id,
        "name": package.name,
        "grants": [grant_json(grant) for grant in package.grants],
        **recurring_json(package.price),
    }


def package_from(value: Mapping[str, Any]) -> Package:
    return Package(
        value["package"], value["name"], grants_from(value["grants"]), recurring_from(value)
    )


def number_type_json(number_type: NumberType) -> dict[str, Json]:
    return {
        "number_type": number_type.type_id,
        "name": number_type.name,
        "capabilities": list(number_type.capabilities),
        "up_front": price_json(number_type.up_front),
        "recurring": price_json(number_type.recurring),
    }


def number_type_from(value: Mapping[str, Any]) -> NumberType:
    return NumberType(
        type_id=value["number_type"],
        name=value["name"],
        capabilities=tuple(value["capabilities"]),
        up_front=price_from(value["up_front"]),
        recurring=price_from(value["recurring"]),
    )
