"""The short ways of a token.

- `direct`: text goes from the model to the turn, past the Agents SDK's queue.
- `first_answer`: an answer that is only text needs no run of the Agents SDK.
"""
