"""What can be counted, and which way it went."""

from enum import StrEnum


class Unit(StrEnum):
    """What usage is counted in. A grant, a rate and an event speak of the same unit."""

    VOICE_SECONDS = "voice_seconds"
    MESSAGES = "messages"


class Direction(StrEnum):
    """Seen from the tenant: a call placed is outbound, a call taken is inbound."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
