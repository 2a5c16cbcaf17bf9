"""How long `import skreg` takes beside `import sklearn.linear_model`: fresh processes, median of several.

Every import has a process of its own, timed from outside (interpreter start and exit included) and by the
interpreter itself around the import alone. They take turns in random order.
`import skreg` is lazy; what it defers is in the lines below it.

    python docs/benchmarks/import_time.py [repetitions]
"""

import random
import statistics
import subprocess
import sys
import time

REFERENCE = "import sklearn.linear_model"
STATEMENTS = [REFERENCE, "import skreg", "import skreg.linear_model", "from skreg import Lasso"]
BAR = 1.10


def seconds(statement):
    """Time of the whole process and of the import alone, in seconds."""
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return time.perf_counter() - start, float(done.stdout)


def main(repetitions):
    """Print the table, each ratio beside the bar."""
    for statement in STATEMENTS:  # the first import fills the caches of bytecode and of the disk
        seconds(statement)
    times = {statement: [] for statement in STATEMENTS}
    for _ in range(repetitions):
        for statement in random.sample(STATEMENTS, len(STATEMENTS)):
            times[statement].append(seconds(statement))

    print(f"Python {sys.version.split()[0]}, median of {repetitions}, ratios to the first, bar {BAR:.2f}")
    print(f"{'':30}{'process':>10}{'ratio':>8}{'import':>10}{'ratio':>8}")
    for statement, rows in times.items():
        process, alone = (statistics.median(column) for column in zip(*rows, strict=True))
        if statement == REFERENCE:
            reference = process, alone
        ratios = process / reference[0], alone / reference[1]
        verdict = "" if statement == REFERENCE else "met" if ratios[0] <= BAR else "MISSED"
        print(f"{statement:30}{process:9.3f}s{ratios[0]:8.3f}{alone:9.3f}s{ratios[1]:8.3f}  {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
