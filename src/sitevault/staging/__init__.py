"""Staging: one landed event in, one staged event out; pure Python, no database."""
