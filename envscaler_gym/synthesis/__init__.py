"""Synthesis: from tasks or topics to environments that are proven and registered."""
