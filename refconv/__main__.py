"""Lets ``python -m refconv`` do what ``refconv`` does."""

from __future__ import annotations

from refconv.cli import main

if __name__ == "__main__":
    main()
