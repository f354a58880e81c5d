"""Seconds to import tfstyle and to answer `tfstyle --help`, each in a fresh process; prints one JSON line per case."""

import json
import statistics
import subprocess
import sys
import time

CASES = {
    "python -c pass": ["-c", "pass"],
    "import tfstyle": ["-c", "import tfstyle"],
    "tfstyle --help": ["-m", "tfstyle", "--help"],
    "tfstyle optimize --help": ["-m", "tfstyle", "optimize", "--help"],
    "import tensorflow": ["-c", "import tensorflow"],
}

for case, arguments in CASES.items():
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"case": case, "median": round(statistics.median(seconds), 3), "least": round(min(seconds), 3)}))
