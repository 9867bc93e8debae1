"""Rate decks as CSV: what is accepted, what is refused and how, and the stored form."""

import csv
import io
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.decks import (
    ALL_COLUMNS,
    COLUMNS,
    MAX_PROBLEMS,
    PREFIXES_PER_ROW,
    DeckError,
    deck_digest,
    load_deck,
    parse_deck,
    serialise_deck,
)
from billing.domain.rating import DirectionOrAny, RateTable, Terms, Tier, Treatment
from billing.domain.units import Direction, Unit
from billing.domain.windows import parse_window

VOICE, MESSAGES = Unit.VOICE_SECONDS, Unit.MESSAGES
OUTBOUND = Direction.OUTBOUND
FEW = settings(max_examples=60, deadline=None)
UK = Terms("UK", 12_500, 0, 60, 60)


def table(
    *rows: tuple[str, Terms], unit: Unit = VOICE, direction: DirectionOrAny = OUTBOUND
) -> RateTable:
    return RateTable({(unit, direction): dict(rows)})


def problems(content: str | bytes) -> list[tuple[int, str, str]]:
    with pytest.raises(DeckError) as refusal:
        parse_deck(content)
    assert refusal.value.code == "invalid_rate_deck"
    return [(problem.line, problem.column, problem.detail) for problem in refusal.value.problems]


def test_what_is_left_out_has_a_default() -> None:
    assert parse_deck("prefix,destination,rate\n44,UK,0.0125\n") == table(("44", UK))


def test_every_column_is_read_in_any_order_and_spelling_of_the_header() -> None:
    content = (
        " Rate ,prefix,DESTINATION,connect_fee,next_increment_seconds,first_increment_seconds,"
        "direction,unit\n0.01,1,US,0.5,6,30,any,voice\n"
    )
    expected = table(("1", Terms("US", 10_000, 500_000, 30, 6)), direction=None)
    assert parse_deck(content) == expected


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeffprefix,destination,rate\n44,UK,0.0125", id="a byte order mark"),
        pytest.param(
            "\ufeffprefix,destination,rate\n44,UK,0.0125".encode(), id="bytes with such a mark"
        ),
        pytest.param("prefix,destination,rate\r\n44,UK,0.0125\r\n", id="Windows line endings"),
        pytest.param("prefix,destination,rate\r44,UK,0.0125\r", id="old Macintosh line endings"),
        pytest.param('"prefix","destination","rate"\n"44","UK","0.0125"\n', id="quotes"),
        pytest.param("\n\nprefix,destination,rate\n\n , ,\n44,UK,0.0125\n,,\n", id="blank lines"),
        pytest.param("prefix,destination,rate\n+44,UK,0.0125\n", id="a plus sign"),
        pytest.param("prefix,destination,rate\n 44 , UK , 0.012500 \n", id="spaces"),
        pytest.param("prefix,destination,rate,unit\n44,UK,0.0125,VOICE\n", id="capitals"),
    ],
)
def test_what_spreadsheets_write_is_accepted(content: str | bytes) -> None:
    assert parse_deck(content) == table(("44", UK))


@pytest.mark.parametrize("cell", ["", "*", " * "])
def test_a_star_or_nothing_is_the_price_of_everything(cell: str) -> None:
    assert parse_deck(f"prefix,destination,rate\n{cell},UK,0.0125\n") == table(("", UK))


def test_one_row_may_price_several_prefixes() -> None:
    content = "prefix,destination,rate\n44 4420  +447 *,UK,0.0125\n"
    assert parse_deck(content) == table(("44", UK), ("4420", UK), ("447", UK), ("", UK))


def test_a_message_is_priced_by_itself() -> None:
    content = "unit,prefix,destination,rate\nmessage,44,UK,0.0079\n"
    assert parse_deck(content) == table(("44", Terms("UK", 7_900, 0, 1, 1)), unit=MESSAGES)


