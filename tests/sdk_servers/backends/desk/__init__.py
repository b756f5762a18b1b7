"""Tools that read the request (a header, a cookie, the query), the composer, and times."""
