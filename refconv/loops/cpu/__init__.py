"""The loops on the CPU, one file per layer type."""
