"""The second version."""
