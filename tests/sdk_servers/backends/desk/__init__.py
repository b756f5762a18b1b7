"""Tools that read the request: a header, a cookie and the query."""
