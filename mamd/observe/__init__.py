"""What people see of committed turns: lines in the log, metrics, and calls to whoever is on duty."""
