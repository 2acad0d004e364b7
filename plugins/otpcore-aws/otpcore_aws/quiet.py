"""botocore says nothing of our calls: at DEBUG it logs requests whole, with number and text, and answers whole.

A filter on its loggers drops what is said in a thread while a call of ours is under way there. Whatever anybody else
does with botocore is logged as before. Levels, handlers and propagation are not touched.

Rules of this file: the standard library only; a filter is added once and never taken away.
"""

from __future__ import annotations

import logging

from otpcore.providers.transport import is_not_ours

__all__ = ["LIBRARIES", "quieten"]

LIBRARIES = ("boto3", "botocore", "urllib3")


def quieten() -> None:
    """Have the loggers that these libraries have made by now keep silent about our calls.

    A filter is asked only about what is said by its own logger, so every one gets it. Their modules make their loggers
    when they are imported, which is before the first client is ready.
    """
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] in LIBRARIES:
            logging.getLogger(name).addFilter(is_not_ours)
