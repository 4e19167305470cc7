"""What the ASE calculators of other packages give: the table of the README, from their code.

    python benchmarks/other_packages.py [--wheels FOLDER]

Downloads the wheels of the versions below (without their dependencies), reads calculators as text
and fails if one does not contain what the README says. Nothing of them is imported.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

VERSIONS = {"mace-torch": "0.3.16", "aimnet": "0.2.6", "deepmd-kit": "3.2.0", "torch-pme": "0.5.0"}
LICENSES = {
    "mace-torch": "MIT",
    "aimnet": "MIT",
    "deepmd-kit": "LGPL-3.0",
    "torch-pme": "BSD-3-Clause",
}
COMMON = {
    *("energy", "energies", "free_energy", "forces", "stress", "stresses", "virial", "virials"),
    "node_energy",
}


def strings(code: str, name: str) -> set[str]:
    """Return the strings assigned to `name`, or with which a list of this name is extended."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        value = None
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(ast.unparse(each).endswith(name) for each in targets):
                value = node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f"{name}.extend"):
            value = node.args[0]
        if value is not None:
            constants = (each for each in ast.walk(value) if isinstance(each, ast.Constant))
            found |= {each.value for each in constants if isinstance(each.value, str)}
    return found


def facts(wheels: dict[str, zipfile.ZipFile]) -> Iterator[tuple[str, str, bool]]:
    """Yield package, statement, and whether the code agrees."""

    def code(package: str, path: str) -> str:
        return wheels[package].read(path).decode()

    mace = code("mace-torch", "mace/calculators/mace.py")
    given = strings(mace, "implemented_properties") - COMMON
    yield (
        "mace-torch",
        "dipole models: dipole, polarizability, charges",
        given >= {*("dipole", "polarizability", "charges")},
    )
    modules = code("mace-torch", "mace/modules/extensions.py")
    polar = modules[modules.index("class PolarMACE") :]
    yield (
        "mace-torch",
        "MACE-POLAR: charges, dipole, spins in results; external field",
        all(
            f'"{name}"' in polar and f'"{name}"' in mace
            for name in ("charges", "dipole", "spins", "external_field")
        ),
    )
    les = modules[modules.index("class MACELES") : modules.index("class PolarMACE")]
    yield (
        "mace-torch",
        "LES models compute charges and Born charges, which the calculator leaves out",
        '"BEC"' in les and '"latent_charges"' in les and "BEC" not in mace,
    )
    yield (
        "mace-torch",
        "long range by the packages les and graph_longrange",
        ("from les import" in modules and "from graph_longrange" in modules),
    )
    aimnet = strings(
        code("aimnet", "aimnet/calculators/aimnet2ase.py"), "implemented_properties"
    ) - {*COMMON, "spin_charges"}
    yield "aimnet", "charges, dipole (as dipole_moment)", aimnet == {"charges", "dipole_moment"}
    yield (
        "aimnet",
        "Ewald and particle-mesh sums",
        all(f'"{name}"' in code("aimnet", "aimnet/modules/lr.py") for name in ("ewald", "pme")),
    )
    deepmd = strings(code("deepmd-kit", "deepmd/calculator.py"), "implemented_properties") - COMMON
    yield "deepmd-kit", "nothing beyond energy, forces, stress", not deepmd
    sources = [name for name in wheels["torch-pme"].namelist() if name.endswith(".py")]
    texts = [code("torch-pme", name) for name in sources]
    yield "torch-pme", "no ASE calculator", not any("from ase" in text for text in texts)
    yield (
        "torch-pme",
        "Ewald, PME, P3M and a correction for slabs",
        any("class P3MCalculator" in text for text in texts)
        and any("pbc_correction" in text for text in texts),
    )
    for package, terms in LICENSES.items():
        (metadata,) = (n for n in wheels[package].namelist() if n.endswith("dist-info/METADATA"))
        yield package, f"license {terms}", terms in code(package, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder of wheels; downloaded if absent")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.wheels or Path(temporary)
        for package, version in VERSIONS.items():
            if arguments.wheels is None:
                command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                only = ["--only-binary", ":all:", "--dest", str(folder)]
                subprocess.run([*command, *only, f"{package}=={version}"], check=True)
        wheels = {}
        for package, version in VERSIONS.items():
            (path,) = folder.glob(f"{package.replace('-', '_')}-{version}-*.whl")
            wheels[package] = zipfile.ZipFile(path)
        wrong = 0
        for package, statement, agrees in facts(wheels):
            wrong += not agrees
            print(f"{'yes' if agrees else 'NO '}  {package} {VERSIONS[package]}: {statement}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
