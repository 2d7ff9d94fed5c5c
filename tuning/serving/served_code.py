"""The code file of a logged model: the modules that it needs, joined, so that it loads without this project."""

import ast
from importlib.resources import files

CODE = {
    "data.io": ("memory",),
    "data.tiles": ("tracks", "common_dates", "map_dates"),
    "data.values": (
        *("nodata", "units", "tally", "backscatter", "decode", "corners", "event_days"),
        "window",
    ),
    "tuning.serving": (
        *("onnx_file", "program", "tile_rules", "tile_dates", "tile_values"),
        *("tile_input", "array_input", "pyfunc_model"),
    ),
}
OWN = ("data.", "tuning.")  # imports between the joined modules


def join_code() -> str:
    """Join the modules of ``CODE`` into one file without their imports of each other."""
    sources = []
    for package, name in ((package, name) for package, names in CODE.items() for name in names):
        text = files(package).joinpath(f"{name}.py").read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        for node in ast.parse(text).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OWN):
                for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    lines[number - 1] = ""
        sources.append("".join(lines))
    sources.append("from mlflow.models import set_model\n\nset_model(LandslideModel())\n")
    return "\n\n".join(sources)
