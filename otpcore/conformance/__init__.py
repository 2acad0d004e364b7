"""The kit with which a plugin proves that it keeps its contract."""
