"""What a provider's fields become: read strictly, or refused with a reason and one sentence."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from billing.domain.callbacks import WebhookRequest
from billing.domain.canonical import Json
from billing.domain.instants import instant

MAX_FIELD_CHARACTERS = 256
"""Longer than any number, SIP address or id a provider sends; keeps keys and records small."""

MAX_KEPT_INTEGER = 10**15
"""Beyond it a number is kept as text: stores disagree about what they can hold."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COUNT = re.compile(r"[0-9]{1,9}")
_RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?[0-9]{1,2} [A-Z][a-z]{2} 20[0-9]{2} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} (?:[+-][0-9]{4}|GMT|UTC)"
)
_BARE_NUMBER = re.compile(r"[0-9]{7,15}")


class UnreadableFieldError(Exception):
    """A field that cannot be true. Provider modules turn it into ``Unreadable``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def json_object(request: WebhookRequest) -> dict[str, Any]:
    """The body, which must be one JSON object."""
    try:
        value = json.loads(request.body.decode(), parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:  # Nested without end is no callback either.
        raise UnreadableFieldError("invalid_json", "the body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise UnreadableFieldError("invalid_json", "the body is not a JSON object")
    return value


def _no_such_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def text(fields: Mapping[str, Any], name: str) -> str:
    """The field as text; numbers count, whatever is missing or null is empty."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, str) and (value == "" or value.isprintable()):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise UnreadableFieldError("invalid_text", f"{name} is not plain text")


def identifier(
    fields: Mapping[str, Any],
    *names: str,
    reason: str = "invalid_id",
    pattern: re.Pattern[str] = _ID,
) -> str:
    """The first of these that is there; it becomes part of a key, so it must look like an id."""
    value = next((found for name in names if (found := text(fields, name))), "")
    if not pattern.fullmatch(value):
        raise UnreadableFieldError(reason, f"{names[0]} is missing or not an id")
    return value


def count(fields: Mapping[str, Any], name: str, default: str = "") -> int:
    value = text(fields, name) if name in fields else default
    if not _COUNT.fullmatch(value):
        raise UnreadableFieldError("invalid_quantity", f"{name} is missing or not a whole number")
    return int(value)


def rfc_2822(fields: Mapping[str, Any], name: str) -> datetime:
    """The instant (aware UTC).

    The library reads a two-digit year, or a time without a zone, by guessing: the form comes first.
    """
    value = text(fields, name)
    try:
        if not _RFC_2822.fullmatch(value) or value.endswith("-0000"):
            raise ValueError(value)
        return parsedate_to_datetime(value).astimezone(UTC)
    except ValueError as error:
        raise UnreadableFieldError(
            "invalid_timestamp", f"{name} is missing or no RFC 2822 time with its zone"
        ) from error


def rfc_3339(fields: Mapping[str, Any], name: str) -> datetime:
    """The instant (aware UTC)."""
    try:
        return instant(text(fields, name))
    except ValueError as error:
        raise UnreadableFieldError(
            "invalid_timestamp", f"{name} is missing or no RFC 3339 time with its zone"
        ) from error


def number(fields: Mapping[str, Any], name: str) -> str:
    """A carrier's number, with the plus sign of E.164 where it left that out.

    Addresses such as ``sip:`` and ``client:`` are left alone.
    """
    value = as_given(fields, name)
    return f"+{value}" if _BARE_NUMBER.fullmatch(value) else value


def as_given(fields: Mapping[str, Any], name: str) -> str:
    """A number as it is: only a carrier's digits are sure to be international."""
    value = text(fields, name).strip()
    if len(value) > MAX_FIELD_CHARACTERS:
        raise UnreadableFieldError(
            "invalid_number", f"{name} is longer than {MAX_FIELD_CHARACTERS} characters"
        )
    return value


def required(value: str, name: str) -> str:
    """A destination: nothing can be rated without one."""
    if not value:
        raise UnreadableFieldError("invalid_number", f"{name} is missing")
    return value


def body_digest(request: WebhookRequest) -> dict[str, Json]:
    """What is kept of a body that has no fields, so that two such bodies are told apart."""
    return {"body_sha256": hashlib.sha256(request.body).hexdigest()}


def kept(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Json]:
    """The fields that are read, for whoever looks at the callback later: short, and storable."""
    return {name: _kept(fields[name]) for name in names if name in fields}


def _kept(value: object) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < MAX_KEPT_INTEGER:
        return value
    if isinstance(value, str | int | float):
        # A lone surrogate, which JSON can spell, has no UTF-8.
        return str(value)[:MAX_FIELD_CHARACTERS].encode(errors="replace").decode()
    return f"({type(value).__name__})"
