"""What a turn tells its clients.

- `log`: the numbered events of a turn, which any number of clients follow.
- `recorder`: saves an item, then appends its event to the log.
- `partial`: an unfinished answer, as it is written down each second.
- `wire`: how ChatKit's events are written.
"""
