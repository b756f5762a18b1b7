"""What strangers, users, models and tools may try against the server."""
