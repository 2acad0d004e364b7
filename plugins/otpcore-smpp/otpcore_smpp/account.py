"""What both colours share: the settings, the seal, and the reading of receipts.

Rules of this file: no I/O but the reading of `ca_file`; no text shows a number, a code or a password.
"""

from __future__ import annotations

from collections.abc import Sequence

from otpcore.ports import CodeOwner, DeliveryEvent, InboundRequest, ProviderCapabilities
from otpcore_smpp.receipts import Seal, parse
from otpcore_smpp.settings import SmppSettings

__all__ = ["Account"]


class Account:
    """The part of a provider that is the same in both colours.

    Args:
        settings: where the SMSC is, and as whom to bind.

    Raises:
        ConfigurationError: `ca_file` cannot be read.
    """

    def __init__(self, settings: SmppSettings) -> None:
        self._settings = settings
        self._tls = settings.tls_context()
        self._seal = Seal()
        self._capabilities = ProviderCapabilities(
            frozenset({CodeOwner.CORE}), frozenset({"sms"}), extra_names=frozenset()
        )

    def __repr__(self) -> str:
        given = self._settings
        return f"{type(self).__name__}({given.host}:{given.port}, system_id={given.system_id!r})"

    @property
    def capabilities(self) -> ProviderCapabilities:
        """Codes of the core, by SMS."""
        return self._capabilities

    def parse_receipt(self, request: InboundRequest) -> Sequence[DeliveryEvent]:
        """What a deliver_sm says that this provider received and sealed; see `ReadsReceipts.parse_receipt`.

        `DeliveryEvent.at` stays None: a receipt's date has no zone, and often no seconds.

        Raises:
            ReceiptRefused: it did not come over a link of this provider in this process, or cannot be read.
        """
        return parse(request, self._seal, self._settings)
