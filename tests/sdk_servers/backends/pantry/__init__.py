"""Tools that set fields on a subclass of the context, show widgets and send effects."""
