"""One class in one process, as fast as pysurge 1.0.1 fires: prints tests per second."""

import sys
import time

from pysurge_cases import Plain

from pysurge import TestRunner

runner = TestRunner(Plain, {}, 1_000_000)
runner.run()
begin_s = time.perf_counter()
time.sleep(float(sys.argv[1]))
passed, spent_s = runner.successes, time.perf_counter() - begin_s
runner.stop()
print(passed / spent_s)
