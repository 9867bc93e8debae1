"""What happened to one account, in plain words: what the model is told, and what it is asked.

Facts say what was *put in*: calls, money that came, orders, the turn of a period. They never say
what came of it: seconds that grants paid for, what a call cost, what an invoice comes to. All of
that is a ``Standing``, which the model works out by itself and which the book must agree with.

Times are aware UTC; money is micros; nothing here is imported from what is being tested.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Opened:
    """An account begins, with its plan's first grants.

    Args:
        billing_day: 1 to 31; a shorter month ends it on its last day.
    """

    at: datetime
    currency: str
    time_zone: str
    billing_day: int
    plan_id: str


@dataclass(frozen=True, slots=True)
class Use:
    """One call or message, as it was reported.

    Args:
        unit: ``voice`` (seconds) or ``message``.
        ended_at: Of a message: when it was received.
        direction: ``inbound`` or ``outbound``.
        called: The called number, in E.164.
    """

    call_id: str
    unit: str
    quantity: int
    ended_at: datetime
    direction: str
    called: str


@dataclass(frozen=True, slots=True)
class Used:
    """One posting: calls, in the order in which they were rated."""

    at: datetime
    calls: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """A call that was posted turns out to have had another quantity."""

    at: datetime
    call_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Funded:
    """A gateway captured a payment, and it was credited."""

    at: datetime
    payment_id: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Money left the wallet, or came back to it, because a gateway or an operator said so.

    Args:
        why: ``refund``, ``refund_returned``, ``dispute``, ``dispute_returned`` or ``credit_note``.
        change_micros: Negative: it left.
    """

    at: datetime
    why: str
    change_micros: int


@dataclass(frozen=True, slots=True)
class Turned:
    """The account was brought up to an instant: every period that has ended by then turned.

    Each turn is told by itself, so that one period at a time ends.
    """

    at: datetime


@dataclass(frozen=True, slots=True)
class Want:
    """One wish of an order, as ``POST …/quotes`` takes it.

    Args:
        kind: ``plan``, ``units``, ``package``, ``bundle``, ``product`` or ``number``.
        what: Its id: of the plan, the licence kind, the package, … or the number's type.
        quantity: Units and packages: how many there shall be afterwards.
        interval: Of a plan: ``month`` or ``year``; empty: as it is.
    """

    kind: str
    what: str
    quantity: int = 1
    interval: str = ""
    e164: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order was delivered: charged as quoted, and every want of it done.

    Args:
        quoted_at: What it costs is as of then.
        catalog_version: The catalogue's when it was quoted: bundles, products, numbers and a new
            plan are sold under it.
    """

    at: datetime
    quoted_at: datetime
    wants: tuple[Want, ...]
    catalog_version: int = 1


@dataclass(frozen=True, slots=True)
class Joined:
    """A member began to hold units of these licence kinds, by joining or by being assigned one.

    Kinds that are not counted by members may be among them, for which this changes nothing.
    """

    at: datetime
    member: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A member does not hold units of these licence kinds any more."""

    at: datetime
    member: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Charged:
    """The operator put a one-off charge on the next invoice, or on one of its own at once.

    Args:
        what: Names the charge.
        amount_micros: Net.
        further: Lines of the same charge beyond the first: amount and tax code.
    """

    at: datetime
    what: str
    amount_micros: int
    tax_code: str
    is_at_once: bool
    further: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Billed:
    """The period that began was billed: with or without an invoice, as the model must say."""

    at: datetime
    period_start_at: datetime


@dataclass(frozen=True, slots=True)
class InvoicePaid:
    """An open invoice was paid out of the wallet."""

    at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class NumberRenewed:
    """Numbers were paid for until the end of the account's period, out of the wallet."""

    at: datetime
    e164s: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberSet:
    """A number was given another state, by a person or by time.

    Args:
        state: As the API calls it: ``active`` (the carrier has provided it), ``on_hold``,
            ``released`` or ``failed``.
    """

    at: datetime
    e164: str
    state: str


@dataclass(frozen=True, slots=True)
class Published:
    """The operator put another version of the catalogue.

    Args:
        version: 2 or more; what there was before anything else happened is 1.
        document: All of it, as docs/catalog.md has it.
    """

    at: datetime
    version: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PastDue:
    """Nobody who could be asked paid an open invoice: from now on the account is past due."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """The storage gauge was told, and said something new.

    Args:
        active_members: Of the tenant, at that moment.
    """

    at: datetime
    used_bytes: int
    active_members: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Somebody cancelled what was scheduled for the end of the term.

    Args:
        kind: ``plan``, ``units`` or ``package``.
        what: Which licence kind or package; empty: the plan.
    """

    at: datetime
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """The operator put a contract in the place of the one before, if there was one.

    Args:
        starts_on: First local day.
        ends_on: The day after the last.
        minimums: Licence kinds and units.
        holds_units: Added units are held to its end (``unit_commitment: contract``).
        is_now: What is missing of the minimums of today was to be added at once.
    """

    at: datetime
    starts_on: date
    ends_on: date
    minimums: tuple[tuple[str, int], ...]
    holds_units: bool
    is_now: bool


Fact = (
    Opened
    | Used
    | Corrected
    | Funded
    | Moved
    | Turned
    | Ordered
    | Joined
    | Left
    | Charged
    | Billed
    | InvoicePaid
    | NumberRenewed
    | NumberSet
    | Published
    | PastDue
    | Stored
    | TakenBack
    | Agreed
)


@dataclass(frozen=True, slots=True)
class Lot:
    """What is left of one grant.

    Args:
        name: The recurring grant's id; of a bundle: the bundle's id.
    """

    name: str
    unit: str
    remaining: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one licence kind or package: what may be used, and what exists."""

    kind: str
    quantity: int
    created: int


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line, as printed.

    Args:
        ends_on: The last day that it pays for.
    """

    kind: str
    what: str
    quantity: int
    amount_micros: int
    tax_micros: int
    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account stands after a fact; the book's and the model's must be equal.

    Args:
        lots: Those with something left, soonest to expire first, then by name. What has expired
            is compared for as long as late usage may burn it, and no longer.
        units: Licence kinds of which there are any (quantity or created), by kind; the quantity is
            what may be used in this term, included ones too.
        packages: The same of packages.
        invoices: Those that this fact raised, oldest first, each as its lines, in any order.
        open_invoices: Number and total of what is not paid.
        numbers: E.164 and until when it is paid for, of numbers that the carrier has provided and
            that are not released, by number.
    """

    wallet_micros: int
    period_start_at: datetime
    period_end_at: datetime
    plan_id: str
    lots: tuple[Lot, ...]
    units: tuple[Units, ...] = ()
    packages: tuple[Units, ...] = ()
    invoices: tuple[tuple[InvoiceLine, ...], ...] = ()
    open_invoices: tuple[tuple[int, int], ...] = ()
    numbers: tuple[tuple[str, datetime], ...] = ()
