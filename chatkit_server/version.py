"""The version of the API for plugins."""

API_VERSION = "1.0"
"""Rises by 0.1 when something is added, and to the next whole number when plugins must change."""
