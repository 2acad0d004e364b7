"""The stores that ship with the core: `memory` and `tinydb`, the embedded default."""
