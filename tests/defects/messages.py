"""The planted defects of the words around a code."""

from __future__ import annotations

from collections.abc import Mapping

from otpcore.flows import wording
from otpcore.messages import gsm, template
from tests.defects.planting import Defect, Planter, reworded
from tests.messages import test_sent_words as sent
from tests.messages import test_size as size
from tests.messages import test_templates as templates

__all__ = ["DEFECTS"]


def formatted(plant: Planter) -> None:
    """The text is filled by `str.format`, and whatever that takes is a template."""

    def joined(parts: tuple[str, ...], values: Mapping[str, str]) -> str:
        return "".join(parts).format(**{name.strip("{}"): value for name, value in values.items()})

    plant.reword(template.refused_in, 'if "{" in literal or "}" in literal:', "if not placeholders and False:")
    plant.swap(vars(template)["_joined"], joined)


DEFECTS = (
    Defect("M1", "a text is filled by str.format", formatted, templates.hostile_texts_are_refused),
    Defect(
        "M2",
        "an escaped character counted as one",
        reworded((gsm.size_of, "1 + (each in EXTENSION)", "1")),
        size.measured_as_the_standards_say,
    ),
    Defect(
        "M3",
        "characters counted where UTF-16 has two units",
        reworded((gsm.size_of, "1 + (ord(each) >= BEYOND_BMP)", "1")),
        size.measured_as_the_standards_say,
    ),
    Defect(
        "M4",
        "a pair cut by the end of a message",
        reworded(
            (
                gsm.size_of,
                "segments, left = segments + 1, each_of_several",
                "segments, left = segments + 1, left + each_of_several",
            )
        ),
        size.measured_as_the_standards_say,
    ),
    Defect(
        "M5",
        "the line for browsers is not the last",
        reworded(
            (
                template.render,
                'f"{text}\\n@{template.webotp_domain} #{code}"',
                'f"@{template.webotp_domain} #{code}\\n{text}"',
            )
        ),
        templates.the_line_for_browsers_is_last,
    ),
    Defect(
        "M6",
        "marks of direction pass",
        reworded(
            (template.refused_in, "unicodedata.category(each) in _FORBIDDEN", "unicodedata.category(each) == 'Cc'")
        ),
        templates.marks_of_direction_are_refused,
    ),
    Defect(
        "M7",
        "minutes rounded up",
        reworded((wording.worded, "left // MINUTE", "-(-left // MINUTE)")),
        sent.minutes_are_not_promised_twice,
    ),
    Defect(
        "M8",
        "what a call names as its language is passed on",
        reworded((template.language_tag, "and _TAG.fullmatch(text) ", "")),
        sent.nothing_of_a_call_reaches_the_text,
    ),
)
