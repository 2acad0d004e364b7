"""The parts of boto3 and botocore that are used here.

Neither carries types, so this is the one place where they are named, as Any.

Rules of this file: imports and names. It is imported at the first use of a provider.
"""

from __future__ import annotations

from typing import Any

import boto3.session  # type: ignore[import-untyped]  # carries no types
import botocore.awsrequest  # type: ignore[import-untyped]  # carries no types
import botocore.config  # type: ignore[import-untyped]  # carries no types
import botocore.credentials  # type: ignore[import-untyped]  # carries no types
import botocore.exceptions  # type: ignore[import-untyped]  # carries no types
import botocore.httpsession  # type: ignore[import-untyped]  # carries no types
import botocore.loaders  # type: ignore[import-untyped]  # carries no types
import botocore.session  # type: ignore[import-untyped]  # carries no types
import botocore.utils  # type: ignore[import-untyped]  # carries no types

__all__ = [
    "BotoSession",
    "Config",
    "CredentialResolver",
    "Credentials",
    "HTTPClientError",
    "Loader",
    "NoCredentialsError",
    "RefreshableCredentials",
    "Response",
    "Session",
    "certificates_at",
    "proxies_of_environment",
]

_boto3: Any = boto3
_botocore: Any = botocore

BotoSession: Any = _boto3.session.Session
Config: Any = _botocore.config.Config
CredentialResolver: Any = _botocore.credentials.CredentialResolver
Credentials: Any = _botocore.credentials.Credentials
HTTPClientError: Any = _botocore.exceptions.HTTPClientError
Loader: Any = _botocore.loaders.Loader
NoCredentialsError: Any = _botocore.exceptions.NoCredentialsError
RefreshableCredentials: Any = _botocore.credentials.RefreshableCredentials
Response: Any = _botocore.awsrequest.AWSResponse
Session: Any = _botocore.session.Session
certificates_at: Any = _botocore.httpsession.get_cert_path
proxies_of_environment: Any = _botocore.utils.get_environ_proxies
