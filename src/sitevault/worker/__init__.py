"""The worker: claim, stage, load, account; over and over, never losing one."""
