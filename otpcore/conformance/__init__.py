"""The kit with which a plugin proves that it keeps its contract; needs the extra `otpcore[conformance]`."""

import pytest

# Before any of them is imported, so that a failed check shows the values that it compared.
pytest.register_assert_rewrite(
    "otpcore.conformance.plugin", "otpcore.conformance.provider", "otpcore.conformance.store"
)
