"""The SDK's client for one service: no retry, the deadline's transport, silence, and no host but the settings' own.

Rules of this file: it makes, it does not call; opens no connection. It is imported at the first use of a provider.
"""

from __future__ import annotations

import functools
from typing import Any

from otpcore_aws.credentials import BoundedCredentials
from otpcore_aws.quiet import quieten
from otpcore_aws.sdk import BotoSession, Config, CredentialResolver, Loader, Session
from otpcore_aws.settings import AccountSettings
from otpcore_aws.transport import DeadlineSession

__all__ = ["open_client"]

INSTANCE_METADATA = "iam-role"
"""botocore's name of the credentials that a virtual machine is given over the network."""


@functools.cache
def _models() -> Any:
    """The descriptions of AWS's services, read once: a client of its own would read 2 MB for a second."""
    return Loader()


class _Ours:
    """The one entry of a chain of credentials."""

    METHOD = "otpcore"
    CANONICAL_NAME = None

    def __init__(self, credentials: BoundedCredentials) -> None:
        self._credentials = credentials

    def load(self) -> BoundedCredentials:
        """The credentials; nothing is looked for yet."""
        return self._credentials


def open_client(service: str, settings: AccountSettings) -> Any:
    """A client of boto3 that calls once, in time and silently.

    Args:
        service: AWS's name.
        settings: judged.

    Raises:
        ProfileNotFound: no such profile is configured on this machine.
    """
    session = Session(profile=settings.profile or None)
    session.register_component("data_loader", _models())
    config = Config(
        region_name=settings.region,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=settings.timeout_s,
        read_timeout=settings.timeout_s,
        ignore_configured_endpoint_urls=True,
        parameter_validation=True,
    )
    given: dict[str, str] = {}
    if settings.access_key_id:
        given = {
            "aws_access_key_id": settings.access_key_id,
            "aws_secret_access_key": settings.secret("secret_access_key"),
            "aws_session_token": settings.secret("session_token"),
        }
        given = {name: value for name, value in given.items() if value}
    else:
        chain: Any = session.get_component("credential_provider")
        if not settings.instance_metadata:
            chain.remove(INSTANCE_METADATA)
        bounded = BoundedCredentials(chain.load_credentials, settings.timeout_s)
        session.register_component("credential_provider", CredentialResolver([_Ours(bounded)]))
    made = BotoSession(botocore_session=session)
    client: Any = made.client(service, config=config, endpoint_url=settings.endpoint_url or None, **given)
    ca_bundle: str | None = session.get_config_variable("ca_bundle")
    ours = DeadlineSession(settings.timeout_s, direct=settings.is_loopback, ca_bundle=ca_bundle)
    client._endpoint.http_session = ours  # noqa: SLF001  # a client takes no session of its user's otherwise
    quieten()
    return client
