"""Adapters to trainers and evaluations of others; each module names the extra that it needs."""
