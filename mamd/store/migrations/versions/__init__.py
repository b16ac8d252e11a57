"""Every step, by its number."""
