"""The command line, one file a command.

- `main`: the commands, and their exit status.
- `run`, `check`, `migrate`: what each of them does.
- `options`: what the commands share.
"""
