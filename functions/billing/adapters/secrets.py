"""Secrets of the deployment: some it made for itself, others people put in and change."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from billing.domain.errors import PaymentUnknownError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEPT_SECONDS = 300.0
"""How long a secret that people change is used before it is read again: five minutes, after which
every worker knows the new one."""


class StoredSecret:
    """One string, read when first asked for and kept for the life of the environment."""

    def __init__(self, arn: str, secrets_manager: "SecretsManagerClient") -> None:
        self._arn = arn
        self._secrets_manager = secrets_manager
        self._value: str | None = None

    def value(self) -> str:
        if self._value is None:
            answer = self._secrets_manager.get_secret_value(SecretId=self._arn)
            self._value = answer["SecretString"]
        return self._value


class ChangingSecret:
    """One string that people put in and change.

    Args:
        elapsed_seconds: Time that only goes forward.
    """

    def __init__(
        self,
        arn: str,
        secrets_manager: "SecretsManagerClient",
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._arn = arn
        self._secrets_manager = secrets_manager
        self._elapsed_seconds = elapsed_seconds
        self._value = ""
        self._read_at: float | None = None

    def value(self) -> str:
        """The string without blanks around it; empty where nobody has put one in yet."""
        now = self._elapsed_seconds()
        # That there is none is kept as well: strangers' requests must not read it each time.
        if self._read_at is None or now >= self._read_at + KEPT_SECONDS:
            self._value = self._read()
            self._read_at = now
        return self._value

    def values(self) -> tuple[str, ...]:
        """The strings in it, apart by blanks or line breaks: two, while one replaces the other."""
        return tuple(self.value().split())

    def _read(self) -> str:
        try:
            answer = self._secrets_manager.get_secret_value(SecretId=self._arn)
        except self._secrets_manager.exceptions.ResourceNotFoundException:
            return ""  # A secret that was made without a value has none until somebody gives it.
        return answer.get("SecretString", "").strip()


def gateway_key(secret: ChangingSecret) -> Callable[[], str]:
    """What a gateway reads its key with.

    The key it gives may raise PaymentUnknownError: there is none, or it cannot be read. Nobody was
    asked for money then, and nothing may be called declined for it.
    """

    def read() -> str:
        try:
            key = secret.value()
        except (BotoCoreError, ClientError) as error:
            raise PaymentUnknownError("the gateway's key cannot be read") from error
        if not key:
            raise PaymentUnknownError("the gateway has no key yet")
        return key

    return read
