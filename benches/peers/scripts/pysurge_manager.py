"""What `pysurge -c` does in 1.0.1, for a duration in seconds: the command takes whole minutes only."""

import sys

from pysurge import Manager

if __name__ == "__main__":
    case, rate, seconds = sys.argv[1:]
    config = {"tests": [{"test_class": f"pysurge_cases.{case}", "rate": float(rate)}]}
    Manager(config=config, duration=float(seconds)).start()
