"""The command line, one file a command.

- `main`: the commands, and their exit status. `group`: how one of them is found and run.
- `init`, `new_plugin`, `run`, `check`, `plugins`, `hooks`, `settings`, `schema`, `migrate`: what
  each of them does.
- `template`: what the first two write, by `templates`.
- `commands`: those that plugins bring. `options`: what the commands share.
- `listening`: where the server listens, for those that start one or ask it.
"""
