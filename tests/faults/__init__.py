"""What is lost when something breaks at each point of a turn: `python -m tests.faults.matrix`."""
