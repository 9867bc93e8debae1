"""The rows of a rate deck: how their cells make terms, and how terms are spelled in cells."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from billing.domain.deck_values import (
    CellError,
    parse_cap,
    parse_destination,
    parse_fee,
    parse_increment,
    parse_prefixes,
    parse_price,
    parse_tiers,
    shown,
    simplified,
)
from billing.domain.destinations import SHORT
from billing.domain.errors import InvalidInputError
from billing.domain.rated import price_text
from billing.domain.rates import DirectionOrAny, Terms, Treatment
from billing.domain.units import Direction, Unit
from billing.domain.windows import Window, parse_window

COLUMNS = (
    "unit",
    "direction",
    "prefix",
    "destination",
    "rate",
    "connect_fee",
    "first_increment_seconds",
    "next_increment_seconds",
)
"""The columns of schema 1, which is all that a plain deck needs."""

ALL_COLUMNS = (*COLUMNS, "tiers", "cap", "treatment", "window")
REQUIRED_COLUMNS = ("prefix", "destination", "rate")
DEFAULT_UNIT = "voice"
DEFAULT_DIRECTION = "outbound"
DEFAULT_TREATMENT = "charged"

_UNITS = {"voice": Unit.VOICE_SECONDS, "message": Unit.MESSAGES}
_DIRECTIONS: dict[str, DirectionOrAny] = {
    "outbound": Direction.OUTBOUND,
    "inbound": Direction.INBOUND,
    "any": None,
}
_TREATMENTS = {
    treatment.value: treatment
    for treatment in (Treatment.CHARGED, Treatment.FREE, Treatment.BLOCKED)
}

Choice = TypeVar("Choice")


def parse_key(unit: str, direction: str) -> tuple[Unit, DirectionOrAny]:
    """
    Raises:
        CellError: As every reader here.
    """
    return _parse_unit(unit), _parse_direction(direction)


def parse_terms(
    unit: Unit,
    destination: str,
    rate: str,
    connect_fee: str,
    first: str,
    step: str,
    tiers: str,
    cap: str,
    treatment: str,
) -> Terms:
    """What a row says its prefixes cost."""
    treated = _parse_treatment(treatment)
    name = parse_destination(destination)
    is_timed, what = unit.is_timed, _piece(unit)
    increments = (
        (parse_increment(first), parse_increment(step))
        if is_timed
        else (_parse_no_increment(first, what), _parse_no_increment(step, what))
    )
    prices = (connect_fee, tiers, cap) if is_timed else (_no_fee(connect_fee, what), tiers, cap)
    if treated is Treatment.FREE:
        _refuse_prices("a free destination has no price", rate, *prices)
        return Terms(name, 0, 0, 1, 1, treatment=treated)
    if treated is Treatment.BLOCKED and not rate.strip():
        _refuse_prices("without a rate there is nothing to add to", rate, *prices)
        return Terms(name, 0, 0, 1, 1, treatment=Treatment.UNPRICED)
    rate_micros = parse_price(rate)
    if not is_timed:
        _no_tiers(tiers, what)
        _no_cap(cap, what)
        return Terms(name, rate_micros, 0, *increments, treatment=treated)
    return Terms(
        name,
        rate_micros,
        parse_fee(connect_fee),
        *increments,
        simplified(rate_micros, parse_tiers(tiers)),
        parse_cap(cap),
        treated,
    )


def parse_window_cell(cell: str) -> Window | None:
    """The part of the week a row is for; None: all that other rows leave."""
    if not cell.strip():
        return None
    try:
        return parse_window(cell)
    except InvalidInputError as error:
        raise CellError(error.detail) from error


def cell_problems(cells: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Column and fault of every bad cell of a row; of their combination, if each is good."""
    try:
        unit = _parse_unit(cells[0])
    except CellError:
        unit = Unit.VOICE_SECONDS
    found = False
    checks = _VOICE_CHECKS if unit.is_timed else _piece_checks(_piece(unit))
    needs_rate = cells[10].strip().lower() not in (Treatment.FREE, Treatment.BLOCKED)
    for column, check, cell in zip(ALL_COLUMNS, checks, cells, strict=True):
        if column == "rate" and not needs_rate and not cell.strip():
            continue
        try:
            check(cell)
        except CellError as error:
            found = True
            yield column, str(error)
    if not found:
        try:
            parse_terms(unit, *cells[3:11])
        except CellError as error:
            yield error.column, str(error)


