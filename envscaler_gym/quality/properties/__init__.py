"""Property tests of an environment: values, states and a state machine for Hypothesis."""
