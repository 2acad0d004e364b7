"""The providers that ship with the core: `console` and `fake`."""
