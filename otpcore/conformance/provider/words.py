"""What the vendor reads is what was meant: words as they are, values encoded, nothing added by what a value holds.

Rules of this file: as for `otpcore.conformance.provider.contract`. A request is compared by what its vendor reads out
of it (`Checks.read`), never by its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from otpcore.conformance.provider.checks import TEXT, Checks
from otpcore.conformance.provider.driven import Driven
from otpcore.conformance.provider.requirement import Claim, needs
from otpcore.conformance.provider.vendor import Vendor
from otpcore.ports import Accepted, Failure, SendEffect, SendRequest

__all__ = ["WordsChecks"]

_SPECIAL = [
    *(
        "&injected=1",
        '","injected":"1',
        "', injected='1",
        "%0d%0aX-Injected: 1",
        "%00",
        "+ +",
        "{code}",
        "<b>",
        "\\r\\n",
    ),
    *("/../", "?injected=1#y", ";", "\u20ac", "\U0001f600", "\u0627"),
]
_PHASES = (Phase.generate,)  # to shrink what failed would ask the vendor a thousand times more
_PATIENT = (HealthCheck.too_slow, HealthCheck.filter_too_much)
_BREAKS = ["\r\nX-Injected: 1", "\n", "\r", "\x00", "a\x00b", "a\r\n.\r\nb"]

_inline = st.lists(
    st.sampled_from(_SPECIAL) | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12),
    min_size=1,
    max_size=4,
).map("".join)
_words = st.lists(_inline, min_size=1, max_size=3).map("\n".join).filter(lambda text: text == text.strip())
_hostile = st.tuples(_inline, st.sampled_from(_BREAKS), _inline).map("".join)


def _broken(read: Sequence[tuple[str, str]], words: str) -> list[str]:
    """Names under which a break arrived, the message's own lines aside, and names that a value has made."""
    told = [(name, value.replace(words, "") if words else value) for name, value in read]
    return [
        name
        for name, value in told
        if any(each in name + value for each in "\r\n\x00") or name.lower().endswith("injected")
    ]


class WordsChecks(Checks):
    """The part of the provider kit that is about what a vendor reads."""

    def _names(self, read: Sequence[tuple[str, str]]) -> list[str]:
        return sorted(name for name, _ in read)

    def _plain(self, driven: Driven, server: Vendor, request: SendRequest) -> list[str]:
        """The names that a vendor reads where every value is plain."""
        before = len(server.requests)
        assert isinstance(driven.send(request), Accepted)
        return self._names(self.read(server.requests[before]))

    def _sent(self, driven: Driven, server: Vendor, request: SendRequest) -> tuple[Any, Sequence[tuple[str, str]]]:
        """The outcome, and what the vendor read; empty where nothing arrived."""
        before = len(server.requests)
        outcome = driven.send(request)
        arrived = server.requests[before:]
        assert len(arrived) <= 1, arrived
        return outcome, self.read(arrived[0]) if arrived else ()

    @needs(Claim.WORDS)
    def test_the_words_of_the_core_arrive_as_they_are(self, driven: Driven, server: Vendor) -> None:
        """Line by line, for the last line may be one that a browser reads."""
        outcome, read = self._sent(driven, server, self.send_request_of_the_core(driven))
        assert isinstance(outcome, Accepted), outcome
        names = ", ".join(name for name, _ in read)
        assert any(value == TEXT for _, value in read), (
            f"the words are whole under no name that the vendor reads: {names}"
        )

    @needs(Claim.DELIVERS)
    def test_a_code_of_the_core_without_words_is_no_accident(self, driven: Driven, server: Vendor) -> None:
        """A caller without the core has no words: the provider has some of its own, or says no."""
        request = replace(self.send_request_of_the_core(driven), message=None)
        outcome, read = self._sent(driven, server, request)
        assert not driven.raised, driven.raised
        if isinstance(outcome, Accepted):
            assert any(self.code in value for _, value in read), "it was sent without the code"
        else:
            assert isinstance(outcome, Failure)
            assert outcome.effect is SendEffect.NOT_SENT, outcome

    @needs(Claim.WORDS)
    def test_whatever_the_words_hold_the_vendor_reads_them(self, driven: Driven, server: Vendor) -> None:
        """Fuzzed words: one value, whole, under the names of a plain request; nothing is cut, repaired or added."""
        request = self.send_request_of_the_core(driven)
        plain = self._plain(driven, server, request)

        @settings(deadline=None, database=None, phases=_PHASES, suppress_health_check=_PATIENT)
        @given(text=_words)
        def arrives(text: str) -> None:
            outcome, read = self._sent(driven, server, self.with_words(request, text))
            if isinstance(outcome, Failure):
                assert outcome.effect is SendEffect.NOT_SENT, outcome
                assert not read, "it was refused and sent"
                return
            assert text in [value for _, value in read], read
            assert self._names(read) == plain, read

        arrives()

    def test_no_value_can_add_to_a_request(self, driven: Driven, server: Vendor) -> None:
        """Fuzzed purpose, locale, source and region: the same names arrive, and no CR, LF or NUL in any value.

        What holds one is refused as not sent, or is not handed to the vendor.
        """
        request = self.send_request(driven.provider)
        words = request.message.text if request.message else ""
        plain = self._plain(driven, server, replace(request, locale="en", source="s", region="US"))
        values = st.fixed_dictionaries(dict.fromkeys(("purpose", "locale", "source", "region"), _inline | _hostile))

        @settings(deadline=None, database=None, phases=_PHASES, suppress_health_check=_PATIENT)
        @given(values=values)
        def adds_nothing(values: dict[str, Any]) -> None:
            outcome, read = self._sent(driven, server, replace(request, **values))
            if isinstance(outcome, Failure):
                assert outcome.effect is SendEffect.NOT_SENT, outcome
                assert not read, "it was refused and sent"
                return
            assert {*self._names(read)} <= {*plain}, read
            assert not _broken(read, words), _broken(read, words)

        adds_nothing()

    def test_no_parameter_can_break_a_line(self, driven: Driven, server: Vendor) -> None:
        """Fuzzed provider-specific parameters: no CR, LF or NUL arrives outside the words, and no other name."""
        request = self.send_request(driven.provider)
        words = request.message.text if request.message else ""
        names = sorted(driven.provider.capabilities.extra_names or self.extras)

        @settings(deadline=None, database=None, phases=_PHASES, suppress_health_check=_PATIENT)
        @given(name=st.sampled_from(names) | _inline, value=_hostile)
        def breaks_nothing(name: str, value: str) -> None:
            outcome, read = self._sent(driven, server, replace(request, extra={name: value}))
            assert isinstance(outcome, Accepted) or not read, "it was refused and sent"
            assert not _broken(read, words), _broken(read, words)

        breaks_nothing()

    def send_request_of_the_core(self, driven: Driven) -> SendRequest:
        """A send of a code of the core, with words."""
        return self.with_words(replace(self.send_request(driven.provider), code=self.code))
