"""The resources of Verify v2, a module for each family: its operations, and the bodies that no capture shows."""
