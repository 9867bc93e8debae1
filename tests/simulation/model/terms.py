"""What is held for a term, and what it and changes of it cost (docs/subscriptions.md)."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from simulation.model.catalogue import (
    Document,
    Versions,
    entry,
    grants_of,
    has_entry,
    plan_units,
)
from simulation.model.days import Calendar
from simulation.model.facts import Agreed, InvoiceLine, Units
from simulation.model.grants import Grant
from simulation.model.money import minor_unit, share_left, term_price
from simulation.model.papers import taxed_line

MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Recurring:
    """One thing that recurs: how many are billed, and each one's price for a whole term."""

    kind: str
    what: str
    count: int
    price: int
    tax: str | None


@dataclass(slots=True)
class Terms:
    """A subscription in its present term, which runs from one period up to another.

    Args:
        paid: Units that were paid for, or exist, in this term.
        created: Units that exist; of kinds counted by members, members.
        next_plan: Plan, interval and version that wait for the end of the term.
        opened_on: The first day of the first term.
    """

    versions: Versions
    calendar: Calendar
    currency: str
    version: int
    plan_id: str
    interval: str
    first: int
    until: int
    billed_until: int
    opened_on: date
    paid: dict[str, int] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    packages: dict[str, int] = field(default_factory=dict)
    next_plan: tuple[str, str, int] | None = None
    next_units: dict[str, int] = field(default_factory=dict)
    next_packages: dict[str, int] = field(default_factory=dict)
    contract: Agreed | None = None

    @property
    def document(self) -> Document:
        return self.versions[self.version]

    @property
    def plan(self) -> Document:
        return entry(self.document, "plans", "plan", self.plan_id)

    def grants(self) -> dict[str, Grant]:
        return grants_of(self.document, self.plan_id, self.packages)

    def quantity(self, kind: str) -> int:
        """What may be used in this term: paid for, or included."""
        sold = plan_units(self.plan).get(kind, {})
        return max(self.paid.get(kind, 0), int(sold.get("included", 0)))

    def shown_units(self) -> tuple[Units, ...]:
        kinds = sorted(plan_units(self.plan).keys() | self.created.keys())
        shown = (Units(kind, self.quantity(kind), self.created.get(kind, 0)) for kind in kinds)
        return tuple(one for one in shown if one.quantity or one.created)

    def shown_packages(self) -> tuple[Units, ...]:
        return tuple(Units(name, n, n) for name, n in sorted(self.packages.items()) if n)

    def recurring_kinds(self) -> list[str]:
        return list(plan_units(self.plan))

    def minimum(self, kind: str, day: date) -> int:
        """What is billed in any case: by the contract in force that day, else by the catalogue."""
        contract = self._contract_on(day)
        agreed = dict(contract.minimums) if contract else {}
        least: int = plan_units(self.plan)[kind].get("minimum", 0)
        return agreed.get(kind, least)

    def _contract_on(self, day: date) -> Agreed | None:
        one = self.contract
        return one if one and one.starts_on <= day < one.ends_on else None

    def settle_minimums(self, day: date) -> None:
        """Units are at least as many as exist, and as many as are billed in any case."""
        for kind in plan_units(self.plan):
            least = max(self.created.get(kind, 0), self.minimum(kind, day))
            self.paid[kind] = max(self.paid.get(kind, 0), least)

    def recurring(self, interval: str = "") -> dict[tuple[str, str], Recurring]:
        """Plan, units above the included ones, packages: all that a term is billed."""
        plan, interval = self.plan, interval or self.interval
        items = [("plan", self.plan_id, 1, plan)]
        items += [
            ("units", kind, self.quantity(kind) - sold.get("included", 0), sold)
            for kind, sold in plan_units(plan).items()
        ]
        items += [
            ("package", name, held, entry(self.document, "packages", "package", name))
            for name, held in self.packages.items()
            if held
        ]
        return {
            (kind, what): Recurring(
                kind,
                what,
                count,
                term_price(sold.get("price"), interval, self.currency),
                sold.get("tax"),
            )
            for kind, what, count, sold in items
        }

    def charge(self, item: Recurring, day: date, sign: int = 1) -> list[InvoiceLine]:
        """So many of it from a day on to the end of the term; nothing, if it costs nothing."""
        first, end = self.calendar.first_day(self.first), self.calendar.first_day(self.until)
        unit = minor_unit(self.currency)
        each = share_left(item.price, (day - first).days, (end - first).days, unit)
        amount = sign * each * item.count
        if not amount:
            return []
        days = (day, end - timedelta(days=1))
        name = (item.kind, item.what)
        return [taxed_line(self.document, self.currency, name, item.count, amount, item.tax, days)]

    def charge_all(self, day: date) -> list[InvoiceLine]:
        return [line for item in self.recurring().values() for line in self.charge(item, day)]

    # Changes ---------------------------------------------------------------------------------

    def want_plan(self, plan_id: str, interval: str, version: int, day: date) -> "Terms":
        """The terms after it: an upgrade is at once, all else waits."""
        interval = interval or self.interval
        if (plan_id, interval) == (self.plan_id, self.interval) and version == self.version:
            return replace(self, next_plan=None)
        new = replace(
            self,
            plan_id=plan_id,
            interval=interval,
            version=version,
            paid=self._paid_beyond_included(),
            next_plan=None,
        )
        if interval != self.interval and interval == "year":
            new.first = self.calendar.period_of_day(day)
            new.until = new.first + MONTHS["year"]
        if self._holds_all(new):
            new.settle_minimums(day)
            lines = self.difference(new, day)
            due = sum(line.amount_micros + line.tax_micros for line in lines)
            if self._is_upgrade(new) and due >= 0:
                return new
        return replace(self, next_plan=(plan_id, interval, version))

    def _paid_beyond_included(self) -> dict[str, int]:
        """Units stay available where some were paid for; those only included go with the plan."""
        included = {kind: one.get("included", 0) for kind, one in plan_units(self.plan).items()}
        return {kind: n for kind, n in self.paid.items() if n > included.get(kind, 0)}

    def _holds_all(self, new: "Terms") -> bool:
        sold = plan_units(new.plan)
        return all(kind in sold for kind, n in self.created.items() if n) and all(
            has_entry(new.document, "packages", "package", name)
            for name, n in self.packages.items()
            if n
        )

    def _is_upgrade(self, new: "Terms") -> bool:
        """More recurs than before, or as much on the plan that is held."""
        if (self.interval, new.interval) == ("year", "month"):
            return False
        old_total, new_total = self._renewal_total(self), self._renewal_total(new)
        if new_total == old_total:
            return new.plan_id == self.plan_id
        return new_total > old_total

    def _renewal_total(self, terms: "Terms") -> int:
        """What this term would come to, renewed on its first day with what is held now."""
        renewed = replace(
            terms,
            paid={},
            created=self.created | self.next_units,
            packages=self.packages | self.next_packages,
        )
        renewed.settle_minimums(max(self.calendar.first_day(self.first), self.opened_on))
        return sum(one.count * one.price for one in renewed.recurring(self.interval).values())

    def copy(self) -> "Terms":
        return replace(
            self, paid=dict(self.paid), created=dict(self.created), packages=dict(self.packages)
        )

    def difference(self, new: "Terms", day: date) -> list[InvoiceLine]:
        """What is held now is given back, and what is held then charged, where that differs."""
        old_items, new_items = self.recurring(), new.recurring()
        is_same_term = (self.first, self.until) == (new.first, new.until)
        lines = []
        for name in old_items | new_items:
            old, item = old_items.get(name), new_items.get(name)
            if old and item and is_same_term and old.price == item.price:
                more = item.count - old.count
                item = replace(item, count=abs(more))
                lines += new.charge(item, day, 1 if more > 0 else -1)
                continue
            given_back = self.charge(old, day, -1) if old else []
            charges = new.charge(item, day) if item else []
            if sum(line.amount_micros for line in given_back + charges):
                lines += given_back + charges
        return lines

    def want_units(self, kind: str, wanted: int) -> None:
        """More is at once; fewer, of what is not counted by members, when the term turns."""
        if not self.versions.counted_by_members(self.version, kind):
            if wanted < self.created.get(kind, 0):
                self.next_units[kind] = wanted
                return
            self.next_units.pop(kind, None)
            self.created[kind] = wanted
        self.paid[kind] = max(self.paid.get(kind, 0), wanted)

    def raise_units(self, kind: str, wanted: int, day: date) -> list[InvoiceLine]:
        """What goes beyond the quantity is charged for today and the days left."""
        more = wanted - self.quantity(kind)
        self.paid[kind] = max(self.paid.get(kind, 0), wanted)
        if more <= 0:
            return []
        return self.charge(replace(self.recurring()["units", kind], count=more), day)

    def want_package(self, name: str, wanted: int) -> None:
        if wanted < self.packages.get(name, 0):
            self.next_packages[name] = wanted
            return
        self.next_packages.pop(name, None)
        if wanted:
            self.packages[name] = wanted

    # Renewal ---------------------------------------------------------------------------------

    def renewed(self, period: int) -> "Terms":
        """The term that begins with a period, as it was told by then."""
        first_day = self.calendar.first_day(period)
        contract = self._contract_on(first_day)
        plan_id, interval, version = self.next_plan or (self.plan_id, self.interval, self.version)
        packages = {name: n for name, n in (self.packages | self.next_packages).items() if n}
        new = replace(
            self,
            plan_id=plan_id,
            interval=interval,
            version=version,
            first=period,
            until=period + MONTHS[interval],
            created=self.created | self.next_units,
            packages=packages,
            paid=dict(self.paid) if contract and contract.holds_units else {},
            next_plan=None,
            next_units={},
            next_packages={},
        )
        if self.next_plan is None:
            new.version = self.versions.reaching(version, first_day, new._is_sold_in)
        new.settle_minimums(first_day)
        return new

    def _is_sold_in(self, document: Document) -> bool:
        if not has_entry(document, "plans", "plan", self.plan_id):
            return False
        sold = plan_units(entry(document, "plans", "plan", self.plan_id))
        return all(kind in sold for kind, n in self.created.items() if n) and all(
            has_entry(document, "packages", "package", name) for name in self.packages
        )
