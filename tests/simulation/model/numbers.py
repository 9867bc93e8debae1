"""Phone numbers: what they cost, and until when they are paid for (docs/numbers.md)."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from simulation.model.catalogue import Document, Versions, entry, has_entry
from simulation.model.days import Calendar
from simulation.model.facts import InvoiceLine
from simulation.model.money import micros, minor_unit, share_left
from simulation.model.papers import taxed_line


@dataclass(slots=True)
class _Number:
    number_type: str
    version: int
    ordered_at: datetime
    paid_until: int | None = None


@dataclass(slots=True)
class Numbers:
    """In the order in which they were ordered, those that are gone left out."""

    versions: Versions
    calendar: Calendar
    currency: str
    _numbers: dict[str, _Number] = field(default_factory=dict)

    def shown(self) -> tuple[tuple[str, "object"], ...]:
        return tuple(
            (e164, self.calendar.starts_at(number.paid_until))
            for e164, number in sorted(self._numbers.items())
            if number.paid_until is not None
        )

    def claim(self, e164: str, number_type: str, version: int, at: datetime) -> None:
        self._numbers[e164] = _Number(number_type, version, at)

    def charge_order(
        self, e164: str, ordered: tuple[str, ...], day: date, included: int
    ) -> list[InvoiceLine]:
        """The up-front fee, and the recurring fee for the days left, unless the plan has it."""
        number = self._numbers[e164]
        document = self.versions[number.version]
        sold = entry(document, "number_types", "number_type", number.number_type)
        up_front = micros(sold.get("up_front"), self.currency)
        rank = len(self._numbers) - len(ordered) + sorted(ordered).index(e164)
        fee = [] if rank < included else self._recurring(e164, day)
        return self._line("number_setup", e164, up_front, number, None) + fee

    def _first(self, included: int) -> list[str]:
        """The first so many, by the time they were ordered and then by their digits."""
        order = sorted(self._numbers, key=lambda e164: (self._numbers[e164].ordered_at, e164))
        return order[:included]

    def renew(self, e164s: tuple[str, ...], period: int, included: int) -> list[InvoiceLine]:
        day, first = self.calendar.first_day(period), self._first(included)
        lines: list[InvoiceLine] = []
        for e164 in e164s:
            number = self._numbers[e164]
            number.paid_until = period + 1

            def sells(document: Document, wanted: str = number.number_type) -> bool:
                return has_entry(document, "number_types", "number_type", wanted)

            number.version = self.versions.reaching(number.version, day, sells)
            lines += [] if e164 in first else self._recurring(e164, day)
        return lines

    def set_state(self, e164: str, state: str, period: int) -> None:
        """What was paid lasts until the end of the period in which the number is provided."""
        if state in ("released", "failed"):
            self._numbers.pop(e164, None)
        elif state == "active" and self._numbers[e164].paid_until is None:
            self._numbers[e164].paid_until = period + 1

    def _recurring(self, e164: str, day: date) -> list[InvoiceLine]:
        number = self._numbers[e164]
        period = self.calendar.period_of_day(day)
        first, end = (self.calendar.first_day(period + n) for n in (0, 1))
        sold = entry(
            self.versions[number.version], "number_types", "number_type", number.number_type
        )
        price = micros(sold.get("recurring"), self.currency)
        unit = minor_unit(self.currency)
        amount = share_left(price, (day - first).days, (end - first).days, unit)
        return self._line("number", e164, amount, number, (day, end - timedelta(days=1)))

    def _line(
        self, kind: str, e164: str, amount: int, number: _Number, days: tuple[date, date] | None
    ) -> list[InvoiceLine]:
        if not amount:
            return []
        document = self.versions[number.version]
        sold = entry(document, "number_types", "number_type", number.number_type)
        name = (kind, e164)
        return [taxed_line(document, self.currency, name, 1, amount, sold.get("tax"), days)]
