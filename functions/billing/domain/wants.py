"""Wants: what may be asked of a quote, before anybody looks at what is held."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from billing.domain.errors import InvalidInputError, TalktimeError
from billing.domain.orders import Want, WantKind

MOST_WANTS = 20
"""More is no order that a person reads before he accepts it."""

BOUNDS = {
    WantKind.PLAN: (1, 1),
    WantKind.UNITS: (0, 100_000),
    WantKind.PACKAGE: (0, 100),
    WantKind.BUNDLE: (1, 100),
    WantKind.PRODUCT: (1, 1_000),
    WantKind.NUMBER: (1, 1),
}


def check_wants(wants: Sequence[Want]) -> None:
    """Refuse what no catalogue could answer.

    Raises:
        InvalidInputError: None or too many; a quantity out of bounds; a field of another kind of
            want; the same thing twice. Names ``wants/<i>/<field>``.
    """
    if not wants:
        raise InvalidInputError("say what is wanted", field="wants")
    if len(wants) > MOST_WANTS:
        raise InvalidInputError(f"at most {MOST_WANTS} wants in one quote", field="wants")
    seen: set[tuple[str, str]] = set()
    for index, want in enumerate(wants):
        for field, detail in _faults(want):
            raise InvalidInputError(detail, field=f"wants/{index}/{field}")
        name = _name(want)
        if name in seen:
            is_plan = want.kind is WantKind.PLAN
            raise InvalidInputError(
                "one plan at a time" if is_plan else "this is wanted twice; add them up",
                field=f"wants/{index}/{'e164' if want.e164 else 'what'}",
            )
        seen.add(name)


def _faults(want: Want) -> Iterator[tuple[str, str]]:
    least, most = BOUNDS[want.kind]
    if not least <= want.quantity <= most:
        span = str(least) if least == most else f"{least} to {most:,}"
        yield "quantity", f"of a {want.kind} the quantity is {span}"
    if want.interval is not None and want.kind is not WantKind.PLAN:
        yield "interval", "only a plan has an interval"
    if want.kind is not WantKind.NUMBER:
        if want.e164:
            yield "e164", "is for a number"
        if want.capabilities:
            yield "capabilities", "are for a number"
    elif not want.e164:
        yield "e164", "says which number"


def _name(want: Want) -> tuple[str, str]:
    """What there is once in a quote."""
    if want.kind is WantKind.PLAN:
        return (want.kind, "")
    return (want.kind, want.e164 or want.what)


@contextmanager
def named(index: int) -> Iterator[None]:
    """Whatever is refused of one want names it, and its own field or else what is wanted."""
    try:
        yield
    except TalktimeError as refused:
        refused.field = f"wants/{index}/{refused.field or 'what'}"
        raise
