"""The end of the process: signals that are always heard, and limits that hold whatever hangs."""
