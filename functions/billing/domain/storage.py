"""Storage: what is free, what exceeds it, and the fee for each started gigabyte.

The fee falls due when the gauge first exceeds the current limit, which is the free one and what has
been paid for on top. What was paid for holds without a second charge for as long as it is needed:
a period that does without it lets it lapse.

Source of the rules: docs/storage.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.errors import InvalidInputError
from billing.domain.money import ceil_div
from billing.domain.periods import Period
from billing.domain.selling import StorageRule
from billing.domain.subscription import Storage

MB = 1024 * 1024
GB = 1024 * MB

MAX_USED_BYTES = 10**18
"""More than any tenant stores: a gauge beyond it is a mistake of whoever tells it."""


def free_bytes(rule: StorageRule, active_members: int) -> int:
    """What is stored for nothing, at so many active members."""
    further = max(0, active_members - rule.members_included)
    return (rule.included_mb + further * rule.per_member_mb) * MB


def needed_gb(used_bytes: int, free: int) -> int:
    """Started gigabytes above the free limit."""
    return ceil_div(max(0, used_bytes - free), GB)


@dataclass(frozen=True, slots=True)
class Assessed:
    """What a gauge means.

    Args:
        storage: As it is left behind.
        charged_gb: What falls due now; 0: nothing does.
        free_bytes: The free limit.
    """

    storage: Storage
    charged_gb: int
    free_bytes: int

    @property
    def limit_bytes(self) -> int:
        """Up to here nothing falls due."""
        return self.free_bytes + self.storage.extended_gb * GB

    @property
    def above_free_bytes(self) -> int:
        """What has to go for nothing to be needed on top; 0: nothing has."""
        return max(0, self.storage.used_bytes - self.free_bytes)


def turned(storage: Storage, free: int, period: Period) -> Storage:
    """The same in the account's current period: what a period before did not need has lapsed.

    A period begins as full as the gauge was last told, and so do those in which nothing was told.
    Repeating changes nothing.

    Args:
        free: The free limit in bytes.
        period: The account's, current.
    """
    if storage.told_at is None or storage.period_end_at == period.end_at:
        return replace(storage, period_end_at=period.end_at)
    at_its_start = needed_gb(storage.used_bytes, free)
    extended = min(storage.extended_gb, storage.needed_gb)
    if storage.period_end_at != period.start_at:
        # A whole period went by in between, at what was stored when it began.
        extended = min(extended, at_its_start)
    return replace(
        storage, extended_gb=extended, needed_gb=at_its_start, period_end_at=period.end_at
    )


def assess(
    storage: Storage,
    rule: StorageRule,
    *,
    used_bytes: int,
    active_members: int,
    period: Period,
    now: datetime,
) -> Assessed:
    """A gauge was told: extend what it exceeds, once for each started gigabyte.

    Members who leave lower the free limit, and may so bring a fee about with the next gauge.

    Args:
        used_bytes: Zero or more.
        active_members: Of the tenant, now.
        period: The account's, current.
        now: Aware UTC.

    Raises:
        InvalidInputError: The gauge is out of bounds.
    """
    if not 0 <= used_bytes <= MAX_USED_BYTES:
        raise InvalidInputError("used_bytes is 0 to 10^18", field="used_bytes")
    free = free_bytes(rule, active_members)
    standing = turned(storage, free, period)
    needed = needed_gb(used_bytes, free)
    charged = max(0, needed - standing.extended_gb)
    after = replace(
        standing,
        used_bytes=used_bytes,
        told_at=now,
        extended_gb=standing.extended_gb + charged,
        needed_gb=max(standing.needed_gb, needed),
    )
    return Assessed(after, charged, free)
