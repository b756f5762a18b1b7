"""A context class with a user, a store that filters by it, an app with routes and a lifespan."""