def test_the_same_prefix_may_stand_once_for_each_unit_and_direction() -> None:
    content = (
        "unit,direction,prefix,destination,rate\n"
        "voice,any,44,UK,1\nvoice,inbound,44,UK,2\nvoice,outbound,44,UK,3\nmessage,any,44,UK,4\n"
    )
    assert len(parse_deck(content)) == 4


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("row", "column", "detail"),
    [
        ("my-data,,44,UK,1,,,", "unit", "'my-data' is not one of voice, message"),
        (",both,44,UK,1,,,", "direction", "'both' is not one of outbound, inbound, any"),
        (",,44x,UK,1,,,", "prefix", "'44x' is not a prefix; write digits, or *"),
        (",,+,UK,1,,,", "prefix", "'+' is not a prefix"),
        (",,٤٤,UK,1,,,", "prefix", "is not a prefix"),
        (",,4.4E+10,UK,1,,,", "prefix", "comes from a spreadsheet; format the column as text"),
        (",,1234567890123456,UK,1,,,", "prefix", "has more than 15 digits; shorten it"),
        (",,0044,UK,1,,,", "prefix", "begin with the country code, not with 0 or 00"),
        (",,44,,1,,,", "destination", "empty; name the destination"),
        (",,44," + "x" * 101 + ",1,,,", "destination", "longer than 100 characters; shorten it"),
        (",,44,U\u200bK,1,,,", "destination", "'U\\u200bK' holds an invisible character"),
        (",,44,UK,,,,", "rate", "'' is not a price; write a decimal such as 0.0125"),
        (",,44,UK,free,,,", "rate", "'free' is not a price"),
        (",,44,UK,-0.01,,,", "rate", "is negative; a price is 0 or more"),
        (",,44,UK,1e-2,,,", "rate", "has an exponent; write it out as a decimal"),
        (",,44,UK,NaN,,,", "rate", "is not a price"),
        (",,44,UK,inf,,,", "rate", "is not a price"),
        (",,44,UK,٣,,,", "rate", "is not a price"),
        (",,44,UK,0.0000001,,,", "rate", "has more than 6 decimals; round it"),
        (",,44,UK,1000000,,,", "rate", "is too large; a price is less than 1000000"),
        (',,44,UK,"0,01",,,', "rate", "has a comma; write a decimal point"),
        (",,44,UK,1,$1,,", "connect_fee", "'$1' is not a price"),
        (",,44,UK,1,,0,", "first_increment_seconds", "'0' is not 1 to 86400 whole seconds"),
        (",,44,UK,1,,,-6", "next_increment_seconds", "'-6' is not 1 to 86400 whole seconds"),
        (",,44,UK,1,,,6.5", "next_increment_seconds", "'6.5' is not 1 to 86400 whole seconds"),
        (",,44,UK,1,,86401,", "first_increment_seconds", "is not 1 to 86400 whole seconds"),
        ("message,,44,UK,1,0.1,,", "connect_fee", "a message has no connect fee; leave it empty"),
        ("message,,44,UK,1,,60,", "first_increment_seconds", "a message has no seconds"),
        ("message,,44,UK,1,,,60", "next_increment_seconds", "a message has no seconds"),
        (",,44,UK,1", "", "5 values under 8 columns; quote values with commas"),
        (",,44,UK,1,,,,", "", "9 values under 8 columns; quote values with commas"),
    ],
)
def test_a_bad_cell_is_named_with_its_fix(row: str, column: str, detail: str) -> None:
    [(line, where, why)] = problems(f"{HEADER}\n,,1,US,1,,,\n{row}\n")
    assert (line, where) == (3, column)
    assert detail in why


@pytest.mark.parametrize(
    ("content", "column", "detail"),
    [
        ("", "", "empty; begin with the header unit,direction,prefix"),
        ("\n \n", "", "empty; begin with the header"),
        ("prefix,destination,rate\n", "", "no prices below the header; add at least one"),
        ("prefix,rate\n44,1\n", "destination", "column missing; add it"),
        ("prefix,destination,rate,rate\n", "rate", "appears twice; keep one of the two"),
        ("prefix,destination,rate,price\n", "'price'", "unknown column; remove it"),
        ("prefix,destination,rate,\n", "''", "unknown column; remove it"),
        ("prefix;destination;rate\n44;UK;1\n", "", "separate columns with commas"),
        ("prefix\tdestination\trate\n44\tUK\t1\n", "", "separate columns with commas"),
        (b"\xff\xfep\x00r\x00", "", "not UTF-8 text; save the file as CSV UTF-8"),
    ],
)
def test_a_file_that_is_no_deck_is_refused(content: str | bytes, column: str, detail: str) -> None:
    [(line, where, why)] = problems(content)
    assert (line, where) == (1, column)
    assert detail in why


