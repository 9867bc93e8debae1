"""Which country a number is in, by Google's libphonenumber."""

from phonenumbers import NumberParseException, parse, region_code_for_number

from billing.domain.summaries import UNKNOWN_COUNTRY

NO_COUNTRY = frozenset({None, "001"})
"""What the library says of a number that fits no country's plan, and of satellite, universal
freephone and other codes that belong to the world."""


def country_of(number: str) -> str:
    """The country of an E.164 number; ``ZZ`` for a short code, a name, or a number of no country.

    Countries that share a calling code are told apart by their ranges: +1 604 is Canada. What they
    share counts as the largest's: +1 800 is the United States.
    """
    if not number.startswith("+"):
        return UNKNOWN_COUNTRY
    try:
        region = region_code_for_number(parse(number))
    except NumberParseException:
        return UNKNOWN_COUNTRY
    return UNKNOWN_COUNTRY if region is None or region in NO_COUNTRY else str(region)
