"""One turn, from the request that asks for it to its last event.

- `engine`: one turn, top to bottom. Start here. `job`: what belongs to it while it runs.
- `answering`: the answer of an agent or a hook. `closing`: what every turn ends with.
- `approvals`, `approval_widget`: runs that wait for a click. `waiting`: what else waits.
- `prepare`: the hooks before a turn. `conversation`: what came before it. `view`: its store.
- `identity`: which request is it. `running`: one turn that runs. `registry`: all of them.
- `claim`: a turn gets its thread, and is written down. `admission`: which turns plugins let in.
- `accepted`, `accepting`: turns that are written down first, and begin later.
- `places`: how much a user has at once. `kept`: the turns that ended a short while ago.
- `store`: the contract for records of turns, and the one in memory.
- `failures`: errors become messages that a user understands. `refusal`: what a guardrail refused.
- `heartbeat`, `recovery`: end the turns of processes that died. `unsaved`: what those have said
  since their last heartbeat. `pulse`: heartbeats while the event loop is late.
"""
