"""``python -m medloom``."""

from medloom.cli import main

main()
