"""A store that sorts by naive times, returns short pages and makes ids of its own."""
