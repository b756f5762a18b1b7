"""What strangers, users, models, tools and MCP servers may try, and what comes of it."""
