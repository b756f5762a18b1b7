"""Actions that run the agent, actions that answer at once, and hidden context."""
