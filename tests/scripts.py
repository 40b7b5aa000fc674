"""Scripts that call `pysurge.run`: what many of them begin with, and what they need."""

import subprocess
import sys
import textwrap

import pytest

HEAD = "import sys, time\nimport pysurge\n"

QUICK = """
class Quick(pysurge.TestCase):
    def run(self):
        time.sleep(0.002)
        self.metrics["size"] = self.kwargs.get("size", 1)
        with self.timer("step"):
            pass
        self.check("even", True)
        self.count("things", 2)
"""

needs_cloudpickle = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import cloudpickle"], capture_output=True, check=False).returncode != 0,
    reason="cloudpickle is not installed",
)

# cloudpickle as if it were not installed, in this process and in none other.
WITHOUT_CLOUDPICKLE = "import sys\nsys.modules['cloudpickle'] = None\n"


def script(*parts):
    return HEAD + "\n".join(textwrap.dedent(part) for part in parts)