def terms_cells(unit: Unit, terms: Terms) -> tuple[str, ...]:
    """From ``destination`` to ``treatment``, each in its one spelling."""
    is_timed = unit.is_timed
    is_priced = terms.treatment is not Treatment.UNPRICED
    treatment = terms.treatment if is_priced else Treatment.BLOCKED
    return (
        terms.destination,
        price_text(terms.rate_micros) if is_priced else "",
        price_text(terms.connect_fee_micros) if is_timed else "",
        str(terms.first_increment_seconds) if is_timed else "",
        str(terms.next_increment_seconds) if is_timed else "",
        " ".join(f"{price_text(tier.rate_micros)}@{tier.after_seconds}" for tier in terms.tiers),
        "" if terms.cap_micros is None else price_text(terms.cap_micros),
        "" if treatment is Treatment.CHARGED else treatment.value,
    )


def key_cells(unit: Unit, direction: DirectionOrAny) -> tuple[str, str]:
    unit_name = unit.value if unit.is_own else _name(_UNITS, unit)
    return unit_name, _name(_DIRECTIONS, direction)


def prefix_cell(prefix: str) -> str:
    return f"{prefix}*" if prefix in ("", SHORT) else prefix


def _parse_unit(cell: str) -> Unit:
    name = cell.strip().lower() or DEFAULT_UNIT
    if name in _UNITS:
        return _UNITS[name]
    try:
        unit = Unit(name)
    except ValueError:
        unit = Unit.VOICE_SECONDS
    if not unit.is_own:
        raise CellError(
            f"{shown(cell)} is not one of {', '.join(_UNITS)}, or the name of a unit of your own"
        )
    return unit


def _parse_direction(cell: str) -> DirectionOrAny:
    return _choice(_DIRECTIONS, cell, DEFAULT_DIRECTION)


def _parse_treatment(cell: str) -> Treatment:
    return _choice(_TREATMENTS, cell, DEFAULT_TREATMENT)


def _choice(choices: Mapping[str, Choice], cell: str, default: str) -> Choice:
    name = cell.strip().lower() or default
    if name not in choices:
        raise CellError(f"{shown(cell)} is not one of {', '.join(choices)}")
    return choices[name]


def _no_fee(cell: str, what: str) -> str:
    if parse_fee(cell):
        raise CellError(f"{what} has no connect fee; leave it empty", "connect_fee")
    return cell


def _no_tiers(cell: str, what: str) -> None:
    if cell.strip():
        raise CellError(f"{what} has no seconds; leave it empty", "tiers")


def _no_cap(cell: str, what: str) -> None:
    if cell.strip():
        raise CellError(f"{what} has no cost cap; leave it empty", "cap")


def _parse_no_increment(cell: str, what: str) -> int:
    if cell.strip():
        raise CellError(f"{what} has no seconds; leave it empty")
    return 1


def _refuse_prices(why: str, rate: str, connect_fee: str, tiers: str, cap: str) -> None:
    for column, price in (("rate", rate), ("connect_fee", connect_fee)):
        if parse_fee(price):
            raise CellError(f"{why}; leave it empty", column)
    for column, cell in (("tiers", tiers), ("cap", cap)):
        if cell.strip():
            raise CellError(f"{why}; leave it empty", column)


def _name(choices: Mapping[str, Choice], wanted: Choice) -> str:
    return next(name for name, choice in choices.items() if choice is wanted)


_Check = Callable[[str], object]
_VOICE_CHECKS: tuple[_Check, ...] = (
    _parse_unit,
    _parse_direction,
    parse_prefixes,
    parse_destination,
    parse_price,
    parse_fee,
    parse_increment,
    parse_increment,
    parse_tiers,
    parse_cap,
    _parse_treatment,
    parse_window_cell,
)


def _piece(unit: Unit) -> str:
    """One of what a row prices by the piece."""
    return "a unit of your own" if unit.is_own else "a message"


def _piece_checks(what: str) -> tuple[_Check, ...]:
    no_increment = partial(_parse_no_increment, what=what)
    return (
        *_VOICE_CHECKS[:5],
        partial(_no_fee, what=what),
        no_increment,
        no_increment,
        partial(_no_tiers, what=what),
        partial(_no_cap, what=what),
        *_VOICE_CHECKS[10:],
    )
