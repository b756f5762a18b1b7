"""The events of a turn: saved, logged, sent.

- `log`: the log of a turn in its process. Clients follow it.
- `shared`: the contract of an event log, which carries the events to other processes, and the one
  in memory.
- `places`: what is told of, such as a thread, and the news of it.
- `recorder`: saves an item, then appends its event to the log. `updates`: changes an open item.
- `threads`: writes threads that others write too. `turn_thread`: what a turn changes in its own.
- `placeholders`: ids for items that have none of their own.
- `partial`: an unfinished answer, as it is saved each second. `settling`: what was cut off shows
  nothing as in progress.
- `wire`: how ChatKit's events are written.
"""
