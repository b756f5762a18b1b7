"""From a turn to an answer: the model, its tools, its history.

- `models`: which model answers.
- `runner`: the agent of a turn. `tools`: its tools, wrapped.
- `history`: what the model is told about the conversation so far.
- `stream`: Agents SDK events become ChatKit events.
- `timeouts`: how long to wait for a model.
- `fast`: the short ways of a token.
"""
