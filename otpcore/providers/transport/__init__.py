"""What the transport below a vendor's SDK is made of: one request on the wire, one deadline over the whole call.

A provider opens an attempt around a call of the SDK, the transport finds it, and what became of it is read there:

    with under_way(Attempt.lasting(request.timeout_s)) as attempt:
        try:
            message = sdk.messages.create(…)
        except Exception as error:
            if attempt.status is None:                        # no answer: NOT_SENT, or UNKNOWN
                return attempt.unanswered("Heron", error)
            return failure_of(error, attempt)                 # the vendor's own words, its provider's business
        return Accepted(message.id)

The transport itself is the `Wire` of `otpcore.providers.transport.requests`, for an SDK that is built on requests; one
that is built on urllib3 alone gets the pools of `otpcore.providers.transport.urllib3`. Both libraries come with the
SDK: this package imports neither.

Rules of this package: no vendor, no SDK; nothing of a request is logged.
"""

from __future__ import annotations

from otpcore.providers.transport.attempt import LARGEST_ANSWER, Attempt, WireFailure, is_not_ours, under_way
from otpcore.providers.transport.origin import Origin, is_loopback
from otpcore.providers.transport.per_process import PerProcess

__all__ = [
    "LARGEST_ANSWER",
    "Attempt",
    "Origin",
    "PerProcess",
    "WireFailure",
    "is_loopback",
    "is_not_ours",
    "under_way",
]
