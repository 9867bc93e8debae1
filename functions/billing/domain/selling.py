"""What can be sold besides plans, and what it costs: licence kinds, bundles, packages, products,
numbers, storage; and the rules they are sold under."""

from dataclasses import dataclass, field
from enum import StrEnum

from billing.domain.errors import NotSoldError
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.units import Unit

TAX_WHOLE = 1_000_000
"""Tax rates are in millionths, so that 8.875 % is exact: 88,750."""


class Interval(StrEnum):
    """How long a term of the subscription is: one of the account's periods, or twelve."""

    MONTH = "month"
    YEAR = "year"

    @property
    def periods(self) -> int:
        return 12 if self is Interval.YEAR else 1


@dataclass(frozen=True, slots=True)
class Price:
    """What something costs, net of tax, in each currency it is sold in.

    Args:
        amounts: Currency and micros, whole minor units; none: it is free in every currency.
        tax: Code of the catalogue's tax rate; empty: none.
    """

    amounts: tuple[tuple[str, int], ...] = ()
    tax: str = ""

    def micros(self, currency: str) -> int:
        """
        Raises:
            NotSoldError: It has prices, and none in this currency.
        """
        for one, micros in self.amounts:
            if one == currency:
                return micros
        if self.amounts:
            raise NotSoldError(f"this is not sold in {currency}")
        return 0


@dataclass(frozen=True, slots=True)
class RecurringPrice:
    """What one unit costs for each term.

    Args:
        month: For a monthly term, and for every period of what is billed monthly.
        year: For an annual term; None: twelve times the month's.
    """

    month: Price = field(default_factory=Price)
    year: Price | None = None

    def micros(self, currency: str, interval: Interval) -> int:
        """
        Raises:
            NotSoldError: It has prices, and none in this currency.
        """
        if interval is Interval.YEAR and self.year is not None:
            return self.year.micros(currency)
        return self.month.micros(currency) * interval.periods

    @property
    def tax(self) -> str:
        return self.month.tax


@dataclass(frozen=True, slots=True)
class UnitTerms:
    """What a plan says of one licence kind.

    Args:
        kind: The licence kind.
        included: Units that the plan's fee pays for.
        minimum: Units that are billed even where fewer exist, unless a contract says otherwise.
        price: Of each unit above ``included``.
    """

    kind: str
    included: int = 0
    minimum: int = 0
    price: RecurringPrice = field(default_factory=RecurringPrice)


class LicenceMode(StrEnum):
    """Who a licence is for: one member each, or whoever uses it at the moment."""

    NAMED = "named"
    POOLED = "pooled"


class OnInvite(StrEnum):
    """What a new member means for a named kind.

    ``add_unit``: he gets one at once, and where none is free one is added and charged;
    ``lock_out``: he needs one, and is locked out of what it licenses until he is assigned one;
    ``nothing``: it is not everybody's.
    """

    ADD_UNIT = "add_unit"
    LOCK_OUT = "lock_out"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class LicenceKind:
    """One kind of licence.

    Args:
        needs_assignment: Pooled: only members it is assigned to may take one from the pool.
    """

    kind: str
    name: str
    mode: LicenceMode = LicenceMode.NAMED
    on_invite: OnInvite = OnInvite.NOTHING
    needs_assignment: bool = False

    @property
    def is_counted_by_members(self) -> bool:
        """Whether units come and go with members, rather than being bought by number."""
        return self.mode is LicenceMode.NAMED and self.on_invite is OnInvite.ADD_UNIT


@dataclass(frozen=True, slots=True)
class Bundle:
    """An amount of one unit, bought once, burned before the wallet.

    Args:
        expires_after_days: Local days it lasts, the day of purchase included; None: for ever.
    """

    bundle_id: str
    name: str
    unit: Unit
    quantity: int
    price: Price
    expires_after_days: int | None = None
    priority: int = 100
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """Grants that are held beside the plan's and renewed with them, such as toll-free minutes."""

    package_id: str
    name: str
    grants: tuple[RecurringGrant, ...]
    price: RecurringPrice


@dataclass(frozen=True, slots=True)
class Product:
    """Something sold once, such as a training."""

    product_id: str
    name: str
    price: Price


@dataclass(frozen=True, slots=True)
class NumberType:
    """A kind of phone number.

    Args:
        capabilities: What it can do, such as ``voice`` and ``sms``; a buyer confirms them.
        up_front: Once, when it is ordered.
        recurring: For every period.
    """

    type_id: str
    name: str
    capabilities: tuple[str, ...]
    up_front: Price
    recurring: Price


@dataclass(frozen=True, slots=True)
class NumberRule:
    """What happens to a number that is not paid for.

    Args:
        grace_days: Local days on hold before it is released.
        notice_days: Days before the release on which a notice is given.
    """

    grace_days: int = 14
    notice_days: tuple[int, ...] = (7, 3, 1)


@dataclass(frozen=True, slots=True)
class StorageRule:
    """What storage is free, and what more costs. 1 GB is 1,024 MB.

    Args:
        included_mb: For up to ``members_included`` active members.
        per_member_mb: For each further one.
        price: Of each started GB above, once per period.
    """

    included_mb: int = 250
    members_included: int = 5
    per_member_mb: int = 50
    price: Price = field(default_factory=Price)


@dataclass(frozen=True, slots=True)
class DunningRule:
    """What happens when an invoice cannot be collected.

    Args:
        retry_days: Days after the first failure on which it is tried again, rising.
        suspend_after_days: Days after the first failure until outbound calls are suspended.
        refills_while_past_due: Whether recurring grants are refilled while an invoice is past due.
    """

    retry_days: tuple[int, ...] = (1, 3, 5, 7)
    suspend_after_days: int = 14
    refills_while_past_due: bool = True


class DowngradePolicy(StrEnum):
    """What becomes of a wish for a cheaper plan."""

    CONTACT_SALES = "contact_sales"
    PERIOD_END = "period_end"


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A rate that sales name by its code.

    Args:
        millionths: 20 % is 200,000.
    """

    code: str
    name: str
    millionths: int


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask, where the system cannot help."""

    name: str = ""
    email: str = ""
    phone: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Contacts:
    """Returned with ``contact_sales`` and ``below_contracted_minimum``, and in the overview."""

    sales: Contact = field(default_factory=Contact)
    support: Contact = field(default_factory=Contact)
    account_manager: Contact = field(default_factory=Contact)
