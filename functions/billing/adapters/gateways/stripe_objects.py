"""Stripe's objects as plain JSON, read strictly: they come in answers and in webhooks alike."""

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from billing.domain.errors import InvalidInputError

Fields = Mapping[str, Any]

OURS = "talktime_"
"""What the names of all metadata begin with that this adapter adds to the caller's."""

KEY_FIELD = f"{OURS}key"
"""The idempotency key, in the metadata of everything made under it: Stripe forgets keys after 24
hours, and metadata never."""

CLOSED_FIELD = f"{OURS}closed"
"""Marks what was made only so that its idempotency key can make nothing else."""

MAX_SECONDS = 2**33
"""Of a time; a later one is no time of Stripe's (it would be the year 2242)."""


MAX_WHOLE = 10**15

_IDENTIFIER = re.compile(r"[!-~]{1,255}")
_PAGE = re.compile(r"https://[!-~]{1,4096}")


class StripeRefusedError(Exception):
    """Stripe's own word that it will not; 402, or 400 and 404 but for a reused key.

    Args:
        error: Its error object; empty where it gave none.
    """

    def __init__(self, error: Fields) -> None:
        super().__init__(str(error.get("code") or error.get("type") or "refused"))
        self.error = error


def text(fields: Fields, name: str) -> str:
    """The field as text; missing or null is empty."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_storable(value):
        raise _unreadable(name)
    return value


def identifier(fields: Fields, name: str) -> str:
    """A text that must be there, and may become part of a key."""
    value = text(fields, name)
    if not _IDENTIFIER.fullmatch(value):
        raise _unreadable(name)
    return value


def page(fields: Fields, name: str) -> str:
    """The address of one of Stripe's pages."""
    value = text(fields, name)
    if not _PAGE.fullmatch(value):
        raise _unreadable(name)
    return value


def reference(fields: Fields, name: str) -> str:
    """The id of another object, which may have been expanded; missing or null is empty."""
    value = fields.get(name)
    return identifier(value, "id") if isinstance(value, Mapping) else text(fields, name)


def whole(fields: Fields, name: str) -> int:
    """A whole number that is not negative, and not beyond all amounts and times."""
    value = fields.get(name)
    if type(value) is not int or not 0 <= value <= MAX_WHOLE:
        raise _unreadable(name)
    return value


def part(fields: Fields, name: str) -> Fields:
    """An object within the object; missing or null is empty."""
    value = fields.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _unreadable(name)
    return value


def instant(fields: Fields, name: str) -> datetime:
    """Seconds since 1970, as aware UTC."""
    seconds = whole(fields, name)
    if seconds > MAX_SECONDS:
        raise _unreadable(name)
    return datetime.fromtimestamp(seconds, UTC)


def currency(fields: Fields) -> str:
    """As ISO 4217 has it: Stripe writes it in lower case."""
    return identifier(fields, "currency").upper()


def key(fields: Fields) -> str:
    """The idempotency key an object was made under; empty where it is not ours."""
    return text(part(fields, "metadata"), KEY_FIELD)


def is_closed(fields: Fields) -> bool:
    """Whether the object is there only to close its key."""
    return bool(text(part(fields, "metadata"), CLOSED_FIELD))


def metadata(fields: Fields) -> dict[str, str]:
    """What the caller had said of the object; empty where it is not ours.

    An account at Stripe may serve other programs, whose metadata must never be taken for ours.
    """
    said = part(fields, "metadata")
    if not text(said, KEY_FIELD):
        return {}
    if not all(map(_is_storable, said)):
        raise _unreadable("metadata")
    return {name: text(said, name) for name in said if not name.startswith(OURS)}


def last_day(card: Fields) -> date | None:
    """A card's last valid day: the last of its month; None where it does not say."""
    year, month = card.get("exp_year"), card.get("exp_month")
    if type(year) is not int or type(month) is not int:
        return None
    if not (1 <= month <= 12 and 2000 <= year <= 9998):
        raise _unreadable("exp_month")
    return date(year, month, calendar.monthrange(year, month)[1])


def _is_storable(value: str) -> bool:
    """JSON can spell half a surrogate pair, which has no UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(name: str) -> InvalidInputError:
    return InvalidInputError(f"Stripe's {name} is missing or not what it should be", field=name)
