"""What calls and messages cost, first posted and corrected (docs/rating.md, docs/ledger.md)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from simulation.model.facts import Use
from simulation.model.grants import Held, Lots


class Tariff(Protocol):
    @property
    def second_micros(self) -> int: ...
    @property
    def message_micros(self) -> int: ...
    @property
    def connect_fee_micros(self) -> int: ...
    @property
    def first_increment_seconds(self) -> int: ...
    @property
    def next_increment_seconds(self) -> int: ...


@dataclass(slots=True)
class _Call:
    """A call as it stands.

    Args:
        kept: Paid for by lots that exist no more, or are too small to take it back.
    """

    use: Use
    posted_at: datetime
    taken: list[tuple[Held, int]] = field(default_factory=list)
    kept: int = 0
    paid_micros: int = 0


class Calls:
    def __init__(self, tariff: Tariff, lots: Lots) -> None:
        self._tariff = tariff
        self._lots = lots
        self._calls: dict[str, _Call] = {}

    def post(self, use: Use, at: datetime) -> int:
        """What the wallet pays, in micros."""
        call = self._calls[use.call_id] = _Call(use, at)
        self._charge(call, use.quantity)
        return call.paid_micros

    def correct(self, call_id: str, quantity: int) -> int:
        """What the wallet pays more."""
        call = self._calls[call_id]
        before = call.paid_micros
        for lot, taken in call.taken:
            call.kept += taken - lot.take_back(taken)
        call.taken = []
        self._charge(call, quantity)
        return call.paid_micros - before

    def _charge(self, call: _Call, quantity: int) -> None:
        billed = self._billed(call.use.unit, quantity)
        call.kept = min(call.kept, billed)
        left = billed - call.kept
        use = call.use
        for lot in self._lots.serving(use, call.posted_at):
            taken = lot.give(left)
            if not taken:
                break
            left -= taken
            call.taken.append((lot, taken))
        call.paid_micros = self._price(use.unit, billed, left)

    def _billed(self, unit: str, quantity: int) -> int:
        if unit == "message" or quantity == 0:
            return quantity
        first, step = self._tariff.first_increment_seconds, self._tariff.next_increment_seconds
        return first + -(-max(0, quantity - first) // step) * step

    def _price(self, unit: str, billed: int, left: int) -> int:
        """Of what no grant covers; the wallet always pays the connect fee of an answered call."""
        if unit == "message":
            return self._tariff.message_micros * left
        if not billed:
            return 0
        return self._tariff.connect_fee_micros + self._tariff.second_micros * left
