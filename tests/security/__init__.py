"""What clients, models and tools may do to the server."""
