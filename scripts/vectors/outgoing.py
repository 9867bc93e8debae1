"""Write tests/vectors/outgoing.json: webhooks as the official Standard Webhooks library signs them.

pip install 'standardwebhooks==1.1.0' && python -m scripts.vectors.outgoing
"""

import base64
import json
from datetime import UTC, datetime
from importlib.metadata import version

from standardwebhooks.webhooks import Webhook  # type: ignore[import-not-found]

from scripts.vectors.recording import TARGET

BODIES = {
    "an event": '{"specversion":"1.0","type":"balance.low"}',
    "an empty object": "{}",
    "letters of other alphabets": '{"name":"Grüße 電話"}',
    "what looks like the separator": '{"a":"1.2.3"}',
}
SECRETS = {
    "of 24 bytes": "whsec_" + base64.b64encode(b"a" * 24).decode(),
    "of 32 bytes": "whsec_" + base64.b64encode(bytes(range(32))).decode(),
    "of 64 bytes": "whsec_" + base64.b64encode(bytes(range(64))).decode(),
}
TIMES = {
    "noon": datetime(2026, 3, 14, 12, tzinfo=UTC),
    "half a second later": datetime(2026, 3, 14, 12, 0, 0, 500_000, tzinfo=UTC),
}


def main() -> None:
    vectors = []
    for of_body, body in BODIES.items():
        for of_secret, secret in SECRETS.items():
            for of_time, at in TIMES.items():
                webhook, webhook_id = Webhook(secret), "evt_" + "0f" * 16
                signature = webhook.sign(webhook_id, at, body)
                vectors.append(
                    {
                        "name": f"{of_body}, a secret {of_secret}, {of_time}",
                        "webhook_id": webhook_id,
                        "at": at.isoformat(),
                        "timestamp": str(int(at.timestamp())),
                        "body": body,
                        "secret": secret,
                        "signature": signature,
                    }
                )
    made_with = f"standardwebhooks {version('standardwebhooks')}"
    text = json.dumps({"made_with": made_with, "vectors": vectors}, indent=2, sort_keys=True)
    (TARGET / "outgoing.json").write_text(text + "\n", encoding="ascii")
    print(f"outgoing: {len(vectors)} vectors of {made_with}")  # noqa: T201


if __name__ == "__main__":
    main()
