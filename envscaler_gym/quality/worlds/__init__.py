"""The gates of worlds: thousands of generated calls, and what they show."""