def test_every_bad_cell_of_a_row_is_named_at_once() -> None:
    found = problems(f"{HEADER}\nx,x,x,,x,x,x,x\n")
    assert [(line, column) for line, column, _ in found] == [(2, column) for column in COLUMNS]


def test_a_prefix_that_stands_twice_names_the_first_line() -> None:
    [(line, column, detail)] = problems("prefix,destination,rate\n44,UK,1\n\n+44,UK,2\n")
    assert (line, column) == (4, "prefix")
    assert "44 stands on line 2 already" in detail
    [(line, _, _)] = problems("prefix,destination,rate\n44 44,UK,1\n")
    assert line == 2


def test_lines_are_counted_as_an_editor_does() -> None:
    content = 'prefix,destination,rate\r\n\r\n"44","U\r\nK","x"\r\n45,DK,y\r\n'
    assert [line for line, _, _ in problems(content)] == [3, 3, 5]


@pytest.mark.parametrize("row", ['44,"UK,1', '44,"U"K,1'])
def test_an_unclosed_or_stray_quote_is_refused_where_the_row_begins(row: str) -> None:
    [(line, column, detail)] = problems(f"prefix,destination,rate\n1,US,1\n{row}\n")
    assert (line, column) == (3, "")
    assert "check the quotes" in detail


def test_bytes_that_are_not_utf8_are_refused_on_their_line() -> None:
    [(line, _, detail)] = problems(
        "prefix,destination,rate\n1,US,1\n225,Côte,1\n".encode("latin-1")
    )
    assert line == 3
    assert "UTF-8" in detail


def test_the_report_stops_at_the_hundredth_problem() -> None:
    content = "prefix,destination,rate\n" + "x,UK,1\n" * 500
    assert len(problems(content)) == MAX_PROBLEMS
    assert problems(content)[-1][0] == 101


def test_the_message_of_the_error_is_its_first_problem() -> None:
    with pytest.raises(DeckError, match=r"^line 2, prefix: 'x' is not .* \(2 problems in all\)$"):
        parse_deck("prefix,destination,rate\nx,UK,y\n")


# Tiers, caps, treatments and windows

FULL = ",".join(ALL_COLUMNS)


def row_of(**cells: str) -> str:
    given = {"prefix": "44", "destination": "UK", "rate": "1"} | cells
    return ",".join(given.get(column, "") for column in ALL_COLUMNS)


def test_one_row_says_all_that_a_prefix_can_cost() -> None:
    row = row_of(tiers="0.50@60 0.25@300", cap="9.99", treatment="Blocked")
    expected = Terms(
        "UK", 1_000_000, 0, 60, 60, (Tier(60, 500_000), Tier(300, 250_000)), 9_990_000,
        Treatment.BLOCKED,
    )  # fmt: skip
    assert parse_deck(f"{FULL}\n{row}\n") == table(("44", expected))


def test_a_tier_that_changes_nothing_is_left_out() -> None:
    one, other = (parse_deck(f"{FULL}\n{row_of(tiers=t)}\n") for t in ("1@60 2@90 2@95", "2@90"))
    assert one == other


@pytest.mark.parametrize("treatment", ["free", "blocked"])
def test_what_is_free_or_blocked_needs_no_rate(treatment: str) -> None:
    content = f"{FULL}\n{row_of(rate='', treatment=treatment, first_increment_seconds='30')}\n"
    (_, _, _, terms) = next(iter(parse_deck(content)))
    expected = {"free": Treatment.FREE, "blocked": Treatment.UNPRICED}
    assert terms == Terms("UK", 0, 0, 1, 1, treatment=expected[treatment])


def test_short_codes_are_prefixes_of_their_own() -> None:
    content = "prefix,destination,rate\nshort:112 SHORT:* short:000,Codes,0\n112,Egypt,1\n"
    codes = Terms("Codes", 0, 0, 60, 60)
    expected = table(
        ("short:112", codes),
        ("short:", codes),
        ("short:000", codes),
        ("112", Terms("Egypt", 1_000_000, 0, 60, 60)),
    )
    assert parse_deck(content) == expected


