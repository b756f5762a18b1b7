"""One function for each ChatKit operation.

- `dispatch`: the table of operations.
- `turns`: operations that start a turn.
- `threads`: stored conversations and their items.
- `actions`: actions of widgets.
- `attachments`: made, used, shown, deleted. `media`: audio.
- `limits`: how large a request may be, and how many a user may make at once.
- `caller`: the user who asks, and what several operations share.
"""
