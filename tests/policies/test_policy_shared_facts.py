"""What the policy files cite is in the policy catalogue, which stands beside the project."""

import re
import tomllib
from pathlib import Path

import pytest
from beside import of_shared

from streams.policies.load import shipped_book_dir

FILES = sorted(shipped_book_dir().parent.glob("*/*.toml"))
S_NUMBER = re.compile(r"\bS\d{1,2}\b", re.ASCII)

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def catalogue() -> str:
    return of_shared("facts", "policies.md").read_text("utf-8")


@pytest.fixture(scope="module")
def listed(catalogue: str) -> set[str]:
    """The S-numbers of the catalogue's own list of sources."""
    return set(S_NUMBER.findall(catalogue.partition("\n## Sources")[2]))


def test_catalogue_lists_its_sources_without_a_gap(listed: set[str]) -> None:
    assert listed == {f"S{number}" for number in range(1, len(listed) + 1)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_source_names_a_number_of_the_catalogue(path: Path, listed: set[str]) -> None:
    for key, source in tomllib.loads(path.read_text("utf-8")).get("sources", {}).items():
        numbers = set(S_NUMBER.findall(source["text"]))
        assert numbers, f"{key} names no S-number"
        assert numbers <= listed, f"{key} names a source that is not in the catalogue"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_platform_cites_what_its_section_cites(path: Path, catalogue: str) -> None:
    """Somebody else's source under a platform's own notice is a slip of the pen."""
    if path.stem == "_defaults":
        return
    section = re.search(
        rf"^## \d+\. [^\n]*`{path.stem}\.yaml`.*?(?=^## )", catalogue, re.MULTILINE | re.DOTALL
    )
    assert section is not None
    own = set(S_NUMBER.findall(section[0]))
    for key, source in tomllib.loads(path.read_text("utf-8"))["sources"].items():
        if source["status"] in ("notice", "notice_via_repost"):
            assert set(S_NUMBER.findall(source["text"])) & (own | {"S28", "S29"}), key
