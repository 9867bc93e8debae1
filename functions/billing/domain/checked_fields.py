"""Read the fields of a JSON object, and name every one that is wrong at once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from billing.domain.errors import InvalidUsageError
from billing.domain.instants import instant
from billing.domain.units import Unit
from billing.domain.usage import EARLIEST_AT, MAX_QUANTITY

MAX_TEXT = 256
"""Characters of a number or a name."""

MAX_UNKNOWN_FIELDS = 10
"""How many unknown fields are named before the rest is left out."""

_ID = re.compile(r"[!-~]{1,128}")

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        pointer: Which field, as a JSON pointer (RFC 6901) into the whole.
        detail: What it should be.
    """

    pointer: str
    detail: str


class InvalidFieldsError(InvalidUsageError):
    """Usage that cannot be read; all that is wrong with it is named."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(
            "; ".join(f"{fault.pointer or 'the whole'} {fault.detail}" for fault in faults),
            field=faults[0].pointer,
        )
        self.faults = faults


class CheckedFields:
    """Reads fields, and notes what is wrong with them instead of stopping at the first fault.

    What cannot be read becomes a stand-in, which nobody sees: ``finished`` raises if there is one.
    """

    def __init__(self, fields: Mapping[str, Any], path: str, faults: list[Fault]) -> None:
        self._fields = fields
        self._path = path
        self._faults = faults

    def fault(self, name: str, detail: str) -> None:
        escaped = name.replace("~", "~0").replace("/", "~1")
        self._faults.append(Fault(f"{self._path}/{escaped}", detail))

    def finished(self) -> None:
        """
        Raises:
            InvalidFieldsError: Something is wrong.
        """
        if self._faults:
            raise InvalidFieldsError(tuple(self._faults))

    def only(self, names: Collection[str]) -> None:
        """A misspelt optional field must not pass for one that is left out."""
        unknown = sorted(name for name in self._fields if name not in names)
        for name in unknown[:MAX_UNKNOWN_FIELDS]:
            self.fault(_printable(name), "is unknown")

    def is_given(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_TEXT:
            self.fault(name, f"is not a text of 1 to {MAX_TEXT} printable characters")
            return ""
        return value

    def text_or_empty(self, name: str) -> str:
        return self.text(name) if self.is_given(name) else ""

    def id(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            self.fault(name, "is not an id of 1 to 128 visible ASCII characters")
            return ""
        return value

    def choice(self, name: str, choices: type[E]) -> E:
        value = self._fields.get(name)
        if isinstance(value, str) and value in set(choices):
            return choices(value)
        self.fault(name, f"is not one of {', '.join(choices)}")
        return next(iter(choices))

    def unit(self, name: str) -> Unit:
        value = self._fields.get(name)
        try:
            return Unit(value if isinstance(value, str) else "")
        except ValueError:
            self.fault(name, f"is not one of {', '.join(Unit)}, or a name like recordings")
            return Unit.VOICE_SECONDS

    def count(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or not 0 <= value <= MAX_QUANTITY:
            self.fault(name, f"is not a whole number from 0 to {MAX_QUANTITY}")
            return 0
        return value

    def instant(self, name: str) -> datetime | None:
        value = self._fields.get(name)
        try:
            at = instant(value if isinstance(value, str) else "")
        except ValueError:
            self.fault(name, "is not an RFC 3339 time with its zone")
            return None
        if at < EARLIEST_AT:
            self.fault(name, f"is before {EARLIEST_AT.year}: the clock was not set")
            return None
        return at

    def optional_instant(self, name: str) -> datetime | None:
        return self.instant(name) if self.is_given(name) else None


def _printable(name: str) -> str:
    return name[:MAX_TEXT].encode("ascii", errors="backslashreplace").decode()
