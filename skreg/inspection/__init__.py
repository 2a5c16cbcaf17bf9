"""Seeing it: Displays of penalties, paths, posteriors and networks."""
