"""No Agents SDK at all: events, dictation, feedback, and what a Stop leaves."""
