"""Guardrails, and the errors that ChatKit has for users."""
