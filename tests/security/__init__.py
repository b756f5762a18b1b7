"""Hostile clients, models, tools and neighbours: what they can do, and what not."""
