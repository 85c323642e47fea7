"""Write the table of the benchmarks from linvae/data/speed.json: python benchmarks/speed.py"""

from pathlib import Path

from linvae.book import results

HERE = Path(__file__).resolve().parent


def seconds(value):
    """Write a time with a unit."""
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def line(row):
    """Return one row of the table in Markdown."""
    sign = "≥ " if row["faster"] else "≤ "
    digits = ",.0f" if row["ratio"] > 20 else ".1f" if row["faster"] else ".2f"
    ratio = f"{row['ratio']:{digits}}"
    once = row["ratio_low"] == row["ratio_high"]
    spread = "one run" if once else f"{row['ratio_low']:{digits}}–{row['ratio_high']:{digits}}"
    target = "" if row["target"] is None else f"{sign}{row['target']:,g} ×"
    verdict = {None: "", True: "met", False: "**not met**"}[row["met"]]
    what = "× faster" if row["faster"] else "×"
    return (f"| {row['work']} | {seconds(row['seconds'])} | {row['beside']} | {seconds(row['rival_seconds'])} | "
            f"{ratio} {what} ({spread}) | {target} | {verdict} |")  # fmt: skip


def roof(machine, point):
    """Return what the machine can do at most at the intensity of a step, in the step's precision."""
    top = machine["single" if "bytes" in point["step"] else "double"]
    return min(top, machine["bytes"] * point["intensity"])


def roofline(found):
    """Return the steps beside the roof of the machine, in Markdown."""
    machine = found["machine"]
    lines = [
        f"| {point['step']} | {point['intensity']:.3g} | {point['operations'] / 1e9:.3g} | "
        f"{roof(machine, point) / 1e9:.3g} | {100 * point['operations'] / roof(machine, point):.0f} |"
        for point in found["points"]
    ]
    head = [
        "## The roofline",
        "",
        "| step | operations a byte | 10⁹ operations a second | roof | % of it |",
        "|---|---|---|---|---|",
    ]
    return [*head, *lines, ""]


def cluster(found):
    """Return the runs on one worker, on two, and on two of which one is killed, in Markdown."""
    lines = []
    for run in found["runs"]:
        read = sum(task[1:3] == ["part", "compute"] for task in run["tasks"])
        workers = f"{run['workers']}, one killed" if run["killed"] else run["workers"]
        received = sum(run["received"]) / 1e6
        lines += [f"| {workers} | {run['wall']:.1f} | {read} | {received:.0f} |"]
    rows, sent, kept = found["rows"], found["row_bytes"] / 1e6, found["moments_bytes"] / 1e6
    about = f"{rows:,} rows in 16 parts, {sent:,.0f} MB; the moments of ten classes have {kept:.0f} MB."
    head = [
        "## Processes in the place of a cluster",
        "",
        about,
        "",
        "| workers | seconds by the clock | parts read | MB of sums sent |",
        "|---|---|---|---|",
    ]
    return [*head, *lines, ""]


def table(found):
    """Return the table, the machine and the notes in Markdown."""
    machine, versions = found["machine"], found["versions"]
    notes = [f"- {row['work']}, beside {row['beside']}: {row['note']}" for row in found["rows"] if row["note"]]
    return "\n".join([
        "# Speed: our work beside what a reader would use instead",
        "",
        "Written by `make bench`; do not edit. All figures: [speed.json](../linvae/data/speed.json). Seconds are the",
        "processor's; a ratio is the median over interleaved rounds, its quartiles in brackets.",
        f"Data: {found.get('data', '')}. {machine['system']} {machine['architecture']}, {machine['processor']},"
        f" {machine['cores']} cores,",
        f"{machine['blas_threads']} BLAS thread ({', '.join(machine['blas'])}). "
        + ", ".join(f"{name} {number}" for name, number in versions.items() if number) + ".",
        "",
        "| work | ours | beside | theirs | ratio | target | outcome |",
        "|---|---|---|---|---|---|---|",
        *(line(row) for row in found["rows"]),
        "",
        *notes,
        "",
        *(roofline(found["roofline"]) if "roofline" in found else []),
        *(cluster(found["cluster"]) if "cluster" in found else []),
    ])  # fmt: skip


if __name__ == "__main__":
    (HERE / "speed.md").write_text(table(results.speed()))
