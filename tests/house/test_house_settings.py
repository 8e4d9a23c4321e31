"""Every setting is documented, and every documented setting exists."""

import dataclasses
import re

from app.core.settings import Settings
from tests.house import tree

PAGE = tree.ROOT / "docs" / "settings.md"


def _documented(heading: str) -> set[str]:
    part = PAGE.read_text(encoding="utf-8").split(heading)[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z0-9_]+)` \|", part, re.MULTILINE))


def test_every_setting_of_the_server_is_documented_and_no_other() -> None:
    fields = {field.name.upper() for field in dataclasses.fields(Settings)}
    assert _documented("## The server") == fields


def test_every_setting_of_the_commands_is_read_by_a_script() -> None:
    scripts = "".join(
        path.read_text(encoding="utf-8") for path in (tree.ROOT / "scripts").glob("*.sh")
    )
    unread = {name for name in _documented("## `make run`") if f"${{{name}:-" not in scripts}
    assert not unread


def test_the_readme_shows_the_settings_that_matter_at_the_start() -> None:
    readme = (tree.ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("DATABASE_URL", "PORT", "HOST", "PUBLIC_URL", "PROFILE"):
        assert f"`{name}`" in readme
    assert "docs/settings.md" in readme
