"""Example for otpcore: delivers codes of the core over the vendor's REST API.

Rules of this file: what to ask, and what the answer means; no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, Field, SecretStr

from otpcore.hookspecs import ProviderType, hookimpl
from otpcore.ports import Accepted, CodeOwner, Failure, FailureKind, ProviderCapabilities, SendRequest
from otpcore.providers.http import KINDS, HttpRequest, HttpResponse, awaited, blocking, failure, url_of

MEANINGS = {**KINDS, "bad_number": FailureKind.INVALID_RECIPIENT, "stopped": FailureKind.OPTED_OUT}
"""What statuses mean (numbers), and the vendor's own codes (strings)."""


class ExampleSettings(BaseModel):
    """Settings of `example`."""

    key: SecretStr = Field(description="the key of the API")
    origin: str = Field(default="https://api.example.example", description="where the API is")


class ExampleApi:
    """The vendor's API: `POST /messages` takes a text, and answers with the id of the message."""

    capabilities = ProviderCapabilities(frozenset({CodeOwner.CORE}), frozenset({"sms"}))

    def __init__(self, settings: ExampleSettings) -> None:
        self._settings = settings

    def request(self, request: SendRequest) -> HttpRequest:
        """What to ask for this send."""
        return HttpRequest(
            "POST",
            url_of(self._settings.origin, "messages"),
            headers={"Authorization": f"Bearer {self._settings.key.get_secret_value()}"},
            json={
                "to": request.recipient,
                "text": request.message.text if request.message else f"Your code is {request.code}.",
                "reference": request.send_id,
            },
        )

    def parse(self, _request: SendRequest, response: HttpResponse) -> Accepted | Failure:
        """What the answer means; whatever is raised here is an answer that nobody can use."""
        if response.is_success:
            return Accepted(handle=response.document["id"])
        return failure(response, MEANINGS, code=response.said("error"))


@hookimpl
def otpcore_providers() -> Iterable[ProviderType]:
    """The provider type `example`, in both colours."""
    api, settings = ExampleApi, ExampleSettings
    about = "example", "sends codes with Example", settings
    return (ProviderType(*about, lambda given: blocking(api(given)), lambda given: awaited(api(given))),)
