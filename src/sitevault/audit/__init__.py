"""The proof of isolation on the live database: catalog, behaviour, data; and the chain of the audit log."""
