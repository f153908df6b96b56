"""`make bench`: prints what PlexSync costs. Read ratios, not absolutes: machines are noisy."""

import argparse

from bench import edit, hook, queues, requests


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--scenes", type=int, default=1000)
    options = parser.parse_args()
    print(requests.HEAD)
    for latency in (0.0, 0.025):
        for cost in requests.measure(options.scenes, latency):
            print(cost.line())
    print(edit.report())
    print()
    medians = hook.measure()
    bare = next(iter(medians.values()))
    print(f"{'process':34} {'median ms':>9} {'x bare':>9}")
    for name, taken in medians.items():
        print(f"{name:34} {taken:9.1f} {taken / bare:9.2f}")
    print()
    for line in queues.report():
        print(line)


if __name__ == "__main__":
    main()
