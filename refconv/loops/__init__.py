"""The textbook: every layer as explicit nested loops, and how they are compiled."""
