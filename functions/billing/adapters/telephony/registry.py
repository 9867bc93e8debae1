"""Every provider whose webhooks are understood. A new one is a module and a line here."""

from collections.abc import Mapping

from billing.adapters.telephony.twilio import Twilio
from billing.ports import TelephonyProvider

PROVIDERS: Mapping[str, TelephonyProvider] = {
    "twilio": Twilio(),
}
