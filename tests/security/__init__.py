"""What hostile clients, models, tools and MCP servers try, and what becomes of it."""
