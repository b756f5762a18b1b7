"""The command line, one file a command.

- `main`: the commands, and their exit status. `group`: how one of them is found and run.
- `init`, `run`, `check`, `migrate`: what each of them does. `template`: what `init` writes.
- `commands`: those that plugins bring. `options`: what the commands share.
"""
