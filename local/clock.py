"""The local clock: a file with one integer, the seconds by which every function's clock is ahead.

A simulated month is the last one: the offset starts at minus that many seconds and climbs to
nought, so that at its end the stack tells real time and simply goes on.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class LocalClock:
    """Writes the file that functions read on every call (``CLOCK_FILE``)."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def offset_seconds(self) -> int:
        return int(self._file.read_text())

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset_seconds)

    def move_to(self, moment: datetime) -> None:
        self.set_offset(round((moment - datetime.now(UTC)).total_seconds()))

    def set_offset(self, seconds: int) -> None:
        # Replaced whole: a reader sees the old number or the new one, never half of one.
        partial = self._file.with_suffix(".partial")
        partial.write_text(str(seconds))
        partial.replace(self._file)
