"""What happened to one account, in plain words: what the model is told, and what it is asked.

Facts say what was *put in*: calls, money that came, orders, the turn of a period. They never say
what came of it: seconds that grants paid for, what a call cost, what an invoice comes to. All of
that is a ``Standing``, which the model works out by itself and which the book must agree with.

Times are aware UTC; money is micros; nothing here is imported from what is being tested.
"""

from dataclasses import dataclass
from datetime import date, datetime


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
    """

    call_id: str
    unit: str
    quantity: int
    ended_at: datetime


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
    """The account was brought up to an instant: every period that has ended by then turned."""

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
    """

    at: datetime
    quoted_at: datetime
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """A member began to hold units of these licence kinds."""

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
    """

    at: datetime
    what: str
    amount_micros: int
    tax_code: str
    is_at_once: bool


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
        state: As the API calls it.
    """

    at: datetime
    e164: str
    state: str


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
    """One line, as printed."""

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
        lots: Those with something left, soonest to expire first, then by name.
        units: Licence kinds of which there are any, by kind.
        packages: The same of packages.
        invoices: Those that this fact raised, oldest first, each as its lines.
        open_invoices: Number and total of what is not paid.
        numbers: E.164 and until when it is paid for, of numbers that are not released.
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
