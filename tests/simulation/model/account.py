"""One account, written from the documentation: facts in, where it stands out."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, cast

from simulation.model import facts
from simulation.model.calls import Calls, Tariff
from simulation.model.catalogue import Versions, entry, scope_of
from simulation.model.days import Calendar
from simulation.model.facts import InvoiceLine
from simulation.model.grants import NEVER, USUAL_PRIORITY, Grant, Lots, spoken_unit
from simulation.model.money import micros
from simulation.model.numbers import Numbers
from simulation.model.papers import Papers, taxed_line, total
from simulation.model.storage import Storage
from simulation.model.terms import Terms


class Model:
    """Args: catalog: its first version, as docs/catalog.md has it; tariff: one price for all."""

    def __init__(self, catalog: dict[str, Any], tariff: Tariff) -> None:
        self._versions = Versions(catalog)
        self._tariff = tariff
        self._wallet = 0
        self._papers = Papers()
        self._storage = Storage()
        self._is_past_due = self._is_withheld = False

    def apply(self, fact: facts.Fact) -> facts.Standing:
        self._papers.raised = []
        name = "_" + type(fact).__name__.lower()
        cast(Callable[[facts.Fact], None], getattr(self, name))(fact)
        return self._standing(fact.at)

    def _standing(self, at: datetime) -> facts.Standing:
        return facts.Standing(
            self._wallet,
            self._period_starts_at(),
            self._calendar.starts_at(self._period + 1),
            self._held.plan_id,
            self._lots.shown(at),
            self._terms.shown_units(),
            self._terms.shown_packages(),
            tuple(self._papers.raised),
            tuple(sorted(self._papers.open.items())),
            cast(tuple[tuple[str, datetime], ...], self._numbers.shown()),
        )

    def _period_starts_at(self) -> datetime:
        return max(self._calendar.starts_at(self._period), self._opened_at)

    def _today(self, at: datetime) -> date:
        """The local day, by a clock that may be a little behind the period's turn."""
        return max(self._calendar.day(at), self._calendar.first_day(self._period))

    # Opening, and time ------------------------------------------------------------------------

    def _opened(self, fact: facts.Opened) -> None:
        self._currency = fact.currency
        self._opened_at = fact.at
        self._calendar = Calendar(fact.time_zone, fact.billing_day)
        self._lots = Lots(self._calendar)
        self._calls = Calls(self._tariff, self._lots)
        self._numbers = Numbers(self._versions, self._calendar, fact.currency)
        period = self._period = self._calendar.period_of(fact.at)
        self._terms = self._held = Terms(
            self._versions,
            self._calendar,
            fact.currency,
            self._versions.newest,
            fact.plan_id,
            "month",
            period,
            period + 1,
            period + 1,
            self._calendar.day(fact.at),
        )
        self._terms.settle_minimums(self._calendar.day(fact.at))
        self._granted = self._terms.grants()
        self._lots.refill(self._granted, period, fact.at)
        self._is_first_billed = False

    def _turned(self, fact: facts.Turned) -> None:
        while self._calendar.starts_at(self._period + 1) <= fact.at:
            self._turn_once(fact.at)

    def _turn_once(self, at: datetime) -> None:
        """Onto the terms that hold from then on, as far as the last bill could tell them."""
        terms, ended = self._terms, self._period
        if terms.until == terms.billed_until == ended + 1:
            self._held = terms.renewed(ended + 1)
        grants = self._held.grants()
        self._lots.turn(ended, grants)
        self._lots.forget(at)
        self._storage.turn()
        self._period = begun = ended + 1
        self._is_withheld = self._refills_nothing()
        self._granted = {} if self._is_withheld else grants
        self._lots.refill(self._granted, begun, self._calendar.starts_at(begun))

    def _refills_nothing(self) -> bool:
        dunning = self._terms.document.get("dunning", {})
        return self._is_past_due and not dunning.get("refills_while_past_due", True)

    def _billed(self, fact: facts.Billed) -> None:
        period = self._calendar.period_of(fact.period_start_at)
        lines: list[InvoiceLine] = []
        if not self._is_first_billed:
            # For the days from the opening on, that day included.
            self._is_first_billed = True
            lines += self._terms.charge_all(self._calendar.day(self._opened_at))
        elif period < self._terms.billed_until:
            return
        elif period >= self._terms.until:
            self._terms = self._terms.renewed(period)
            lines += self._terms.charge_all(self._calendar.first_day(period))
        self._terms.billed_until = period + 1
        self._papers.raise_invoice(lines + self._papers.pending, is_paid=False)
        self._papers.pending = []
        grants = self._terms.grants()
        if period == self._period and grants != self._held.grants() and not self._is_withheld:
            self._lots.become(grants, period)
            self._granted = grants
        self._held = self._terms

    def _published(self, fact: facts.Published) -> None:
        self._versions.put(fact.version, fact.document)

    # Use and money ----------------------------------------------------------------------------

    def _used(self, fact: facts.Used) -> None:
        for call in fact.calls:
            self._wallet -= self._calls.post(call, fact.at)

    def _corrected(self, fact: facts.Corrected) -> None:
        self._wallet -= self._calls.correct(fact.call_id, fact.quantity)

    def _funded(self, fact: facts.Funded) -> None:
        self._wallet += fact.amount_micros

    def _moved(self, fact: facts.Moved) -> None:
        self._wallet += fact.change_micros

    def _invoicepaid(self, fact: facts.InvoicePaid) -> None:
        """Once nothing is open any more, what was withheld comes whole."""
        self._wallet -= self._papers.open.pop(fact.number)
        if self._papers.open:
            return
        self._is_past_due = False
        grants = self._held.grants()
        if self._is_withheld:
            self._lots.refill(grants, self._period, self._period_starts_at())
        else:
            whole = (0, 1)
            self._lots.weigh(self._granted, grants, self._period, whole, self._period_starts_at())
        self._is_withheld, self._granted = False, grants

    def _pastdue(self, fact: facts.PastDue) -> None:
        self._is_past_due = True

    def _charged(self, fact: facts.Charged) -> None:
        document = self._versions[self._versions.newest]
        name = ("charge", fact.what)
        charged = ((fact.amount_micros, fact.tax_code), *fact.further)
        lines = [
            taxed_line(document, self._currency, name, 1, amount, tax_code)
            for amount, tax_code in charged
        ]
        if fact.is_at_once:
            self._papers.raise_invoice(lines, is_paid=False)
        else:
            self._papers.pending += lines

    def _agreed(self, fact: facts.Agreed) -> None:
        """With ``now``, what is missing of today's minimums has an invoice of its own."""
        terms, day = self._terms, self._today(fact.at)
        terms.contract = fact
        if fact.is_now:
            lines: list[InvoiceLine] = []
            for kind in terms.recurring_kinds():
                lines += terms.raise_units(kind, terms.minimum(kind, day), day)
            self._papers.raise_invoice(lines, is_paid=False)

    def _stored(self, fact: facts.Stored) -> None:
        rule = self._terms.document.get("storage", {})
        due = self._storage.gauge(rule, fact.used_bytes, fact.active_members)
        amount = due * micros(rule.get("price"), self._currency)
        if amount:
            name = ("storage", "storage")
            document = self._terms.document
            end = self._calendar.first_day(self._period + 1)
            days = (self._calendar.day(fact.at), end - timedelta(days=1))
            self._papers.pending.append(
                taxed_line(document, self._currency, name, due, amount, rule.get("tax"), days)
            )

    # Buying -----------------------------------------------------------------------------------

    def _ordered(self, fact: facts.Ordered) -> None:
        """The plan first, since all else is under it; then as it was wanted."""
        lines: list[InvoiceLine] = []
        for want in fact.wants:
            if want.kind == "number":
                self._numbers.claim(want.e164, want.what, fact.catalog_version, fact.at)
        before, day = self._terms.copy(), self._today(fact.quoted_at)
        ordered = tuple(want.e164 for want in fact.wants if want.kind == "number")
        for want in sorted(fact.wants, key=lambda one: one.kind != "plan"):
            lines += self._want(want, fact, day, ordered)
        lines += before.difference(self._terms, day)
        self._held = self._terms
        if not self._is_withheld:
            self._weigh(fact)
        self._sell(lines)

    def _weigh(self, fact: facts.Ordered) -> None:
        """While an invoice is past due, what would be granted anew comes with its payment."""
        day = self._today(fact.quoted_at)
        first, end = (self._calendar.first_day(self._period + n) for n in (0, 1))
        days = ((day - first).days, (end - first).days)
        grants = self._terms.grants()
        if self._refills_nothing():
            there = self._granted.keys() | self._lots.names_of(self._period)
            grants = {name: grant for name, grant in grants.items() if name in there}
        starts_at = max(self._calendar.midnight(day), self._opened_at)
        self._lots.weigh(self._granted, grants, self._period, days, starts_at)
        self._granted = grants

    def _want(
        self, want: facts.Want, fact: facts.Ordered, day: date, ordered: tuple[str, ...]
    ) -> list[InvoiceLine]:
        """What is held for a term has its lines once all of the order is known."""
        terms = self._terms
        if want.kind in ("bundle", "product"):
            return self._buy_once(want, fact)
        if want.kind == "number":
            included = terms.plan.get("numbers_included", 0)
            return self._numbers.charge_order(want.e164, ordered, day, included)
        if want.kind == "plan":
            self._terms = terms.want_plan(want.what, want.interval, fact.catalog_version, day)
        elif want.kind == "units":
            terms.want_units(want.what, want.quantity)
        else:
            terms.want_package(want.what, want.quantity)
        return []

    def _buy_once(self, want: facts.Want, fact: facts.Ordered) -> list[InvoiceLine]:
        document = self._versions[fact.catalog_version]
        sold = entry(document, want.kind + "s", want.kind, want.what)
        if want.kind == "bundle":
            lasts = sold.get("expires_after_days")
            today = self._calendar.day(fact.at)
            grant = Grant(
                want.what,
                spoken_unit(sold["unit"]),
                sold["quantity"] * want.quantity,
                sold.get("priority", USUAL_PRIORITY),
                scope=scope_of(sold),
            )
            expires_at = self._calendar.midnight(today + timedelta(days=lasts)) if lasts else NEVER
            self._lots.add(grant, fact.at, expires_at)
        amount = want.quantity * micros(sold.get("price"), self._currency)
        if not amount:
            return []
        name = (want.kind, want.what)
        return [taxed_line(document, self._currency, name, want.quantity, amount, sold.get("tax"))]

    def _takenback(self, fact: facts.TakenBack) -> None:
        if fact.kind == "plan":
            self._terms.next_plan = None
        elif fact.kind == "units":
            self._terms.next_units.pop(fact.what, None)
        else:
            self._terms.next_packages.pop(fact.what, None)

    def _joined(self, fact: facts.Joined) -> None:
        """A member gets a unit of what is counted by members; where none is free, it is sold."""
        lines: list[InvoiceLine] = []
        terms = self._terms
        for kind in fact.kinds:
            if self._versions.counted_by_members(terms.version, kind):
                terms.created[kind] = terms.created.get(kind, 0) + 1
                day = self._today(fact.at)
                lines += terms.raise_units(kind, terms.created[kind], day)
        self._papers.raise_invoice(lines, is_paid=False)

    def _left(self, fact: facts.Left) -> None:
        for kind in fact.kinds:
            if self._versions.counted_by_members(self._terms.version, kind):
                self._terms.created[kind] -= 1

    def _numberrenewed(self, fact: facts.NumberRenewed) -> None:
        included = self._terms.plan.get("numbers_included", 0)
        self._sell(self._numbers.renew(fact.e164s, self._period, included))

    def _numberset(self, fact: facts.NumberSet) -> None:
        self._numbers.set_state(fact.e164, fact.state, self._period)

    def _sell(self, lines: list[InvoiceLine]) -> None:
        """The wallet pays, and there is an invoice, paid."""
        self._wallet -= total(lines)
        self._papers.raise_invoice(lines, is_paid=True)
