"""The database's history, one step a file, so that what an older mamd wrote is brought up to date."""
