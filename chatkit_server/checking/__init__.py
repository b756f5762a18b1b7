"""`chatkit-server check`: what is wrong with a deployment, all at once.

- `report`: what was found, as JSON and as an exit status. `lines`: a line becomes a finding.
- `probes`: what may wait for others, at the same time and each with a limit.
- `plugins`, `mcp`, `models`, `preflight`, `port`, `clock`: one part each.
"""
