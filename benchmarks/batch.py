"""tfstyle batch in one process beside Ray with one and two actors; prints one JSON line a case.

    python benchmarks/batch.py                      48 photographs of 512 px
    python benchmarks/batch.py --count 200 --cases loop ray-2x1
    python benchmarks/batch.py --plan 1000000       how long a pattern takes to find so many (empty) files, instead

`ray-AxC` is Ray on this machine with A actors of C cores. `start_s` goes by from the command to the first picture
known, `rate` is pictures a second from there to the last one, `cpu_s` the processor time of a picture from there on,
which other work on the machine changes less. `actor_mib` is the most memory that a process that paints has had,
without what it shares with others. Ray lowers the priority of its workers by default; here they have everyone's.
"""

import argparse
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time

import psutil
from PIL import Image, ImageEnhance

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / "examples"
CASES = ("loop", "ray-1x1", "ray-1x2", "ray-2x1")


def photographs(folder, count, size):
    """Photographs of the examples, unlike in brightness, as JPEG files of a camera's kind."""
    folder.mkdir()
    sources = sorted((EXAMPLES / "content").glob("*.jpg"))
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as file:
            file.thumbnail((size, size))
            ImageEnhance.Brightness(file.convert("RGB")).enhance(0.8 + 0.4 * number / count).save(
                folder / f"{number:05}.jpg", quality=92
            )


def measure(case, top, args):
    """One case, as a dict."""
    words = []
    if case != "loop":
        actors, cores = case.removeprefix("ray-").split("x")
        words = ["--ray-address", "local", "--actors", actors, "--cpus", cores, "--pictures-per-task", "8"]
    command = [sys.executable, "-m", "tfstyle", "batch", top / "photos", EXAMPLES / "style" / "swirl.jpg",
               "-o", top / case, "--size", str(args.size), "--json", *words]
    # A token of its own, where Ray would leave one in the home folder.
    own = {"RAY_worker_niceness": "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    manifest, known, begin, painters = top / case / "manifest.jsonl", [], time.perf_counter(), {}
    process = psutil.Popen(command, stdout=subprocess.PIPE, env=os.environ | own)
    while process.poll() is None:
        lines = manifest.read_bytes().count(b"\n") - 1 if manifest.exists() else 0
        for painter in _painters(process, case):
            _look(painter, painters)
        if lines > (known[-1][1] if known else 0):
            known.append((time.perf_counter() - begin, lines, sum(cpu for cpu, _ in painters.values())))
        time.sleep(0.05)
    seconds, told = time.perf_counter() - begin, json.loads(process.stdout.read())
    (first, at_first, cpu_first), (last, at_last, cpu_last) = known[0], known[-1]
    count = at_last - at_first
    return {
        "case": case, "pictures": told["painted"], "size": args.size, "seconds": round(seconds, 1),
        "start_s": round(first, 1), "end_s": round(seconds - last, 1), "rate": round(count / (last - first), 2),
        "cpu_s": round((cpu_last - cpu_first) / count, 3),
        "actor_mib": round(max(memory for _, memory in painters.values()) / 2**20),
    }


def _painters(process, case):
    """The processes that paint."""
    try:
        if case == "loop":
            return [process]
        return [one for one in process.children(recursive=True) if "MapWorker" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


def _look(painter, painters):
    """Notes {process: (processor seconds, most memory of its own in bytes)}."""
    try:
        times, memory = painter.cpu_times(), painter.memory_full_info().uss
    except psutil.Error:
        return
    painters[painter.pid] = times.user + times.system, max(memory, painters.get(painter.pid, (0, 0))[1])


def plan(count, top):
    """How long it takes to find `count` pictures in folders of a thousand, and what it takes to keep them in mind."""
    from tfstyle.batch.plan import planned_batch

    for number in range(count):
        folder = top / "many" / f"{number // 1000:05}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"photograph-{number:07}.jpg").touch()
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    found = planned_batch(top / "many", top / "out")
    seconds = time.perf_counter() - start
    memory = (psutil.Process().memory_info().rss - before) / 2**20
    return {"case": "plan", "pictures": len(found.pairs), "seconds": round(seconds, 1), "memory_mib": round(memory)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=48, help="photographs")
    parser.add_argument("--size", type=int, default=512, help="long side in pixels")
    parser.add_argument("--cases", nargs="+", default=CASES, help="loop, and ray-AxC for A actors of C cores")
    parser.add_argument("--plan", type=int, help="files to find, in place of the cases")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        if args.plan:
            print(json.dumps(plan(args.plan, top)), flush=True)
            return 0
        photographs(top / "photos", args.count, args.size)
        for case in args.cases:
            print(json.dumps(measure(case, top, args)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
