"""The providers that ship with the core: `console` and `fake`, and a helper for REST ones."""
