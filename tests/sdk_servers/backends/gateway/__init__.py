"""A model behind a client of its own, over chat completions, and only the newest message told."""
