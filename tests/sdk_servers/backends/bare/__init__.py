"""As little as the SDK asks for: what is not overridden does what the SDK does."""
