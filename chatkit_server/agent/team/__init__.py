"""The agents of the settings: `agent`, and those in `agents` that it can hand over to.

- `members` makes an agent of each section, also of an object in a module.
- `checks` refuses names that are unknown or used twice.
- `team` has them all, and `cast` has them as they are in one turn.
- `guardrails` has those of the settings, and what users are told when one trips.
"""
