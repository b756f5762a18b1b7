"""Client tools, a converter for tags, and hidden context."""
