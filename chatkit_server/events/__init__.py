"""What a turn tells its clients.

- `log`: the contract of an event log, and the one in memory. Clients follow it.
- `recorder`: saves an item, then appends its event to the log.
- `partial`: an unfinished answer, as it is saved each second.
- `wire`: how ChatKit's events are written.
"""
