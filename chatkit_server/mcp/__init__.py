"""Connections to MCP servers, whose tools agents use.

- `limits`: what a server may send.
- `guard`: the watch over what it sends, and `stdio`: a child process under it. `output` is what
  that writes to its standard error, `lines` splits what it writes.
- `content`: what a tool returns, as texts and pictures. `outlines`: whether it fits its schema.
- `exchange`: what a server's HTTP responses were. `outbox`: what is sent.
- `failures`: what else was met in place of a server, in words.
- `outcome`: what a failed request says about the session, and whether it was carried out.
- `elicitation`: what a server asks the user in the middle of a call. `forms`: that as questions.
- `progress`: what tools report while they run, and their time limits.
- `connection`: one server, with time limits and clear errors.
- `server`: a server that the core keeps connected. `timing`: how long it may take for what.
- `names`: the names of their tools for the model.
- `manager`: all servers of the process, and the tools they give to a turn.
"""
