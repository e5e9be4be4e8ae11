"""The Data Vault: its model as data, and the set-based load."""
