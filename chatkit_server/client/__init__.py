"""What every client of ChatKit's protocol needs: the command `chat`, and the one for tests."""
