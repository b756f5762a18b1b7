"""No Agents SDK at all: events of every kind, dictation, feedback, and what a Stop leaves."""
