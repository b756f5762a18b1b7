"""The command line, one file a command.

- `main`: the commands, and their exit status.
- `init`, `run`, `check`, `migrate`: what each of them does. `template`: what `init` writes.
- `commands`: those that plugins bring. `options`: what the commands share.
"""
