"""One function for each ChatKit operation.

- `dispatch`: the table of operations.
- `turns`: those that ask for an answer.
- `threads`: stored conversations and their items.
- `actions`: what a user does with a widget.
- `media`: attachments and audio.
- `caller`: who asks, and what all of them share.
"""
