"""Titles from a task, changes of the thread, and a lock with a button that takes it off."""
