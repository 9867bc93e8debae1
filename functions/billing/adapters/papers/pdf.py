"""Print papers as PDF. Equal papers are equal bytes: nothing here knows what time it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from billing.adapters.papers.figures import Figures
from billing.adapters.papers.sheet import BOTTOM, GREY, MARGIN, WIDTH, Sheet, height
from billing.adapters.papers.words import Words, words_of
from billing.domain.billing_profiles import Series
from billing.domain.documents import Line
from billing.domain.papers import Paper
from billing.domain.parties import Party

RIGHT = MARGIN + WIDTH
GREEN = (25, 110, 70)
AMBER = (166, 92, 0)

_COLUMNS = (78.0, 18.0, 30.0, 18.0, 30.0)
"""Text, quantity, unit price, tax rate, amount; they come to the sheet's width."""

_NAMES = 25.0
"""What the names of facts take of a line."""

_ROW, _NOTE = 9.0, 7.5
_GAP = 2.2
_FIRST_TOP, _NEXT_TOP = 16.0, 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, as it is written.

    Args:
        note: In small print below the text.
    """

    text: str
    note: str
    cells: tuple[str, str, str, str]
    amount_micros: int
    height: float


def print_paper(paper: Paper) -> bytes:
    """The paper as a PDF."""
    return _Print(paper).content()


class _Print:
    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._words = words_of(paper.language)
        writing = Figures(paper.language, paper.currency, lambda _: True)
        countries = map(writing.country, (paper.seller.country, paper.buyer.country))
        texts = [*_texts(paper, self._words), writing.day(paper.issued_on), *countries]
        self._sheet = Sheet(paper.reference, texts, paper.issued_at)
        self._figures = Figures(paper.language, paper.currency, self._sheet.can_show)

    def content(self) -> bytes:
        self._sheet.page()
        top = self._head()
        if self._paper.series is Series.RECEIPTS:
            self._receipt(top)
            self._footer(1, 1)
        else:
            self._table(top)
        return self._sheet.content()

    def _head(self) -> float:
        """What stands above the table; where that begins."""
        paper, sheet, words = self._paper, self._sheet, self._words
        below = sheet.text(MARGIN, _FIRST_TOP, 100, words[paper.series], 22, bold=True)
        if paper.series is Series.INVOICES:
            colour = GREEN if paper.is_paid else AMBER
            day = self._figures.day(paper.paid_on) if paper.paid_on else ""
            word = words["paid"].format(day=day) if paper.is_paid else words["open"]
            sheet.stamp(RIGHT, _FIRST_TOP + 1, word, colour)
        top = below + 6
        ends = [
            self._party(MARGIN, top, words["seller"], paper.seller),
            self._party(MARGIN + 52, top, words["buyer"], paper.buyer),
            self._facts(MARGIN + 106, top),
        ]
        below = max(ends) + 4
        if paper.reason:
            below = sheet.text(MARGIN, below, WIDTH, words["reason"], _NOTE, colour=GREY)
            below = sheet.text(MARGIN, below, WIDTH, paper.reason) + 4
        return below

    def _party(self, x: float, y: float, title: str, party: Party) -> float:
        if party == Party():
            return y
        sheet, width = self._sheet, 48.0
        y = sheet.text(x, y, width, title, _NOTE, colour=GREY) + 0.8
        y = sheet.text(x, y, width, party.name, bold=True)
        for one in (*party.address, self._figures.country(party.country)):
            y = sheet.text(x, y, width, one)
        if party.tax_id:
            y = sheet.text(x, y + 0.8, width, f"{self._words['tax_id']} {party.tax_id}")
        return y

    def _facts(self, x: float, y: float) -> float:
        for name, fact in self._known_facts():
            below = self._sheet.text(x, y + 0.4, _NAMES, name, _NOTE, colour=GREY)
            width = RIGHT - x - _NAMES
            y = max(below, self._sheet.text(x + _NAMES, y, width, fact, right=True)) + 0.8
        return y

    def _known_facts(self) -> Iterator[tuple[str, str]]:
        paper, words, figures = self._paper, self._words, self._figures
        yield words["number"], paper.reference
        yield words["issued"], figures.day(paper.issued_on)
        if paper.series is Series.INVOICES and not paper.is_paid:
            yield words["due"], words["at_once"]
        if paper.starts_on and paper.ends_on:
            yield words["period"], self._days(paper.starts_on, paper.ends_on)
        if paper.series is Series.CREDIT_NOTES:
            yield words["of_invoice"], paper.refers_to
        yield words["account"], f"{paper.account.tenant_id} / {paper.account.account_id}"
        if paper.purchase_order:
            yield words["purchase_order"], paper.purchase_order

    def _days(self, first: date, last: date) -> str:
        return f"{self._figures.day(first)} \N{EN DASH} {self._figures.day(last)}"

    def _receipt(self, y: float) -> None:
        paper, sheet, words = self._paper, self._sheet, self._words
        sheet.rule(y)
        y += _GAP
        facts = [(words["for"], paper.refers_to or words["fills_wallet"])]
        paid_with = paper.paid_with or ("" if paper.gateway else words["wallet"])
        if paid_with:
            facts.append((words["paid_with"], paid_with))
        if paper.gateway:
            facts.append((words["payment"], f"{paper.gateway} {paper.payment_id}"))
        for name, fact in facts:
            sheet.text(MARGIN, y + 0.3, 50, name, _NOTE, colour=GREY)
            y = sheet.text(MARGIN + 50, y, WIDTH - 50, fact, _ROW) + _GAP
        sheet.rule(y)
        y += _GAP
        sheet.text(MARGIN, y, 100, words["received"], 11, bold=True)
        money = self._figures.money(paper.amount_micros)
        sheet.text(MARGIN + 100, y, WIDTH - 100, money, 11, bold=True, right=True)

    def _table(self, top: float) -> None:
        rows = [self._row(line) for line in self._paper.lines]
        pages = _pages(rows, top, self._totals_height())
        so_far = 0
        for number, held in enumerate(pages, 1):
            if number > 1:
                self._sheet.page()
                self._sheet.text(MARGIN, _FIRST_TOP, 100, self._paper.reference, colour=GREY)
                top = _NEXT_TOP - 6
            y = self._titles(top)
            if number > 1:
                y = self._carried(y, self._words["brought"], so_far)
            for row in held:
                y = self._write(y, row)
                so_far += row.amount_micros
            if number < len(pages):
                self._carried(y, self._words["carried"], so_far)
            else:
                self._totals(y)
            self._footer(number, len(pages))

    def _row(self, line: Line) -> Row:
        figures = self._figures
        note = ""
        if line.starts_on and line.ends_on:
            note = self._days(line.starts_on, line.ends_on - timedelta(days=1))
        text_height = height(_ROW) * len(self._sheet.lines(line.text, _COLUMNS[0] - 3, _ROW))
        return Row(
            line.text,
            note,
            (
                figures.count(line.quantity),
                figures.amount(line.unit_price_micros),
                figures.rate(line.tax_millionths) if line.tax_code else "\N{EN DASH}",
                figures.amount(line.amount_micros),
            ),
            line.amount_micros,
            text_height + (height(_NOTE) if note else 0) + _GAP,
        )

    def _titles(self, y: float) -> float:
        words = self._words
        currency = self._paper.currency
        names = ("text", "quantity", "unit_price", "tax", "amount")
        x = MARGIN
        for place, (name, width) in enumerate(zip(names, _COLUMNS, strict=True)):
            title = words[name].format(currency=currency)
            self._sheet.text(x, y, width, title, _NOTE, right=place > 0, colour=GREY)
            x += width
        y += height(_NOTE) + 1.2
        self._sheet.rule(y)
        return y + _GAP / 2

    def _write(self, y: float, row: Row) -> float:
        sheet = self._sheet
        below = sheet.text(MARGIN, y, _COLUMNS[0] - 3, row.text, _ROW)
        sheet.text(MARGIN, below, _COLUMNS[0] - 3, row.note, _NOTE, colour=GREY)
        x = MARGIN + _COLUMNS[0]
        for cell, width in zip(row.cells, _COLUMNS[1:], strict=True):
            sheet.text(x, y, width, cell, _ROW, right=True)
            x += width
        y += row.height
        sheet.rule(y - _GAP / 2)
        return y

    def _carried(self, y: float, word: str, micros: int) -> float:
        self._sheet.text(MARGIN, y, 100, word, _ROW, bold=True)
        shown = self._figures.amount(micros)
        self._sheet.text(MARGIN + 100, y, WIDTH - 100, shown, _ROW, bold=True, right=True)
        return y + _CARRIED

    def _totals_height(self) -> float:
        return (len(self._paper.taxes) + 1) * 6 + 12

    def _totals(self, y: float) -> None:
        paper, words, figures, sheet = self._paper, self._words, self._figures, self._sheet
        x, width = MARGIN + 74, WIDTH - 74
        y += 2
        rows = [(words["subtotal"], paper.sums.subtotal_micros)]
        for tax in paper.taxes:
            net = figures.amount(tax.net_micros)
            word = words["untaxed"] if not tax.name else words["tax_on"]
            name = word.format(name=tax.name, rate=figures.rate(tax.millionths), net=net)
            rows.append((name, tax.tax_micros))
        for name, micros in rows:
            below = sheet.text(x, y, width - 32, name, _ROW)
            sheet.text(x + width - 32, y, 32, figures.amount(micros), _ROW, right=True)
            y = max(below, y) + 1.4
        sheet.rule(y, x, width)
        y += 1.6
        is_credit = paper.series is Series.CREDIT_NOTES
        word = words["credited" if is_credit else "total"]
        total = -paper.sums.total_micros if is_credit else paper.sums.total_micros
        sheet.text(x, y, width - 50, word, 12, bold=True)
        sheet.text(x + width - 50, y, 50, figures.money(total), 12, bold=True, right=True)

    def _footer(self, page: int, pages: int) -> None:
        paper, sheet = self._paper, self._sheet
        y = BOTTOM + 5
        sheet.rule(y - 2)
        word = self._words["page"].format(page=page, pages=pages)
        sheet.text(MARGIN, y, 120, paper.reference, _NOTE, colour=GREY)
        sheet.text(RIGHT - 50, y, 50, word, _NOTE, right=True, colour=GREY)


_CARRIED = height(_ROW) + _GAP


def _pages(rows: list[Row], top: float, totals: float) -> list[list[Row]]:
    """Which rows stand on which page; the totals stand below the last of them.

    Args:
        top: Where the table begins on the first page.
    """
    pages: list[list[Row]] = [[]]
    titles = height(_NOTE) + 1.2 + _GAP / 2
    y = top + titles
    for row in rows:
        if pages[-1] and y + row.height + _CARRIED > BOTTOM:
            pages.append([])
            y = _NEXT_TOP + titles + _CARRIED
        pages[-1].append(row)
        y += row.height
    if y + totals > BOTTOM:
        # The last row goes along, so that no page has totals alone.
        pages.append([pages[-1].pop()] if len(pages[-1]) > 1 else [])
    return pages


def _texts(paper: Paper, words: Words) -> Iterator[str]:
    yield from words.values()
    for party in (paper.seller, paper.buyer):
        yield from (party.name, *party.address, party.country, party.tax_id)
    yield from (paper.reference, paper.purchase_order, paper.reason, paper.paid_with)
    yield from (one.text for one in paper.lines)
    yield from (one.name for one in paper.taxes)
