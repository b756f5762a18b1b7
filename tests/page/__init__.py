"""The chat page in a browser: Chromium through Playwright, against a real server."""
