"""A MACE file with code in it runs nothing while it is read."""

from __future__ import annotations

import io
import json
import pickletools
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import fx, nn
from torch.fx.graph_module import reduce_graph_module

# Reads a file under an audit hook and reports all events that a reader has no business with.
READ = """
import json, sys
from ase_les.interop.checkpoint import read_checkpoint
path, seen, armed = sys.argv[1], [], False
WATCHED = (
    "exec", "compile", "import", "open", "os.", "subprocess.", "socket.", "ctypes.", "pickle.",
    "shutil.", "marshal.", "urllib.",
)
def hook(event, arguments):
    if armed and event.startswith(WATCHED):
        seen.append([event, str(arguments[:1])[:200]])
sys.addaudithook(hook)
"".encode("cp437")  # how zip archives without a flag write names
before = set(sys.modules)
armed = True
try:
    read_checkpoint(path)
    message = ""
except ValueError as error:
    message = str(error)
finally:
    armed = False
print(json.dumps({"message": message, "seen": seen, "modules": sorted(set(sys.modules) - before)}))
"""


def read_under_watch(path: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    # Opening the file itself, and looking up the names of the pickle, which our class answers.
    found["seen"] = [
        (event, about)
        for event, about in found["seen"]
        if not (event == "open" and path.name in about) and event != "pickle.find_class"
    ]
    return found


class Hostile:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def archive(path: Path, content) -> Path:
    torch.save(content, path)
    return path


def scripted() -> bytes:
    class Twice(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(Twice(), torch.ones(1)), file)
    return file.getvalue()


def test_source_text_of_a_traced_module_is_not_executed(tmp_path):
    marker = tmp_path / "ran"
    source = f"open({str(marker)!r}, 'w')\ndef forward(self, input):\n    return input\n"
    path = archive(tmp_path / "traced.model", _stored_graph(source))
    # The file asks for the function that compiles and runs the text, and holds the text.
    with zipfile.ZipFile(path) as stored:
        (pickled,) = (stored.read(name) for name in stored.namelist() if name.endswith("data.pkl"))
    requests = [argument for code, argument, _ in pickletools.genops(pickled)]
    assert "torch.fx.graph_module reduce_graph_module" in requests
    assert any(isinstance(text, str) and source in text for text in requests)
    found = read_under_watch(path)
    assert not marker.exists()
    assert found["seen"] == [] and found["modules"] == []
    assert found["message"]


def _stored_graph(source: str) -> Hostile:
    body = fx.symbolic_trace(nn.Identity()).__dict__ | {"_code": source}
    return Hostile(reduce_graph_module, body, "import torch\n" + source)


@pytest.mark.slow
def test_code_of_the_pickle_is_not_executed(tmp_path):
    marker = tmp_path / "ran"
    for number, hostile in enumerate(
        (
            Hostile(eval, f"open({str(marker)!r}, 'w')"),
            Hostile(__import__, "antigravity"),
            Hostile(subprocess.check_call, ["touch", str(marker)]),
        )
    ):
        path = tmp_path / f"{number}.model"
        carrier = nn.Identity()
        carrier.content = hostile
        found = read_under_watch(archive(path, carrier))
        assert not marker.exists()
        assert found["seen"] == [] and found["modules"] == []
        assert "it uses" in found["message"]


def test_names_of_mace_are_recorded_and_not_imported(tmp_path):
    path = tmp_path / "named.model"
    # protocol 2: mace.modules.models.MACELES called with one argument
    pickled = b"\x80\x02cmace.modules.models\nMACELES\nX\x04\x00\x00\x00text\x85R."
    with zipfile.ZipFile(path, "w") as stored:
        stored.writestr("archive/data.pkl", pickled)
    found = read_under_watch(path)
    assert found["seen"] == [] and found["modules"] == []
    assert "without the attribute" in found["message"]


def test_a_program_within_the_file_is_carried_as_bytes(tmp_path):
    carrier = nn.Identity()
    carrier.content = scripted()
    found = read_under_watch(archive(tmp_path / "blob.model", carrier))
    assert found["seen"] == [] and found["modules"] == []


def test_a_compiled_model_is_refused_with_its_remedy(tmp_path):
    path = tmp_path / "water_compiled.model"
    path.write_bytes(scripted())
    found = read_under_watch(path)
    assert found["seen"] == [] and found["modules"] == []
    assert "TorchScript" in found["message"] and "without '_compiled'" in found["message"]


def test_the_watch_sees_what_it_is_for(tmp_path):
    path = archive(tmp_path / "plain.model", {"weights": torch.ones(2)})
    careless = READ.replace(
        "read_checkpoint(path)", "import torch, colorsys; open(path + 'x', 'w')"
    )
    done = subprocess.run(
        [sys.executable, "-c", careless, str(path)], capture_output=True, text=True, check=True
    )
    events = {event for event, _ in json.loads(done.stdout)["seen"]}
    assert {"import", "open"} <= events


@pytest.mark.parametrize("name", ["dipep-maceles-r-4-l-0", "water-maceles-r-4.5-nl-0"])
def test_published_files_run_nothing_either(name, shared):
    path = shared / "published" / "mace-les" / f"{name}.model"
    if not path.is_file():
        pytest.skip(f"no published model at {path}")
    found = read_under_watch(path)
    assert found["message"] == ""
    assert [event for event, _ in found["seen"] if event not in ("import", "open")] == []
    assert not [m for m in found["modules"] if m.startswith(("mace", "e3nn", "les"))]
