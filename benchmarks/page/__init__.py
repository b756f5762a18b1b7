"""The speed of the chat page, in a real browser: `python -m benchmarks.page`."""