@pytest.mark.parametrize(
    ("row", "column", "detail"),
    [
        (row_of(prefix="short:1234567"), "prefix", "write short: and at most 6 digits, or short:*"),
        (row_of(prefix="short:x"), "prefix", "'short:x' is not a short code"),
        (row_of(tiers="0.5"), "tiers", "'0.5' is not a tier; write 0.01@60"),
        (row_of(tiers="0.5@0"), "tiers", "'0.5@0' is not a tier"),
        (row_of(tiers="0.5@1.5"), "tiers", "'0.5@1.5' is not a tier"),
        (row_of(tiers="0.5@99999999"), "tiers", "is not a tier"),
        (row_of(tiers="-1@60"), "tiers", "'-1' is negative"),
        (row_of(tiers="1@60 2@60"), "tiers", "do not begin one after the other"),
        (row_of(tiers=" ".join(f"{n}@{n}" for n in range(1, 12))), "tiers", "more than 10 tiers"),
        (row_of(cap="much"), "cap", "'much' is not a price"),
        (row_of(cap="0"), "cap", "a cap of 0 makes every call free"),
        (row_of(treatment="gratis"), "treatment", "is not one of charged, free, blocked"),
        (row_of(treatment="free"), "rate", "a free destination has no price; leave it empty"),
        (row_of(treatment="free", rate="", connect_fee="1"), "connect_fee", "has no price"),
        (row_of(treatment="free", rate="", tiers="1@60"), "tiers", "has no price"),
        (row_of(treatment="free", rate="x"), "rate", "'x' is not a price"),
        (row_of(treatment="blocked", rate="", cap="1"), "cap", "nothing to add to"),
        (row_of(unit="message", tiers="1@60"), "tiers", "a message has no seconds"),
        (row_of(unit="message", cap="1"), "cap", "a message has no cost cap"),
        (row_of(window="always"), "window", "'always' cannot be read; write it like mon-fri"),
        (row_of(window="mon 08:00-08:00"), "window", "is empty; the whole day is 00:00-24:00"),
    ],
)
def test_a_bad_cell_of_the_further_columns_is_named_with_its_fix(
    row: str, column: str, detail: str
) -> None:
    [(line, where, why)] = problems(f"#time_zone,UTC\n{FULL}\n{row_of(prefix='1')}\n{row}\n")
    assert (line, where) == (4, column)
    assert detail in why


def test_every_bad_cell_of_a_full_row_is_named_at_once() -> None:
    cells = ("x", "x", "x", "", "x", "x", "x", "x", "x", "x", "x", "x")
    found = problems(f"{FULL}\n{','.join(cells)}\n")
    assert [column for _, column, _ in found] == list(ALL_COLUMNS)


BASE, EVENING = row_of(), row_of(window="18:00-08:00", rate="0.5")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [FULL, BASE, EVENING],
            [(3, "window", "add a line #time_zone,Europe/Berlin above the header")],
            id="windows need a zone",
        ),
        pytest.param(
            ["#time_zone,Mars/Olympus", FULL, BASE],
            [(1, "#time_zone", "is not an IANA time zone")],
            id="that exists",
        ),
        pytest.param(
            ["#time_zone,UTC", FULL, EVENING],
            [(3, "window", "44 has no price outside its windows; add a row without a window")],
            id="and a price for the rest of the week",
        ),
        pytest.param(
            ["#time_zone,UTC", FULL, BASE, EVENING, row_of(window="mon 07:59-09:00")],
            [(5, "window", "44 has an overlapping window on line 4; move one of them")],
            id="and must not overlap",
        ),
        pytest.param(
            ["#time_zone,UTC", "#time_zone,UTC", FULL, BASE],
            [(2, "#time_zone", "stands there twice")],
            id="one zone",
        ),
        pytest.param(
            ["#schema,3", FULL, BASE],
            [(1, "#schema", "is no form of deck known here")],
            id="a younger form",
        ),
        pytest.param(
            ["#colour,red", FULL, BASE], [(1, "'#colour'", "unknown setting")], id="no setting"
        ),
        pytest.param(
            ["#time_zone,UTC,EST", FULL, BASE],
            [(1, "'#time_zone'", "more than one value")],
            id="two values",
        ),
        pytest.param(["#time_zone,UTC"], [(1, "", "empty; begin with the header")], id="no header"),
    ],
)
def test_settings_and_windows_are_checked(
    lines: list[str], expected: list[tuple[int, str, str]]
) -> None:
    found = problems("\n".join(lines))
    assert [(line, column) for line, column, _ in found] == [e[:2] for e in expected]
    assert all(e[2] in detail for e, (_, _, detail) in zip(expected, found, strict=True))


