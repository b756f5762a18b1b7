"""The provider keeps the conversation, the thread its id; tasks go on after the answer."""
