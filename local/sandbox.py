"""The sandbox gateway's webhooks on this machine: what they are signed with."""

from local.deploy import ClientFactory, Outputs


def webhook_secret(client: ClientFactory, outputs: Outputs) -> str:
    """The secret the stack made for itself when it was deployed."""
    found = client("secretsmanager").get_secret_value(SecretId=outputs["SandboxWebhookSecretArn"])
    return str(found["SecretString"])
