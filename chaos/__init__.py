"""Sitevault under fire: a verified load, faults at random moments, and an account of every single event."""
