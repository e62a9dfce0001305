"""The gates of scenarios: start states, solutions, ids that can be found."""
