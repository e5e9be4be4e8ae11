"""Enrichment: what can be told of an event from what it carries; one file each, none may cost the event."""
