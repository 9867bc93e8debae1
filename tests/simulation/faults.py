"""What goes wrong: workers that die, answers that are lost, and others that get in between."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from billing.domain.errors import (
    BookContendedError,
    ConflictError,
    PaymentUnknownError,
    StaleAccountError,
)

CRASH = 0.015
"""Of all calls, before each and again after each."""

REFUSED = 0.015
"""Calls that fail and had no effect."""

LOST = 0.012
"""Calls that had their effect, and whose answer does not arrive."""

INTERRUPTED = 0.05
"""Calls before which another worker does something else, from beginning to end."""

MAX_SKEW = timedelta(seconds=3)
"""How far two workers' clocks are from the true time."""


class Crash(BaseException):
    """The worker is gone, here and now; no ``except Exception`` may go on as if it were not."""


class Faults:
    """Decides, by the seed alone, what happens at each call; and keeps count of it."""

    def __init__(self, random: Random, history: list[str]) -> None:
        self.counts: Counter[str] = Counter()
        self.is_enabled = False
        self.is_dead = False
        self.interrupt: Callable[[], None] = lambda: None
        self._random = random
        self._history = history

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens; never while there are no faults."""
        return self.is_enabled and self._random.random() < probability

    def before(self, call: str, errors: tuple[type[Exception], ...]) -> None:
        if not self.is_enabled:
            return
        self.counts["calls"] += 1
        roll = self._random.random()
        if roll < CRASH:
            raise self._crash(f"before {call}")
        if roll < CRASH + REFUSED:
            error = self._random.choice(errors)
            self._note("errors", f"{error.__name__} before {call}")
            raise error(f"injected before {call}")
        if roll < CRASH + REFUSED + INTERRUPTED:
            self._note("interruptions", f"interrupted before {call}")
            self.interrupt()

    def after(self, call: str, lost: type[Exception]) -> None:
        if not self.is_enabled:
            return
        roll = self._random.random()
        if roll < CRASH:
            raise self._crash(f"after {call}")
        if roll < CRASH + LOST:
            self._note("lost answers", f"answer lost of {call}")
            raise lost(f"answer lost of {call}")

    def _crash(self, place: str) -> Crash:
        self._note("crashes", f"crash {place}")
        self.is_dead = True
        return Crash(place)

    def _note(self, kind: str, line: str) -> None:
        self.counts[kind] += 1
        self._history.append(f"  {line}")


class Perilous:
    """Stands in for anything that services call over the network; every call may go wrong."""

    def __init__(self, name: str, target: object, faults: Faults) -> None:
        self._name = name
        self._target = target
        self._faults = faults

    def __getattr__(self, attribute: str) -> Any:
        member = getattr(self._target, attribute)
        if not callable(member):
            return member
        call = f"{self._name}.{attribute}"
        errors, lost = _errors_of(self._name, attribute)

        def perilous(*args: object, **kwargs: object) -> object:
            self._faults.before(call, errors)
            answer = member(*args, **kwargs)
            self._faults.after(call, lost)
            return answer

        return perilous


def _errors_of(name: str, attribute: str) -> tuple[tuple[type[Exception], ...], type[Exception]]:
    """What a call may raise without effect, and with it; as its port documents."""
    if name == "gateway":
        return (PaymentUnknownError,), PaymentUnknownError
    if (name, attribute) == ("book", "commit"):
        return (StaleAccountError, BookContendedError, ConnectionError), ConnectionError
    if (name, attribute) == ("reservations", "save"):
        return (ConflictError, BookContendedError, ConnectionError), ConnectionError
    return (ConnectionError,), ConnectionError


class Watched:
    """Stands in for a service, and remembers every error it may not raise.

    Handlers turn any error into a redelivery, and would hide a failed assertion that way.
    """

    def __init__(
        self, service: object, expected: tuple[type[Exception], ...], surprises: list[str]
    ) -> None:
        self._service = service
        self._expected = expected
        self._surprises = surprises

    def __getattr__(self, attribute: str) -> Any:
        member = getattr(self._service, attribute)

        def watched(*args: object, **kwargs: object) -> object:
            try:
                return member(*args, **kwargs)
            except self._expected:
                raise
            except Exception as error:
                self._surprises.append(f"{type(self._service).__name__}.{attribute}: {error!r}")
                raise

        return watched


class SkewedClock:
    """The true time for the world; for whoever asks, the time of a worker a little off."""

    def __init__(self, start: datetime, random: Random, faults: Faults) -> None:
        assert start.tzinfo is UTC, start
        self.true_now = start
        self._random = random
        self._faults = faults

    def now(self) -> datetime:
        if not self._faults.chance(0.5):
            return self.true_now
        microseconds = MAX_SKEW // timedelta(microseconds=1)
        skew = timedelta(microseconds=self._random.randint(-microseconds, microseconds))
        return self.true_now + skew

    def advance(self, by: timedelta) -> None:
        assert by >= timedelta(0), by
        self.true_now += by
