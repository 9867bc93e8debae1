"""Re-rating: what a call costs, what it would cost at another version, and what that comes to."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.domain.canonical import Json
from billing.domain.errors import TalktimeError
from billing.domain.usage import Call


@dataclass(frozen=True, slots=True)
class RatedAnew:
    """One call of a dry run.

    Args:
        before: The revision that stands.
        after: What it would become; the same where nothing would change.
        refusal: Why the deck has no price for it; it would be left as it is.
    """

    before: Call
    after: Call
    refusal: TalktimeError | None = None


@dataclass(frozen=True, slots=True)
class RerateFigures:
    """What some steps came to.

    Args:
        calls: How many were looked at: ``changed``, ``refused``, and the rest.
        old_cost_micros: What all of them cost before, whoever paid.
        new_cost_micros: What all of them cost now.
        wallet_micros: What the wallet pays more; negative where it gets something back.
    """

    calls: int = 0
    changed: int = 0
    refused: int = 0
    old_cost_micros: int = 0
    new_cost_micros: int = 0
    wallet_micros: int = 0

    @property
    def unchanged(self) -> int:
        return self.calls - self.changed - self.refused

    def plus(self, other: "RerateFigures") -> "RerateFigures":
        return RerateFigures(
            calls=self.calls + other.calls,
            changed=self.changed + other.changed,
            refused=self.refused + other.refused,
            old_cost_micros=self.old_cost_micros + other.old_cost_micros,
            new_cost_micros=self.new_cost_micros + other.new_cost_micros,
            wallet_micros=self.wallet_micros + other.wallet_micros,
        )

    @staticmethod
    def of(rows: Sequence[RatedAnew]) -> "RerateFigures":
        return RerateFigures(
            calls=len(rows),
            changed=sum(row.after is not row.before for row in rows),
            refused=sum(row.refusal is not None for row in rows),
            old_cost_micros=sum(row.before.cost_micros for row in rows),
            new_cost_micros=sum(row.after.cost_micros for row in rows),
            wallet_micros=sum(row.after.wallet_micros - row.before.wallet_micros for row in rows),
        )

    def to_json(self) -> dict[str, Json]:
        return {
            "calls": self.calls,
            "changed": self.changed,
            "refused": self.refused,
            "old_cost_micros": self.old_cost_micros,
            "new_cost_micros": self.new_cost_micros,
            "wallet_micros": self.wallet_micros,
        }

    @staticmethod
    def from_json(stored: Json) -> "RerateFigures":
        assert isinstance(stored, dict), stored
        return RerateFigures(**{name: int(str(stored[name])) for name in RerateFigures().to_json()})
