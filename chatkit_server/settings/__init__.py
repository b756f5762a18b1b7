"""`settings.yaml` and `CHATKIT_*` variables, validated.

- `schema`: every setting with its type and default. `agents`: those of agents and guardrails.
- `types`: durations, sizes, lists.
- `load`: read a file and the variables. `reader`: YAML with line numbers.
- `urls`: types of addresses. `variables`, `together`: what has no effect.
- `problems`, `source`: what is wrong, and where it was written.
"""
