"""The first version."""
