"""Break things at each point of a turn, and count what is lost: `python -m tests.faults.matrix`.

- `matrix`: the command. `page`, `losses`: what it prints.
- `world`: the servers, in this process or forked. `scripted`, `ledger`: their model and
  tools. `hosted`: a server written with ChatKit's SDK, for the plugin `chatkit_sdk`.
- `person`, `crowd`: simulated users. `running`: many runs at once. `audit`: what a user has lost.
- `connections`, `models`, `hooks`, `tools`, `outages`, `kills`: the faults.
"""
