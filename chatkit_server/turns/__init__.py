"""One turn, from the request that asks for it to its last event.

- `store`: the contract for records of turns, and the implementation in memory.
- `running`: which turns run in this process, and which request asked for them.
- `engine`: one turn, top to bottom.
- `work`: what belongs to a turn while it runs.
- `failures`: errors become messages that a user understands.
- `heartbeat`, `recovery`: turns of processes that died.
"""
