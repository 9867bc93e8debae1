"""Where a process can die: before and after every call that leaves it."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone. Nothing of ours catches it, and no handler sees it."""


class Points:
    """Counts the calls that leave the process, and lets it die at one of them.

    Point ``2n`` is before call ``n``, which then never happens; ``2n + 1`` is after it, when it has
    happened and nobody knows.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.crash_at: int | None = None
        self.has_crashed = False

    def arm(self, crash_at: int | None) -> None:
        """Count from the beginning, and die at that point; None: live."""
        self.calls = []
        self.crash_at = crash_at
        self.has_crashed = False

    @property
    def count(self) -> int:
        return 2 * len(self.calls)

    def watched(self, target: T, name: str) -> T:
        """The same thing, seen from inside: every method called on it leaves the process."""
        return cast("T", _Watched(target, name, self))

    def leave(self, name: str, call: Callable[[], Any]) -> Any:
        number = len(self.calls)
        self.calls.append(name)
        self._die_at(2 * number)
        found = call()
        self._die_at(2 * number + 1)
        return found

    def _die_at(self, point: int) -> None:
        if point == self.crash_at:
            self.crash_at = None
            self.has_crashed = True
            raise Crash(f"at point {point}: {self.calls[-1]}")


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
