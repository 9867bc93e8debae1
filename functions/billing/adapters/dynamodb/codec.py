"""Domain values to JSON and back, by their own fields, so that nothing is left out or told twice.

The stored form has the domain's field names. A field that is new to a stored value takes the
domain's default; a stored field that the domain no longer knows is passed over. Whatever is not
covered by that needs a new ``SCHEMA`` number (docs/table.md).
"""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from billing.adapters.dynamodb.keys import instant, parse_instant
from billing.domain.canonical import Json


class Value(Protocol):
    """A frozen dataclass of the domain."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


V = TypeVar("V", bound=Value)

Reader = Callable[[Any], Any]


def to_json(value: Value) -> dict[str, Json]:
    """A domain value as JSON, integers exact.

    Raises:
        TypeError: Something in it is not of the domain's types, such as a float.
    """
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def from_json(kind: type[V], stored: Mapping[str, Json]) -> V:
    """Read back what ``to_json`` wrote."""
    readers = _readers(kind)
    known = {name: readers[name](stored[name]) for name in readers if name in stored}
    return kind(**known)


def _plain(value: object) -> Json:
    # A StrEnum is a str, a bool an int, a datetime a date: the order matters.
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(part) for part in value]
    raise TypeError(f"a {type(value).__name__} is not stored: {value!r}")


@cache
def _readers(kind: type) -> dict[str, Reader]:
    # Domain modules write their annotations as types, not as text to be evaluated.
    return {field.name: _reader(field.type) for field in fields(kind)}


def _reader(hint: Any) -> Reader:
    if hint == Json:
        return _as_it_is
    assert not isinstance(hint, str), hint
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and args[-1] is Ellipsis:
        item = _reader(args[0])
        return lambda stored: tuple(map(item, stored))
    if origin is tuple:
        items = [_reader(arg) for arg in args]
        return lambda stored: tuple(item(part) for item, part in zip(items, stored, strict=True))
    if origin in (types.UnionType, typing.Union):
        (rest,) = (arg for arg in args if arg is not types.NoneType)
        return _optional(_reader(rest))
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda stored: from_json(hint, stored)
    if hint is datetime:
        return parse_instant
    if hint is date:
        return date.fromisoformat
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return _as_it_is


def _optional(read: Reader) -> Reader:
    return lambda stored: None if stored is None else read(stored)


def _as_it_is(stored: Any) -> Any:
    return stored
