"""The order of I/O: each operation is one generator that yields effects and is sent their results.

    start, resend               `otpcore.flows.sending`
    check                       `otpcore.flows.checking`, and of a provider-owned code `otpcore.flows.asking`
    cancel, status,
    forget, unlock              `otpcore.flows.ending`
    receipt                     `otpcore.flows.receiving`; `redelivering` sends again where a message did not arrive
    claim_scopes                `otpcore.flows.opening`, once when an engine first works
    failed                      `otpcore.flows.finding`, when one of the others raised

The way of a send, in the order in which it is gone:

    what is asked for           `wish`, and whether it was asked for before: `repeating`
    through whom                `planning`, and what the record allows of that: `moving`
    reserve, then send          `delivering`; what is reserved: `reserving`; the words: `wording`

and what every flow stands on:

    one decision, one commit    `transact`
    which session is meant      `finding`
    the recipient, kept sealed  `keeping`
    what became of a code       `reporting`, for the provider that carried it
    what a flow is given        `setup`
    resend records              `counting`, for `otpcore.legacy` alone

A flow is written once and driven twice, by the blocking and by the awaiting engine. What it decides, it
asks `otpcore.policy`; what changes, it asks `otpcore.ledger`; here is only what happens before what:
**reserve, then send; claim, then ask; commit, then tell.** A crash between any two steps costs a send or a
try and never gives one.

Rules of this package: no clock, no entropy, no I/O: they are effects and arguments.
"""

from otpcore.flows.checking import check
from otpcore.flows.ending import cancel, forget, status, unlock
from otpcore.flows.finding import failed
from otpcore.flows.opening import claim_scopes
from otpcore.flows.receiving import receipt
from otpcore.flows.sending import resend, start
from otpcore.flows.setup import Flow, ProviderTerms, Setup

__all__ = [
    "Flow",
    "ProviderTerms",
    "Setup",
    "cancel",
    "check",
    "claim_scopes",
    "failed",
    "forget",
    "receipt",
    "resend",
    "start",
    "status",
    "unlock",
]
