"""Sign callbacks as Twilio does, for the simulator. Shares nothing with the code that checks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode


def signed_callback(
    url: str, auth_token: str, params: Mapping[str, str]
) -> tuple[dict[str, str], bytes]:
    """A form callback to ``url``: its headers and its body.

    Args:
        url: The public URL, as the receiver has it configured.
        auth_token: The connection's secret.
        params: The callback's fields.
    """
    text = url + "".join(name + params[name] for name in sorted(params))
    mac = hmac.new(auth_token.encode(), text.encode(), hashlib.sha1)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "User-Agent": "TwilioProxy/1.1",
        "X-Twilio-Signature": base64.b64encode(mac.digest()).decode(),
    }
    return headers, urlencode(params).encode()
