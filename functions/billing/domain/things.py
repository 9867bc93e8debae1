"""Things: what an account has many of, each under a name of its own.

The book reads any kind of them the same way: one by its name, or all of a kind in their names'
order. Their Change's version guards them; they carry none of their own.
"""

from datetime import datetime
from typing import ClassVar, Protocol

from billing.domain.account import AccountRef

SEQUENCE_DIGITS = 9


class Thing(Protocol):
    """A frozen dataclass of the domain, kept by name under its account.

    ``KIND`` is the word its key begins with, in capitals; it never changes once written. One that
    may be forgotten also has a ``forgotten_at``.
    """

    KIND: ClassVar[str]

    @property
    def account(self) -> AccountRef: ...

    @property
    def thing_name(self) -> str: ...


def forgotten_at(thing: object) -> datetime | None:
    """When the book may drop it, some time later than anybody asks for it; None: never."""
    at = getattr(thing, "forgotten_at", None)
    assert at is None or isinstance(at, datetime), at
    return at


def numbered(number: int) -> str:
    """A sequence as a name: names sort as numbers do."""
    assert 0 <= number < 10**SEQUENCE_DIGITS, number
    return f"{number:0{SEQUENCE_DIGITS}d}"
