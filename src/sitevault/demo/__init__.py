"""The demonstration: five tenants, a day of made-up traffic over real HTTP, and proof of where each event went."""
