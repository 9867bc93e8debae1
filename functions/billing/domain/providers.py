"""The providers whose webhooks are understood, by the names that connections and keys use."""

from enum import StrEnum


class ProviderName(StrEnum):
    """A new one is a line here and a module of that name in ``adapters/telephony``."""

    BANDWIDTH = "bandwidth"
    PBX = "pbx"
    PLIVO = "plivo"
    SIGNALWIRE = "signalwire"
    TELNYX = "telnyx"
    TWILIO = "twilio"
    VONAGE = "vonage"
