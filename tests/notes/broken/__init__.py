"""A second version that cannot be applied."""
