"""The words around a code of the core: templates as data, measured as SMS before anything is sent.

Rules of these files: pure. A template is parsed once, and refused with the rule that it breaks; nothing that a caller
gives is ever part of a text but the language and the channel, which choose among templates. The text is joined, never
formatted: what stands in a value is not looked at again.
"""

from otpcore.messages.builtin import DEFAULT_TEMPLATES
from otpcore.messages.catalogue import Templates
from otpcore.messages.gsm import Encoding, Size, size_of
from otpcore.messages.template import Template, language_tag, render

__all__ = [
    "DEFAULT_TEMPLATES",
    "Encoding",
    "Size",
    "Template",
    "Templates",
    "language_tag",
    "render",
    "size_of",
]
