"""`settings.yaml` and `CHATKIT_*` variables, validated.

- `schema`: every setting with its type and default.
"""
