"""Turns that other processes run: follow them, find them, stop them.

- `turns`: finds such a turn, and passes on what its user wants.
- `mirror`: follows its events, once for all clients of this process.
- `threads`: what happens in a thread, in any process.
- `saved`: a turn as the stores have it. `telling`: tells a client what it lacks of that.
"""
