"""The gate of invariants: each must say no to some corrupted state."""
