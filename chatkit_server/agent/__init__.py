"""From a turn to an answer: the model, its tools, its history.

- `models`: which model answers.
- `team`: the agents of the settings. `ready`: the agents of a turn, with all that they need.
- `runner`: calls their tools. `tools`: a tool, wrapped. `invocation`: one call of a tool.
- `relay`: which agent answers, and what its model can read of what others have written.
- `media`: pictures and files in what tools return. `pictures`: their sizes, and smaller ones.
- `history`: the conversation so far, as input for the model. `memory`: what a turn keeps for that.
- `asked`: what the model is told of a tool that asked the user. `asker`: asks for MCP servers;
  `questions`: what is kept of that; `resuming`: makes their calls again with the answers.
- `converting`: ChatKit's converters, completed. `costs`, `shortening`: what fits into the budget.
- `sound`: input that any endpoint accepts, whatever a model wrote before.
- `stream`: Agents SDK events become ChatKit events. `reasoning`: a model's reasoning among them.
  `workflow`: its place among other items. `conversion`: images and sources, as plugins want them.
- `runs`: the runs that plugins start. `whole`: the events of their models.
- `shown_tools`: what users see of tool calls.
- `output`: how much a model may write besides the text of its answer.
- `timeouts`: how long to wait for a model.
- `fast`: the fast path of text. `sdk`: what the Agents SDK has no documented way for.
"""
