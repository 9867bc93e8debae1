"""Clocks. The local cloud's can be ahead of real time, so that a month passes in a minute."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from billing.ports import Clock

LOCAL_STAGE = "local"


class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class OffsetFileClock:
    """Real time and the whole seconds a file holds, which is read at every call.

    A file that is missing or holds anything else is an error: real time instead would bill
    yesterday's usage today.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        offset_seconds = int(self._path.read_text(encoding="ascii"))
        return datetime.now(UTC) + timedelta(seconds=offset_seconds)


def clock_from(environ: Mapping[str, str]) -> Clock:
    """The clock a deployment asks for: ``CLOCK_FILE`` is for the local stage alone.

    Raises:
        ValueError: ``CLOCK_FILE`` is set in any other stage, where nobody may move the time.
    """
    path = environ.get("CLOCK_FILE", "")
    if not path:
        return SystemClock()
    stage = environ.get("STAGE", "")
    if stage != LOCAL_STAGE:
        raise ValueError(
            f"CLOCK_FILE is set in stage {stage!r}; only {LOCAL_STAGE!r} may move time"
        )
    return OffsetFileClock(Path(path))
