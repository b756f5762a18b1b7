"""`run --reload`: the server is started again, in a fork, whenever its sources change."""
