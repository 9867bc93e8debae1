"""Secrets the deployment made for itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


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
