"""Destinations: the number that was called, as the prefixes of decks and grants match it.

There are two spaces. E.164 numbers are matched by their digits, short codes by ``short:`` and
their digits, so that ``1`` never matches the code 112 and ``short:1`` never matches +1.
"""

import re

SHORT = "short:"
"""What a short code and its prefixes begin with."""

MAX_PREFIX_DIGITS = 15
"""The longest E.164 number."""

MAX_SHORT_DIGITS = 6
"""Providers' bare numbers of seven digits and more are E.164 numbers that lack their plus sign."""

_DIALLED = re.compile(r"([0-9]{1,6}\Z)|\+?([0-9]*)")
_PREFIX = re.compile(
    rf"[1-9][0-9]{{0,{MAX_PREFIX_DIGITS - 1}}}|short:[0-9]{{0,{MAX_SHORT_DIGITS}}}"
)


def dialled(number: str) -> str:
    """What prefixes are compared with: digits, or ``short:`` and digits.

    At most six digits without a plus sign are a short code (112, a text code, an extension of a
    PBX). Of anything else the leading digits count: an address such as ``sip:`` has none, and only
    the price of everything matches it.
    """
    match = _DIALLED.match(number)
    assert match is not None, number
    code, digits = match.groups()
    return SHORT + code if code else digits


def is_prefix(text: str) -> bool:
    """Whether it is a prefix of either space; the empty prefix of all E.164 numbers is not."""
    return _PREFIX.fullmatch(text) is not None


def breadth(prefix: str) -> int:
    """How much of its space a prefix covers: ten times less for every digit."""
    return int(10 ** (MAX_PREFIX_DIGITS - len(prefix.removeprefix(SHORT))))
