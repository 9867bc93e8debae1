"""What the scripts beside this one share: a request, the official verdict on it, and the file.

Each script needs its provider's SDK, which the project does not install; its docstring names it.
The files are committed, so that the tests need no SDK.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

TARGET = Path(__file__).parents[2] / "tests" / "vectors"

URL = "https://billing.example.com/webhooks/usage/acme"
NOW = datetime(2026, 11, 22, 12, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Sent:
    """A request as it arrives, and the secrets of the connection it arrives at."""

    headers: Mapping[str, str]
    body: bytes
    secrets: tuple[str, ...]
    method: str = "POST"
    url: str = URL
    received_at: datetime = NOW


@dataclass
class Recording:
    """The vectors of one provider.

    Args:
        package: The SDK's name in its registry.
        official: The SDK's verdict on a request under one secret; False if it raises.
    """

    package: str
    official: Callable[[Sent, str], bool]
    vectors: list[dict[str, object]] = field(default_factory=list)

    def add(self, name: str, sent: Sent, accepted: bool, differs: str = "") -> None:
        """Record a request with both verdicts: the SDK's, and the one we have to reach.

        Args:
            differs: Why ours is another than the SDK's. The two are checked to agree without it.
        """
        official = any(self.official(sent, secret) for secret in sent.secrets)
        if (official == accepted) is bool(differs):
            raise SystemExit(f"{self.package}: {name!r}: the SDK says {official}")
        self.vectors.append(
            {
                "name": name,
                "method": sent.method,
                "url": sent.url,
                "headers": dict(sent.headers),
                "body_base64": base64.b64encode(sent.body).decode(),
                "secrets": list(sent.secrets),
                "received_at": sent.received_at.isoformat(),
                "official": official,
                "accepted": accepted,
                "differs": differs,
            }
        )

    def write(self, provider: str) -> None:
        document = {"made_with": f"{self.package} {version(self.package)}", "vectors": self.vectors}
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        (TARGET / f"{provider}.json").write_text(text, encoding="ascii")
        print(f"{provider}: {len(self.vectors)} vectors of {document['made_with']}")  # noqa: T201
