"""Write the parts of the server as CycloneDX JSON: from requirements.txt, with their licences.

The pinned file knows names, versions and hashes; what licence a part has, only the part itself
says, so this runs in the environment in which the parts are installed.
"""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CLASSIFIER = "License :: OSI Approved :: "
NOT_HERE = {"colorama": "BSD-3-Clause", "pysqlite3-binary": "Zlib", "tzdata": "Apache-2.0"}
"""Parts that only another system installs, and the licences that their packages name."""
LONGEST = 100


def main(target: Path) -> None:
    """Write the list."""
    words = ["requirements", str(ROOT / "requirements.txt"), "--of", "JSON",
             "--output-reproducible", "--pyproject", str(ROOT / "pyproject.toml")]  # fmt: skip
    program = Path(sys.executable).parent / "cyclonedx-py"
    made = subprocess.run([program, *words], capture_output=True, text=True, check=True)
    bom = json.loads(made.stdout)
    for part in bom["components"]:
        part["licenses"] = _licences(part["name"])
    target.write_text(json.dumps(bom, ensure_ascii=False, indent=1), encoding="utf-8")
    unknown = [part["name"] for part in bom["components"] if not part["licenses"]]
    if unknown:
        sys.exit(f"无许可证信息 / without a licence: {', '.join(unknown)}")
    print(f"{len(bom['components'])} 个组件 / parts → {target}")  # noqa: T201


def _licences(name: str) -> list[dict[str, Any]]:
    """Return what a part says of its licence, as CycloneDX writes it."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        words = [NOT_HERE[name.lower()]] if name.lower() in NOT_HERE else []
    else:
        words = _words(told)
    return [{"license": {"name": word}} for word in words]


def _words(told: Any) -> list[str]:
    if expression := told.get("License-Expression"):
        return [expression]
    named = [one.removeprefix(CLASSIFIER) for one in told.get_all("Classifier") or ()
             if one.startswith(CLASSIFIER)]  # fmt: skip
    text = (told.get("License") or "").strip()
    return named or ([text.splitlines()[0][:LONGEST]] if text else [])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