def test_settings_are_read_as_spreadsheets_write_them() -> None:
    content = f" #Time_Zone , Europe/Berlin{',' * 10}\n#schema,2\n{FULL}\n{BASE}\n{EVENING}\n"
    assert parse_deck(content).time_zone == "Europe/Berlin"


def test_a_zone_without_windows_changes_nothing() -> None:
    plain = f"{FULL}\n{BASE}\n"
    assert parse_deck(f"#time_zone,Europe/Berlin\n{plain}") == parse_deck(plain)


# The stored form

NAMES = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12)


@st.composite
def rows_of_terms(draw: st.DrawFn, unit: Unit = VOICE) -> Terms:
    """Whatever one row can say, in its one spelling."""
    name = draw(NAMES)
    treatment = draw(st.sampled_from([Treatment.CHARGED, Treatment.CHARGED, *Treatment]))
    if treatment in (Treatment.FREE, Treatment.UNPRICED):
        return Terms(name, 0, 0, 1, 1, treatment=treatment)
    price = draw(st.integers(0, 10**12 - 1))
    if unit is MESSAGES:
        return Terms(name, price, 0, 1, 1, treatment=treatment)
    tiers: list[Tier] = []
    for after in sorted(draw(st.sets(st.integers(1, 10**7), max_size=3))):
        before = tiers[-1].rate_micros if tiers else price
        tiers.append(Tier(after, draw(st.integers(0, 10**6)) + before // 2 + 1))
        if tiers[-1].rate_micros == before:
            tiers.pop()
    return Terms(
        name,
        price,
        draw(st.integers(0, 10**6)),
        draw(st.integers(1, 86_400)),
        draw(st.integers(1, 86_400)),
        tuple(tiers),
        draw(st.none() | st.integers(1, 10**9)),
        treatment,
    )


WEEK = [parse_window(text) for text in ("mon-fri 08:00-18:00", "sat", "sun 06:00-09:30")]
PREFIXES = st.from_regex(r"([1-9][0-9]{0,14})?|short:[0-9]{0,6}", fullmatch=True)


@st.composite
def tables(draw: st.DrawFn) -> RateTable:
    prices: dict[tuple[Unit, DirectionOrAny], dict[str, Terms]] = {}
    keys = st.tuples(st.sampled_from(Unit), st.sampled_from([*Direction, None]))
    # Few distinct terms over many prefixes, as in a carrier's deck.
    terms = {unit: draw(st.lists(rows_of_terms(unit), min_size=1, max_size=4)) for unit in Unit}
    windows = draw(st.lists(st.sampled_from(WEEK), unique=True, max_size=2))
    for key, prefix in draw(st.lists(st.tuples(keys, PREFIXES), min_size=1, max_size=20)):
        rows = st.sampled_from(terms[key[0]])
        own = draw(st.booleans()) and sorted((window, draw(rows)) for window in windows)
        prices.setdefault(key, {})[prefix] = draw(rows)._replace(windows=tuple(own or ()))
    has_windows = any(row.windows for table in prices.values() for row in table.values())
    return RateTable(prices, "Europe/Berlin" if has_windows else "UTC")


@FEW
@given(tables())
def test_the_stored_form_parses_back_to_the_same_prices(rates: RateTable) -> None:
    stored = serialise_deck(rates)
    assert parse_deck(stored) == rates == load_deck(stored) == load_deck(stored.encode())
    assert serialise_deck(parse_deck(stored.encode())) == stored


@FEW
@given(tables(), st.randoms(use_true_random=False))
def test_rows_in_any_order_have_one_digest(rates: RateTable, source: random.Random) -> None:
    stored = serialise_deck(rates)
    top = [row for row in csv.reader(io.StringIO(stored)) if row[0].startswith("#")]
    header, *rows = list(csv.reader(io.StringIO(stored)))[len(top) :]
    apart = [[*row[:2], prefix, *row[3:]] for row in rows for prefix in row[2].split()]
    source.shuffle(apart)
    shuffled = io.StringIO()
    csv.writer(shuffled).writerows([*top, header, *apart])
    assert deck_digest(serialise_deck(parse_deck(shuffled.getvalue()))) == deck_digest(stored)


def test_another_price_has_another_digest() -> None:
    dearer = UK._replace(rate_micros=12_501)
    one, other = (serialise_deck(table(("44", terms))) for terms in (UK, dearer))
    assert deck_digest(one) != deck_digest(other)


def test_the_stored_form_is_one_row_for_each_price() -> None:
    rates = table(("4420", UK), ("", UK), ("44", UK))
    assert serialise_deck(rates) == f"{HEADER}\nvoice,outbound,* 44 4420,UK,0.0125,0,60,60\n"


def test_a_plain_deck_keeps_the_digest_it_had_before_there_were_further_columns() -> None:
    content = "prefix,destination,rate\n44 4420,UK,0.0125\n*,World,0.5\n"
    stored = serialise_deck(parse_deck(content))
    assert stored.startswith(HEADER)
    assert (
        deck_digest(stored)
        == deck_digest(stored.encode())
        == ("4e5ca911317405509a2efe05c1246e6064664d538eedf84c3e14f0de4948461f")
    )


def test_what_a_plain_deck_cannot_say_is_stored_with_its_schema() -> None:
    lines = [
        "#time_zone,Europe/Berlin",
        FULL,
        BASE,
        EVENING,
        row_of(prefix="short:112", tiers="2@9"),
    ]
    assert serialise_deck(parse_deck("\n".join(lines))).splitlines() == [
        "#schema,2",
        "#time_zone,Europe/Berlin",
        FULL,
        "voice,outbound,44,UK,0.5,0,60,60,,,,00:00-08:00 18:00-24:00",
        "voice,outbound,44,UK,1,0,60,60,,,,",
        "voice,outbound,short:112,UK,1,0,60,60,2@9,,,",
    ]


def test_a_price_of_very_many_prefixes_is_split_over_rows() -> None:
    rates = table(*((str(10**14 + n), UK) for n in range(10 * PREFIXES_PER_ROW + 1)))
    stored = serialise_deck(rates)
    assert stored.count("\n") == 1 + 10 + 1
    assert parse_deck(stored) == rates


# Anything else


def accepted_or_refused(content: str | bytes) -> None:
    try:
        prices, found = len(parse_deck(content)), 0
    except DeckError as error:
        prices, found = 0, len(error.problems)
    assert (prices > 0) != (0 < found <= MAX_PROBLEMS)


@FEW
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_worse(content: str | bytes) -> None:
    accepted_or_refused(content)


CELL = st.text(st.sampled_from("0149.,+-*eE\"'\n\r\t \x00\u2028\ud800٤voicemgany"), max_size=8)


@FEW
@given(st.lists(st.lists(CELL, min_size=3, max_size=3).map(",".join), max_size=6))
def test_garbage_under_a_good_header_is_refused_and_nothing_worse(rows: list[str]) -> None:
    accepted_or_refused("\n".join(["prefix,destination,rate", *rows]))


def mutations(content: bytes, source: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        position, length = source.randrange(len(content)), source.randrange(3)
        yield content[:position] + source.randbytes(length) + content[position + length :]


def test_mutations_of_a_good_deck_are_read_or_refused() -> None:
    rows = [f",any,{n} {n}1,Land {n},0.{n},0.01,{n},6" for n in range(10, 16)]
    good = "\n".join([HEADER, *rows, "message,,*,World,0.01,,,"]).encode()
    full = "\n".join(
        ["#time_zone,Europe/Berlin", FULL, BASE, EVENING, row_of(prefix="short:1", tiers="2@9")]
    ).encode()
    for deck in (good, full):
        for mutated in mutations(deck, random.Random(7), 2_000):
            accepted_or_refused(mutated)


def test_a_cell_larger_than_csv_takes_is_refused() -> None:
    [(line, _, _)] = problems("prefix,destination,rate\n1," + "x" * 200_000 + ",1\n")
    assert line == 2


def test_a_window_that_is_longer_in_our_own_words_is_read_back() -> None:
    """People name days together; what is stored says every day apart."""
    written = (
        "sat thu wed mon sun tue 04:27-04:47; sun sat thu tue fri 22:24-03:01;"
        " mon sun tue fri 07:59-12:28"
    )
    assert len(written) < 200 < len(str(parse_window(written)))
    rates = parse_deck(f"#time_zone,UTC\n{FULL}\n{BASE}\n{row_of(window=written)}\n")
    stored = serialise_deck(rates)
    assert serialise_deck(load_deck(stored)) == stored
