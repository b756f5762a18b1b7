"""Only the newest message is sent: the provider keeps the conversation, the thread its id."""
