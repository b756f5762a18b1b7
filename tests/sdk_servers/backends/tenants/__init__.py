"""A context class with a user, a store that filters by it, and an app with routes and a lifespan."""
