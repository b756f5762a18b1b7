"""Workflows with tasks of every kind, and questions to the user."""
