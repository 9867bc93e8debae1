"""What one field of a catalogue may be. What is wrong is noted, so that all of it is named at once.

Names, contacts and terms are shown in pages, sheets, mails and documents that somebody else makes:
what could turn into markup, a formula or a header there is not taken in.
"""

import re
import unicodedata
from collections.abc import Container, Iterable

from billing.domain.account import require_id
from billing.domain.checked_fields import Fault
from billing.domain.currencies import MINOR_UNITS
from billing.domain.errors import InvalidInputError
from billing.domain.money import Money, minor_unit_micros
from billing.domain.selling import Contact, Price, RecurringPrice

MAX_PRICE_MICROS = 10**15
"""A thousand million units: beyond any price, and far below what an amount of money may be."""

MAX_NAME = 200
MAX_URL = 1_000
MAX_EMAIL = 254
"""Characters of an address in a mail's path (RFC 5321, 4.5.3.1.3, without its brackets)."""

MAX_TERMS_TEXT = 100_000

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}\.)+{_LABEL}"
_EMAIL = re.compile(
    rf"[A-Za-z0-9_](?:[A-Za-z0-9_%+-]|\.(?=[A-Za-z0-9_%+-])){{0,63}}@{_HOST}", re.ASCII
)
# No user, no backslash, no quotes or brackets that could end an attribute.
_URL = re.compile(
    rf"https://{_HOST}(?::[0-9]{{1,5}})?(?:[/?#][A-Za-z0-9!#$%&()*+,./:;=?@_~-]*)?", re.ASCII
)
_PHONE = re.compile(r"\+?[0-9(](?:[ ()./-]{0,2}[0-9]){2,24}", re.ASCII)
_FORMULA = ("=", "+", "-", "@")
_LINE_ENDS = "\n\r\t"


class Faults:
    """Notes what is wrong with a document, each with a JSON pointer into it.

    Args:
        noted: What somebody else has found already.
    """

    def __init__(self, noted: Iterable[Fault] = ()) -> None:
        self.noted = list(noted)

    def require(self, is_met: bool, pointer: str, detail: str) -> None:
        if not is_met:
            self.noted.append(Fault(f"/{pointer}", detail))

    def ids(self, listed: str, name: str, ids: Iterable[str]) -> None:
        """Ids of a list: each may stand in a key, and none is there twice."""
        seen: set[str] = set()
        for index, given in enumerate(ids):
            pointer = f"{listed}/{index}/{name}"
            try:
                require_id(given, name)
            except InvalidInputError as error:
                self.require(False, pointer, error.detail)
            self.require(given not in seen, pointer, f"{given!r} is there twice")
            seen.add(given)

    def within(self, value: int | None, least: int, most: int, pointer: str) -> None:
        """A bound on a number; None is none, and in no bounds' way."""
        is_met = value is None or least <= value <= most
        self.require(is_met, pointer, f"is {least:,} to {most:,}")

    def name(self, text: str, pointer: str) -> None:
        is_met = _is_line(text) and len(text) <= MAX_NAME
        self.require(is_met, pointer, f"is one line of 1 to {MAX_NAME} visible characters")

    def price(self, price: Price, tax_codes: Container[str], pointer: str, tax: str) -> None:
        """
        Args:
            tax: The pointer of its tax code.
        """
        self._amounts(price, pointer)
        is_known = not price.tax or price.tax in tax_codes
        self.require(is_known, tax, f"there is no tax rate {price.tax!r}")

    def recurring(self, price: RecurringPrice, tax_codes: Container[str], owner: str) -> None:
        """The price of a term of what ``owner`` points to."""
        self.price(price.month, tax_codes, f"{owner}/price/month", f"{owner}/tax")
        if price.year is None:
            return
        pointer = f"{owner}/price/year"
        self._amounts(price.year, pointer)
        self.require(price.year.tax == price.month.tax, f"{owner}/tax", "is one for month and year")
        # A year that names no currency would be free in all of them.
        year, month = ({currency for currency, _ in p.amounts} for p in (price.year, price.month))
        self.require(
            bool(year) and year <= month,
            pointer,
            "names a currency, and none that the month does not name",
        )

    def _amounts(self, price: Price, pointer: str) -> None:
        seen: set[str] = set()
        for currency, micros in price.amounts:
            at = f"{pointer}/{currency}"
            self.require(currency not in seen, at, f"{currency} is there twice")
            seen.add(currency)
            if currency not in MINOR_UNITS:
                self.require(
                    False, at, f"{currency!r} is not an ISO 4217 currency code such as USD"
                )
                continue
            self.require(
                0 <= micros <= MAX_PRICE_MICROS and micros % minor_unit_micros(currency) == 0,
                at,
                f"is 0 or more, in whole units of {Money(minor_unit_micros(currency), currency)}",
            )

    def contact(self, contact: Contact, pointer: str) -> None:
        """Whoever is named; what is empty is left out."""
        name, email, phone, url = contact.name, contact.email, contact.phone, contact.url
        self.require(
            not name or (_is_line(name) and len(name) <= MAX_NAME and _is_plain(name)),
            f"{pointer}/name",
            f"is one line of at most {MAX_NAME} visible characters, no < or >, and begins with no"
            " =, +, - or @",
        )
        self.require(
            not email or (len(email) <= MAX_EMAIL and _EMAIL.fullmatch(email) is not None),
            f"{pointer}/email",
            "is an address such as sales@example.com",
        )
        self.require(
            not phone or _PHONE.fullmatch(phone) is not None,
            f"{pointer}/phone",
            "is a number such as +1 212 555 0100",
        )
        self.url(url, f"{pointer}/url")

    def url(self, url: str, pointer: str) -> None:
        """Where a link may lead; empty: nowhere."""
        is_met = not url or (len(url) <= MAX_URL and _URL.fullmatch(url) is not None)
        self.require(is_met, pointer, "is an https address of a public host name")

    def text(self, text: str, pointer: str) -> None:
        """Text of several lines; empty: none."""
        self.require(
            len(text) <= MAX_TERMS_TEXT and not any(map(_is_control, text)),
            pointer,
            f"is text of at most {MAX_TERMS_TEXT:,} characters, without control characters",
        )


def _is_line(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip()


def _is_plain(text: str) -> bool:
    return not text.startswith(_FORMULA) and not set(text) & set("<>")


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in _LINE_ENDS
