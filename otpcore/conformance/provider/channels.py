"""What a provider declares to serve: each of its channels is tried, not only the usual one.

Rules of this file: as for `otpcore.conformance.provider.contract`.
"""

from __future__ import annotations

from dataclasses import replace

from otpcore.conformance.provider.checks import CHANNELS, Checks
from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.vendor import Vendor
from otpcore.ports import Accepted, FailureKind, SendEffect, SendRequest

__all__ = ["ChannelChecks"]

UNSERVED = (FailureKind.CHANNEL_UNREACHABLE, FailureKind.CONTENT_REJECTED, FailureKind.INVALID_RECIPIENT)
"""What a provider says of a channel that it does not serve."""


class ChannelChecks(Checks):
    """The part of the provider kit that is about channels."""

    def test_each_declared_channel_is_one_that_is_known(self, driven: Driven) -> None:
        """An application asks for a channel by its name, so two providers call the same thing the same."""
        unknown = driven.provider.capabilities.channels - CHANNELS - self.own_channels
        assert not unknown, (
            f"it declares {', '.join(sorted(unknown))}; the core's channels are {', '.join(sorted(CHANNELS))}. "
            "Name one that is the vendor's own in `own_channels`, and say in the documentation what it is"
        )

    def test_each_declared_channel_is_served(self, driven: Driven, server: Vendor) -> None:
        """A send on it reaches the wire, or is refused for another reason than that it cannot be."""
        for channel in sorted(driven.provider.capabilities.channels):
            before = len(server.requests)
            outcome = driven.send(self._on(channel, self.send_request(driven.provider)))
            assert not driven.raised, (channel, driven.raised)
            if isinstance(outcome, Accepted):
                assert len(server.requests) == before + 1, f"{channel}: {server.requests[before:]}"
            else:
                assert outcome.effect is SendEffect.NOT_SENT, (channel, outcome)
                assert outcome.kind not in UNSERVED, f"it declares {channel} and does not serve it: {outcome}"

    def _on(self, channel: str, request: SendRequest) -> SendRequest:
        """The same send on another channel, to a recipient that the channel reaches."""
        by_mail = channel == "email"
        if by_mail is not ("@" in request.recipient):
            request = replace(request, recipient=self.address if by_mail else Checks.recipient)
        request = replace(request, channel=channel)
        return request if request.message is None else self.with_words(request)
