"""What can be counted, and which way it went."""

import re
from enum import StrEnum

OWN_UNIT_PATTERN = "[a-z][a-z0-9_]{1,31}"
"""A unit's name: it stands in decks, catalogues, events and stored values as it is."""

_OWN_UNIT = re.compile(OWN_UNIT_PATTERN)
_DECK_NAMES = frozenset({"voice", "message"})
"""What decks call the declared units. A unit so named would be taken for one of them."""


class Unit(StrEnum):
    """What usage is counted in. A grant, a rate and an event speak of the same unit.

    Calls and messages are declared. Any other unit is named by the operator, such as
    ``Unit("recordings")``, and counted and priced by the piece, as messages are.
    """

    VOICE_SECONDS = "voice_seconds"
    MESSAGES = "messages"

    @classmethod
    def _missing_(cls, value: object) -> "Unit | None":
        # Not kept among the members, or whoever sends names could fill the memory: so two of one
        # name are equal, and not the same object. Compare units with ==.
        if not isinstance(value, str) or value in _DECK_NAMES or not _OWN_UNIT.fullmatch(value):
            return None
        unit = str.__new__(cls, value)
        unit._name_ = value.upper()
        unit._value_ = value
        return unit

    @property
    def is_timed(self) -> bool:
        """Whether it is seconds, which increments round up and minutes price; if not, pieces."""
        return self is Unit.VOICE_SECONDS

    @property
    def is_own(self) -> bool:
        """Whether it is a unit of the operator's own."""
        return self not in (Unit.VOICE_SECONDS, Unit.MESSAGES)


Metered = tuple[tuple[Unit, int, int], ...]
"""Units of the operator's own by name, with the quantity and what grants paid for of it."""


def metered_plus(metered: Metered, *added: tuple[Unit, int, int]) -> Metered:
    """Both together, sorted. A unit of which nothing is left is left out."""
    sums = {unit: (quantity, granted) for unit, quantity, granted in metered}
    for unit, quantity, granted in added:
        before = sums.get(unit, (0, 0))
        sums[unit] = (before[0] + quantity, before[1] + granted)
    return tuple((unit, *sums[unit]) for unit in sorted(sums) if sums[unit] != (0, 0))


class Direction(StrEnum):
    """Seen from the tenant: a call placed is outbound, a call taken is inbound."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
