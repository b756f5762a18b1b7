"""Break things at each point of a turn, and count what is lost: `python -m tests.faults.matrix`.

- `matrix`: the command. `page`, `losses`: what it prints.
- `world`: the servers, in this process or forked. `scripted`, `ledger`: their model and
  tools. `hosted`: a server written with ChatKit's SDK, for the plugin `chatkit_sdk`.
- `person`, `crowd`: simulated users. `running`: many runs at once. `audit`: what a user has lost.
- `round_robin`: the proxy before several processes. `fleet`, `cluster`: these processes, as
  applications and as real ones. `shown`: what a page shows at the end.
- `elsewhere`, `carriers`, `owners`: the faults of several processes.
- `connections`, `models`, `hooks`, `tools`, `outages`, `kills`: the faults.
"""
