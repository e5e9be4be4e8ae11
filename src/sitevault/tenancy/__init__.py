"""Who may send, and whose events they become: tenants, API keys, their rules and the boundary between them."""
