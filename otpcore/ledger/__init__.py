"""How the recipient record changes: each function takes a record and gives the next one.

    catch_up        what time alone has done: leases, expiries, a clock set back
    reserve         a send takes its step of the ladder, before the provider is called
    hand_over       a send goes on to another provider, before that one is called
    follow          a send that did not arrive is followed by another, before that provider is called
    settle_send     the provider's answer: a code goes live, a step is given back, or nobody knows
    receive         a vendor's receipt: whether the message arrived, and nothing else
    adopt           the verification that the provider speaks of is the session's
    left_open       a verification outlives its session, and stays known
    stopped, lifted nobody but the provider that said so is asked for this recipient, until it accepts
    claim           a try is spent, before the provider is asked
    settle_check    found wrong, lost, or never made
    approve, end    the session leaves `pending`, once
    forget, unlock  what an owner and an operator may undo
    next_actions    what can be done from here
    count_send      a resend record of the legacy facade counts one more
    tidy, gc_at     what is written, and when nothing in it counts any more

Rules of this package: arithmetic on records, nothing else: no store, no provider, no decision whether
(`otpcore.policy`), no order of I/O (`otpcore.flows`). An operation's id goes into the record with its
effect, so that after a lost answer "was it applied" is a question about the record.
"""

from otpcore.ledger.checks import claim, settle_check
from otpcore.ledger.clock import CaughtUp, catch_up, gc_at, tidy
from otpcore.ledger.counting import count_send, waits_until
from otpcore.ledger.sends import adopt, asked_at, follow, hand_over, left_open, receive, reserve, settle_send
from otpcore.ledger.sessions import (
    Carrier,
    approve,
    carrier,
    checks_left,
    claims_open,
    end,
    forget,
    handle_ended,
    next_actions,
    siblings,
    unlock,
    with_session,
)
from otpcore.ledger.stops import lifted, stop_of, stopped

__all__ = [
    "Carrier",
    "CaughtUp",
    "adopt",
    "approve",
    "asked_at",
    "carrier",
    "catch_up",
    "checks_left",
    "claim",
    "claims_open",
    "count_send",
    "end",
    "follow",
    "forget",
    "gc_at",
    "hand_over",
    "handle_ended",
    "left_open",
    "lifted",
    "next_actions",
    "receive",
    "reserve",
    "settle_check",
    "settle_send",
    "siblings",
    "stop_of",
    "stopped",
    "tidy",
    "unlock",
    "waits_until",
    "with_session",
]
