"""The providers whose webhooks are understood, by the names that connections and keys use."""

from enum import StrEnum


class ProviderName(StrEnum):
    """One module of ``adapters/telephony`` each; its registry has exactly these."""

    BANDWIDTH = "bandwidth"
    PBX = "pbx"
    PLIVO = "plivo"
    SIGNALWIRE = "signalwire"
    TELNYX = "telnyx"
    TWILIO = "twilio"
    VONAGE = "vonage"
