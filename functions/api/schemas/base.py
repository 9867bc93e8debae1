"""What every schema shares: strict, closed, and written one way."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from billing.domain.account import AccountRef
from billing.domain.errors import TalktimeError
from billing.domain.money import Money
from billing.domain.units import OWN_UNIT_PATTERN, Metered, Unit

MAX_PAGE = 100
DEFAULT_PAGE = 25

_INSTANT = re.compile(
    r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_WHOLE = re.compile(r"[0-9]{1,9}")


class Schema(BaseModel):
    """JSON in and out. A string is not a number, and nobody sends what is not asked for."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def format_instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    raise ValueError("an RFC 3339 time with its offset, such as 2026-11-01T00:00:00Z")


def _parse_day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("a day such as 2026-11-01")


def _parse_bound(value: object) -> datetime | date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        return _parse_day(value)
    return _parse_instant(value)


def _parse_whole(value: object) -> int:
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise ValueError("a whole number")


def _parse_unit(value: object) -> Unit:
    try:
        return Unit(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ValueError("voice_seconds, messages, or a name like recordings") from error


def _parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false")


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("one line of visible text")
    return text


def _currency(code: str) -> str:
    _money("0", code)
    return code


def _amount(text: str) -> str:
    _money(text, "USD")
    return text


def _money(amount: str, currency: str) -> Money:
    try:
        return Money.parse(amount, currency)
    except TalktimeError as error:
        raise ValueError(error.detail) from error


Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[
    date,
    BeforeValidator(_parse_day),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Bound = Annotated[
    datetime | date,
    BeforeValidator(_parse_bound),
    WithJsonSchema(
        {
            "type": "string",
            "description": "An RFC 3339 time, or a day (YYYY-MM-DD) in the account's time zone.",
        }
    ),
]
Whole = Annotated[int, BeforeValidator(_parse_whole)]
"""An integer in a query, where everything is text."""
Flag = Annotated[bool, BeforeValidator(_parse_flag)]
"""The same for a truth value."""

UnitName = Annotated[
    Unit,
    BeforeValidator(_parse_unit),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{OWN_UNIT_PATTERN}$",
            "description": "`voice_seconds`, `messages`, or a unit of the operator's own, such as"
            " `recordings`. `voice` and `message` are none.",
        }
    ),
]

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
E164 = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$")]
Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}),
]
Amount = Annotated[
    str,
    AfterValidator(_amount),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"}),
]
Decimals = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]


class MoneyIn(Schema):
    """An exact amount of one currency: a decimal string with up to six decimals."""

    amount: Amount
    currency: Currency

    def parse(self) -> Money:
        return Money.parse(self.amount, self.currency)


class MoneyOut(Schema):
    """An exact amount of one currency."""

    amount: Decimals
    currency: str

    @staticmethod
    def of(micros: int, currency: str) -> "MoneyOut":
        money = Money(micros, currency)
        return MoneyOut(amount=money.amount, currency=money.currency)


class MeteredOut(Schema):
    """So much of a unit other than seconds and messages, and what grants paid for of it."""

    unit: str
    quantity: int
    granted_quantity: int

    @staticmethod
    def given(metered: Metered) -> "dict[str, list[MeteredOut]]":
        """The field for it, which is left out where there is none."""
        return {"metered": MeteredOut.each(metered)} if metered else {}

    @staticmethod
    def each(metered: Metered) -> "list[MeteredOut]":
        return [
            MeteredOut(unit=unit.value, quantity=quantity, granted_quantity=granted)
            for unit, quantity, granted in metered
        ]


class AccountName(Schema):
    """Names one billing account of one tenant."""

    tenant: Id
    account: Id

    @staticmethod
    def of(ref: AccountRef) -> "AccountName":
        return AccountName(tenant=ref.tenant_id, account=ref.account_id)


class Acceptance(Schema):
    """Who agrees to the change, and to which terms."""

    first_name: str
    last_name: str
    terms_version: str
    accepted: bool


class Query(Schema):
    """Parameters of a query."""


class PageQuery(Query):
    limit: Annotated[Whole, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(min_length=1, max_length=512)] | None = None


Row = TypeVar("Row")


class Page(Schema, Generic[Row]):
    """One page of a list; ``next_cursor`` is null on the last."""

    data: list[Row]
    next_cursor: str | None
