"""Read what ptxas says of every kernel (-Xptxas -v); fail if one spills or takes too many registers.

    python .ci/check_kernels.py build.log

The blocks of a tile kernel that share a multiprocessor must fit its 65,536 registers: two of 256 threads at
128 a thread, two of 128 at 255 (the most there is), one of 256 at 255, one of 384 at 168. Nor may ptxas have
given up on running wgmma beside other instructions.
"""

import re
import sys
from collections import Counter
from pathlib import Path

MOST = {"WgmmaHalfTile": 168, "HalfTile": 128, "SplitTile": 255}
MOST_OF_OTHERS = 64
EXPECTED = 18 + 31  # kernels over tiles in two precisions, and the others; per architecture
EXPECTED_OF = {"sm_90a": 18}  # tiles by wgmma alone
SERIALIZED = re.compile(r".*wgmma.*serializ.*", re.IGNORECASE)
ENTRY = re.compile(r"Compiling entry function '(?P<name>\w+)' for '(?P<arch>\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")


def kernels(text: str) -> list[tuple[str, str, int, int]]:
    """Return (name, architecture, registers, bytes of stack and spills) of every kernel."""
    found: list[tuple[str, str, int, int]] = []
    name = arch = ""
    spilled = 0
    for line in text.splitlines():
        if entry := ENTRY.search(line):
            name, arch, spilled = entry["name"], entry["arch"], 0
        elif name and (stack := STACK.search(line)):
            spilled = sum(map(int, stack.groups()))
        elif name and (used := REGISTERS.search(line)):
            found.append((name, arch, int(used[1]), spilled))
            name = ""
    return found


def main() -> int:
    """Print a table; return 1 if a kernel is too large or the log is not that of a whole build."""
    text = Path(sys.argv[1]).read_text()
    found = kernels(text)
    failures = 0
    for name, arch, registers, spilled in sorted(found):
        most = next((most for shape, most in MOST.items() if shape in name), MOST_OF_OTHERS)
        bad = spilled > 0 or registers > most
        failures += bad
        short = re.sub(r"^_Z\w*?\d+([a-z_]+_kernel)", r"\1 ", name)[:60]
        verdict = "TOO LARGE" if bad else "ok"
        print(f"{arch:7} {registers:4} of {most:3} registers, {spilled} bytes spilled  {verdict:9} {short}")
    for line in SERIALIZED.findall(text):
        print(line, file=sys.stderr)
        failures += 1
    counts = Counter(arch for _, arch, _, _ in found)
    for arch in counts.keys() | EXPECTED_OF.keys() | {"sm_80", "sm_90"}:
        wanted = EXPECTED_OF.get(arch, EXPECTED)
        if counts[arch] < wanted:
            print(f"{arch}: only {counts[arch]} kernels in the log, wanted {wanted}", file=sys.stderr)
            failures += 1
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
