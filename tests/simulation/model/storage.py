"""Storage that goes beyond the free limit (docs/storage.md)."""

from dataclasses import dataclass
from typing import Any

MEGABYTE = 1_048_576
GIGABYTE = 1_024 * MEGABYTE


def gigabytes_above(rule: dict[str, Any], used_bytes: int, members: int) -> int:
    """Started gigabytes above what is free for so many members."""
    further: int = max(0, members - rule.get("members_included", 5))
    free_mb: int = rule.get("included_mb", 250) + further * rule.get("per_member_mb", 50)
    return max(0, -((free_mb * MEGABYTE - used_bytes) // GIGABYTE))


@dataclass(slots=True)
class Storage:
    """What was paid for.

    Args:
        peak: What the present period needs.
        last_bytes: What the gauge was last told.
        turns: Periods that have ended since.
    """

    paid: int = 0
    peak: int = 0
    last_bytes: int = 0
    turns: int = 0

    def gauge(self, rule: dict[str, Any], used_bytes: int, members: int) -> int:
        """Gigabytes that fall due. What a whole period did without lapses when it ends."""
        for _ in range(self.turns):
            self.paid = min(self.paid, self.peak)
            self.peak = gigabytes_above(rule, self.last_bytes, members)
        needed = gigabytes_above(rule, used_bytes, members)
        self.turns, self.last_bytes, self.peak = 0, used_bytes, max(self.peak, needed)
        due = max(0, needed - self.paid)
        self.paid += due
        return due

    def turn(self) -> None:
        self.turns += 1
