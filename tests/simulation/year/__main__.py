"""Play the year of every spender, print the table, and compare it with what docs/ shows.

``--write`` writes the table and the pictures to docs/ instead of comparing.
"""

import sys
from functools import partial
from pathlib import Path

from simulation.year.chart import svg
from simulation.year.report import DOCS, PAGE, Years, assert_steady, shown, table, with_table
from simulation.year.run import play
from simulation.year.spenders import DAYS, SPENDERS


def main(arguments: list[str]) -> int:
    years: Years = {
        (name, is_early): play(
            spender,
            is_early=is_early,
            progress=partial(_tell, f"{name}, early {'on' if is_early else 'off'}"),
        )
        for name, spender in SPENDERS.items()
        for is_early in (False, True)
    }
    sys.stderr.write("\n")
    sys.stdout.write(table(years))
    for is_early in (False, True):
        assert_steady(years["steady", is_early])
    pictures = {
        DOCS / f"recharge-{name}.svg": svg(name, years[name, False], years[name, True])
        for name in SPENDERS
    }
    page = PAGE.read_text()
    if arguments == ["--write"]:
        _write({PAGE: with_table(page, table(years)), **pictures})
        return 0
    differing = [path.name for path, text in pictures.items() if path.read_text() != text]
    if shown(page) != table(years):
        differing.append(PAGE.name)
    verdict = f"docs/ shows other figures: {', '.join(differing)}" if differing else "as in docs/"
    sys.stderr.write(f"{verdict}\n")
    return 1 if differing else 0


def _tell(what: str, day: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{what}: day {day} of {DAYS}".ljust(50))
    elif day + 28 > DAYS:
        sys.stderr.write(f"{what}: {day} days\n")
    sys.stderr.flush()


def _write(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
