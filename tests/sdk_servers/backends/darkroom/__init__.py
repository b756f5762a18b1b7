"""Attachments in two phases, through the app's own upload routes."""
