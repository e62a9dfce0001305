"""The gates of checks: wrong final states that they must catch, right ones that they must accept."""
