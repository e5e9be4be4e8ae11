"""The process tree: services as children that are restarted when they fall and never outlive their parent."""
