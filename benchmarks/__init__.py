"""The speed of this server beside others: `python -m benchmarks`."""
