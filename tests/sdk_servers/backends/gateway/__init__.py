"""A model behind a client of its own, over chat completions; the SDK's session is the memory."""
