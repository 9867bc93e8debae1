"""Which way a PBX's call went, seen from the tenant.

A switch sees legs, not the tenant's calls: somebody who dials out comes in to it. What it does not
say is only concluded where one side is an extension and the other is not.
"""

import re

from billing.adapters.telephony.fields import UnreadableFieldError
from billing.domain.units import Direction

_EXTENSION = re.compile(r"[0-9]{1,6}")
_NUMBER = re.compile(r"\+?[0-9]{7,15}")


def is_extension(address: str) -> bool:
    return _EXTENSION.fullmatch(address) is not None


def is_number(address: str) -> bool:
    return _NUMBER.fullmatch(address) is not None


def is_internal(from_address: str, to_address: str) -> bool:
    return is_extension(from_address) and is_extension(to_address)


def named_direction(value: str) -> Direction:
    """A direction somebody stated."""
    if value not in set(Direction):
        raise UnreadableFieldError("invalid_direction", f"a direction is {' or '.join(Direction)}")
    return Direction(value)


def unknown_direction(how_to_name_it: str) -> UnreadableFieldError:
    return UnreadableFieldError(
        "invalid_direction", f"the record does not tell which way the call went: {how_to_name_it}"
    )
