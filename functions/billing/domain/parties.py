"""Parties: who sells, and who buys, as a document names them.

Source of the rules: docs/documents.md, "Who buys, and who sells".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_NAME = 200
MAX_ADDRESS_LINES = 6
MAX_ADDRESS_LINE = 100
MAX_TAX_ID = 40

_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Party:
    """What a document says of one side. What is empty is left out.

    Args:
        name: The legal one.
        address: Line by line, without the country.
        country: ISO 3166-1, two letters.
        tax_id: As it is written in that country, such as a VAT number or a GSTIN.
    """

    name: str = ""
    address: tuple[str, ...] = ()
    country: str = ""
    tax_id: str = ""


def party_faults(party: Party) -> Iterator[tuple[str, str]]:
    """What cannot stand on a document: the field, and what it would have to be."""
    if not is_line(party.name, MAX_NAME):
        yield "name", f"is one line of at most {MAX_NAME} visible characters, without < or >"
    if len(party.address) > MAX_ADDRESS_LINES:
        yield "address", f"has at most {MAX_ADDRESS_LINES} lines"
    for index, line in enumerate(party.address):
        if not line or not is_line(line, MAX_ADDRESS_LINE):
            yield (
                f"address/{index}",
                f"is one line of 1 to {MAX_ADDRESS_LINE} visible characters, without < or >",
            )
    if party.country and not _COUNTRY.fullmatch(party.country):
        yield "country", "is two capital letters, as in ISO 3166-1"
    if not is_line(party.tax_id, MAX_TAX_ID):
        yield "tax_id", f"is one line of at most {MAX_TAX_ID} visible characters, without < or >"


def is_line(text: str, most: int) -> bool:
    """Whether it is empty, or one line that can be shown anywhere."""
    is_plain = text.isprintable() and not set(text) & set("<>")
    return len(text) <= most and is_plain and text == text.strip()
