"""Every provider whose webhooks are understood. A new one is a module and a line here."""

from collections.abc import Mapping

from billing.adapters.telephony.bandwidth import Bandwidth
from billing.adapters.telephony.pbx import Pbx
from billing.adapters.telephony.plivo import Plivo
from billing.adapters.telephony.signalwire import SignalWire
from billing.adapters.telephony.telnyx import Telnyx
from billing.adapters.telephony.twilio import Twilio
from billing.adapters.telephony.vonage import Vonage
from billing.ports import TelephonyProvider

PROVIDERS: Mapping[str, TelephonyProvider] = {
    "bandwidth": Bandwidth(),
    "pbx": Pbx(),
    "plivo": Plivo(),
    "signalwire": SignalWire(),
    "telnyx": Telnyx(),
    "twilio": Twilio(),
    "vonage": Vonage(),
}
