"""How kernels are compiled, kept on disk and launched, for the textbook loops and the fast ones."""
