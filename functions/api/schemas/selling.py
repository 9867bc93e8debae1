"""What is sold besides plans, as the catalogue's document has it."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from api.schemas.base import Amount, Id, Name, Schema, UnitName
from billing.domain.catalog_checks import Faults
from billing.domain.errors import InvalidInputError
from billing.domain.grants import MAX_SCOPE_PREFIXES, RecurringGrant, Scope
from billing.domain.money import Money
from billing.domain.parties import MAX_ADDRESS_LINES, Party
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
    Product,
    RecurringPrice,
    TaxRate,
)
from billing.domain.selling_form import contacts_json, party_json
from billing.domain.units import Direction

MAX_QUANTITY = 10**12
PER_CENT = 10_000
"""Millionths in one per cent."""

Prefix = Annotated[str, Field(min_length=1, max_length=32)]
Amounts = Annotated[
    dict[str, Amount],
    Field(
        max_length=200,
        description="ISO 4217 currency to amount, such as `99.00`, net of tax; empty: it is free"
        " in every currency.",
    ),
]
TaxCode = Annotated[
    str, Field(max_length=64, description="The `tax` of one of the tax rates; empty: none.")
]


class ScopeIn(Schema):
    """The usage a grant is limited to: a direction, prefixes of the called number, or both.

    A prefix has digits and no plus sign, as in a rate deck; ``short:`` stands before short codes.
    """

    direction: Direction | None = None
    prefixes: Annotated[list[Prefix], Field(max_length=MAX_SCOPE_PREFIXES)] = []

    @staticmethod
    def of(scope: Scope) -> "ScopeIn":
        return ScopeIn(direction=scope.direction, prefixes=list(scope.prefixes))


class GrantIn(Schema):
    """What a plan grants at the start of each period, shared by all numbers of the account.

    One that is ``unlimited`` has no quantity, and carries nothing over.
    """

    grant: Id
    unit: UnitName
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 0
    unlimited: bool = False
    scope: ScopeIn | None = None
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    rollover_limit: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 0

    def to_grant(self, pointer: str, faults: Faults) -> RecurringGrant:
        """What cannot be is noted, and a stand-in that nobody sees takes its place."""
        try:
            return RecurringGrant(
                recurring_id=self.grant,
                unit=self.unit,
                quantity=self.quantity,
                priority=self.priority,
                rollover_limit=self.rollover_limit,
                scope=scope_from(self.scope, pointer, faults),
                unlimited=self.unlimited,
            )
        except InvalidInputError as error:
            faults.require(False, f"{pointer}/{error.field}", error.detail)
            return RecurringGrant(self.grant, self.unit, 1)


def scope_from(given: ScopeIn | None, pointer: str, faults: Faults) -> Scope | None:
    if given is None:
        return None
    try:
        return Scope(given.direction, tuple(given.prefixes))
    except InvalidInputError as error:
        faults.require(False, f"{pointer}/{error.field}", error.detail)
        return None


class TermPrices(Schema):
    """For each term. Without ``year``, a year costs twelve months."""

    month: Amounts = {}
    year: Amounts | None = None

    def to_price(self, tax: str) -> RecurringPrice:
        year = None if self.year is None else price_from(self.year, tax)
        return RecurringPrice(price_from(self.month, tax), year)


def price_from(amounts: Mapping[str, str], tax: str) -> Price:
    # Which currencies there are is for the rules to say; micros are the same for all. An object has
    # no order, so equal ones become equal prices.
    return Price(
        tuple(
            (code, Money.parse(amount, "USD").micros) for code, amount in sorted(amounts.items())
        ),
        tax,
    )


class TaxRateIn(Schema):
    tax: Id
    name: Name
    percentage: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$")]

    def to_rate(self) -> TaxRate:
        whole, _, fraction = self.percentage.partition(".")
        return TaxRate(self.tax, self.name, int(whole) * PER_CENT + int(fraction.ljust(4, "0")))


class LicenceIn(Schema):
    """A kind of licence. See ``docs/catalog.md`` for what ``mode`` and ``on_invite`` mean."""

    licence: Id
    name: Name
    mode: LicenceMode
    on_invite: OnInvite = OnInvite.NOTHING
    needs_assignment: bool = False

    def to_kind(self) -> LicenceKind:
        return LicenceKind(
            self.licence, self.name, self.mode, self.on_invite, self.needs_assignment
        )


class BundleIn(Schema):
    """An amount of one unit, bought once, burned before the wallet."""

    bundle: Id
    name: Name
    unit: UnitName
    quantity: int
    price: Amounts = {}
    tax: TaxCode = ""
    expires_after_days: int | None = None
    priority: int = 100
    scope: ScopeIn | None = None

    def to_bundle(self, pointer: str, faults: Faults) -> Bundle:
        return Bundle(
            bundle_id=self.bundle,
            name=self.name,
            unit=self.unit,
            quantity=self.quantity,
            price=price_from(self.price, self.tax),
            expires_after_days=self.expires_after_days,
            priority=self.priority,
            scope=scope_from(self.scope, pointer, faults),
        )


class PackageIn(Schema):
    """Grants that are held beside the plan's."""

    package: Id
    name: Name
    grants: Annotated[list[GrantIn], Field(max_length=5)]
    price: TermPrices = TermPrices()
    tax: TaxCode = ""

    def to_package(self, pointer: str, faults: Faults) -> Package:
        grants = (
            grant.to_grant(f"{pointer}/grants/{place}", faults)
            for place, grant in enumerate(self.grants)
        )
        return Package(self.package, self.name, tuple(grants), self.price.to_price(self.tax))


class ProductIn(Schema):
    """Something sold once."""

    product: Id
    name: Name
    price: Amounts = {}
    tax: TaxCode = ""

    def to_product(self) -> Product:
        return Product(self.product, self.name, price_from(self.price, self.tax))


class NumberTypeIn(Schema):
    """A kind of phone number: a price when it is ordered, and one for every period."""

    number_type: Id
    name: Name
    capabilities: Annotated[list[str], Field(max_length=10)]
    up_front: Amounts = {}
    recurring: Amounts = {}
    tax: TaxCode = ""

    def to_type(self) -> NumberType:
        return NumberType(
            self.number_type,
            self.name,
            tuple(self.capabilities),
            price_from(self.up_front, self.tax),
            price_from(self.recurring, self.tax),
        )


class ContactSchema(Schema):
    """Whom to ask; what is not known is left out."""

    name: str = ""
    email: str = ""
    phone: str = ""
    url: str = ""


class ContactsSchema(Schema):
    """Whom to ask, where the system cannot help; who is not named is left out."""

    sales: ContactSchema = ContactSchema()
    support: ContactSchema = ContactSchema()
    account_manager: ContactSchema = ContactSchema()

    def to_contacts(self) -> Contacts:
        return Contacts(
            *(
                Contact(given.name, given.email, given.phone, given.url)
                for given in (self.sales, self.support, self.account_manager)
            )
        )

    @staticmethod
    def of(contacts: Contacts) -> "ContactsSchema":
        return ContactsSchema.model_validate(contacts_json(contacts))


class PartySchema(Schema):
    """Who stands on documents: the legal name, the address line by line, the country as in
    ISO 3166-1, and the tax id. What is not said is left out."""

    name: str = ""
    address: Annotated[list[str], Field(max_length=MAX_ADDRESS_LINES)] = []
    country: str = ""
    tax_id: str = ""

    def to_party(self) -> Party:
        return Party(self.name, tuple(self.address), self.country, self.tax_id)

    @staticmethod
    def of(party: Party) -> "PartySchema":
        return PartySchema.model_validate(party_json(party))
