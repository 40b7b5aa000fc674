"""``python -m pysurge`` is the command ``pysurge``."""

from ._cli import main

if __name__ == "__main__":
    main()
