"""Mends what the doctor found: a plan that says exactly what it will do, its execution, and the way back."""
