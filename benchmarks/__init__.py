"""Compare this server's speed with others: `python -m benchmarks`."""
