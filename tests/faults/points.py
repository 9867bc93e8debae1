"""Where a process can die, or a call of it fail: at every call that leaves it."""

from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Any, NoReturn, TypeVar, cast

from billing.domain.errors import (
    BookContendedError,
    PaymentUnknownError,
    StaleAccountError,
)

T = TypeVar("T")


class Kind(IntEnum):
    """What can happen to a call."""

    CRASH_BEFORE = 0
    CRASH_AFTER = 1
    THROTTLED = 2
    CONFLICT = 3
    DONE_AND_LOST = 4
    LOST = 5


WRITES = frozenset(
    {
        "book.commit",
        "bus.forget",
        "bus.publish",
        "gateway.cancel",
        "gateway.charge",
        "gateway.refund",
        "queue.send",
    }
)

OF_READS = (Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.THROTTLED, Kind.LOST)
"""Whether it was read before its answer was lost makes no difference."""

FAILURES = (BookContendedError, ConnectionError, PaymentUnknownError, TimeoutError)
"""What a call that fails raises, as the adapters do."""


def kinds_of(name: str) -> tuple[Kind, ...]:
    if name not in WRITES:
        return OF_READS
    return tuple(kind for kind in Kind if kind is not Kind.CONFLICT or name == "book.commit")


class Crash(BaseException):
    """The process is gone. Nothing of ours catches it, and no handler sees it."""


class Points:
    """Counts the calls that leave the process, and lets one of them fail.

    Point ``6n + k`` is kind ``k`` at call ``n``.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail_at: int | None = None
        self.has_failed = False

    def arm(self, fail_at: int | None) -> None:
        """Count from the beginning, and fail at that point; None: live."""
        self.calls = []
        self.fail_at = fail_at
        self.has_failed = False

    @property
    def all(self) -> list[int]:
        """Every point of the calls made so far."""
        return [
            len(Kind) * number + kind
            for number, name in enumerate(self.calls)
            for kind in kinds_of(name)
        ]

    def watched(self, target: T, name: str) -> T:
        """The same thing, seen from inside: every method called on it leaves the process."""
        return cast("T", _Watched(target, name, self))

    def leave(self, name: str, call: Callable[[], Any]) -> Any:
        kind = self._kind(len(self.calls))
        self.calls.append(name)
        if kind is not None and kind not in kinds_of(name):
            kind = None
        match kind:
            case None:
                return call()
            case Kind.CRASH_BEFORE:
                self._fail(Crash(f"before {name}"))
            case Kind.THROTTLED:
                self._fail(_throttled(name))
            case Kind.CONFLICT:
                self._fail(StaleAccountError("the account has moved on"))
            case Kind.LOST:
                self._fail(_lost(name))
        # Whatever it answered, if only a refusal: nobody hears of it.
        with suppress(Exception):
            call()
        return self._fail(Crash(f"after {name}") if kind is Kind.CRASH_AFTER else _lost(name))

    def _kind(self, number: int) -> Kind | None:
        if self.fail_at is None or self.fail_at // len(Kind) != number:
            return None
        return Kind(self.fail_at % len(Kind))

    def _fail(self, error: BaseException) -> NoReturn:
        self.fail_at = None
        self.has_failed = True
        raise error


def _throttled(name: str) -> Exception:
    if name.startswith("gateway."):
        return PaymentUnknownError("too many requests")
    if name.startswith(("book.", "holds.")):
        return BookContendedError("the table is busy")
    return ConnectionError(f"{name}: too many requests")


def _lost(name: str) -> Exception:
    if name.startswith("gateway."):
        return PaymentUnknownError("no answer")
    return TimeoutError(f"{name}: no answer")


class _Watched:
    def __init__(self, target: object, name: str, points: Points) -> None:
        self._target = target
        self._name = name
        self._points = points

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._points.leave(f"{self._name}.{name}", lambda: found(*args, **kwargs))

        return call
