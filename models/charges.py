r"""Compare charges of models with references: ``python models/charges.py [MODEL …]``.

For every shipped model with one charge per atom, over its test structures, by element: the mean
latent charge :math:`q`, the mean latent Born charge :math:`\mathrm{tr}\,Z/3`, standard deviations,
and the ratio :math:`q / (\mathrm{tr}\,Z/3)` of the means. The ratio is near 1 if the charges are
localized on the atoms. Also shown, if the data contain them:

- Born charges of density functional theory, :math:`\mathrm{tr}\,Z^*/3 \sqrt{\epsilon_\infty}^{-1}`:
  on the scale of latent charges; for the test structures, or else (water) for training structures,
  whose Born charges were not used for training.
- A population analysis (MBIS, Hirshfeld): R² and slope of model against reference, over atoms.
- The dipole of a water molecule, :math:`\sqrt{\epsilon_\infty} |\sum_i q_i \mathbf{r}_i|` from the
  charges of its three atoms. From the Born charges of RPBE-D3 it is 0.442 e Å in liquid water
  (Zhong, Kim, King, Cheng, arXiv 2504.05169).

ε∞ is taken from the card of the model, or 1 without entry; dipoles are then latent.

Other models and structures: ``--model FILE --data FILE.extxyz --dielectric 1.78``. Many shipped
models are tested on data sets that are not part of this repository; missing ones are reported and
skipped. ``--data-sets FOLDER`` replaces the location given in ``train.yml``. Writes
``<output>-summary.yml`` and ``<output>.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from rich import box
from rich.table import Table

from ase_les import LESModel, load_model
from ase_les.configuration import from_mapping, read_yaml
from ase_les.graph import graph_from_atoms
from ase_les.model_io import shipped_models
from ase_les.neighbors import NeighborList
from ase_les.properties.molecules import molecular_dipoles, molecules
from ase_les.reading import without_slice
from ase_les.reports.figures import new_figure
from ase_les.reports.terminal import console, progress_bar
from ase_les.response import born_charges, has_local_polarization
from ase_les.runs.output import write_summary
from ase_les.training import DataConfig, LabelNames, divided, read_frames
from ase_les.training.learning.born_labels import by_polarization
from ase_les.training.learning.response_evaluation import Agreement, center_of_mass

HERE = Path(__file__).parent

DATA_SETS = "../../../shared/data"
POPULATION = "REF_charges"
POPULATION_ANALYSIS = {
    "dipeptides": "MBIS",
    "carbon-chain": "Hirshfeld",
}
LITERATURE_DIPOLE_EA = 0.442
SHORT = 3
"""Number of structures of each model with ``--short``."""


@dataclass(frozen=True)
class Structures:
    """Structures on which the charges of a model are evaluated.

    ``source``: name of the structures. ``born_frames``, ``born_source``: structures with reference
    Born charges and their name, None if the same as ``frames``. ``labels``: names in the files.
    """

    frames: Sequence[Atoms]
    source: str
    labels: LabelNames
    born_frames: Sequence[Atoms] | None = None
    born_source: str | None = None

    def some(self, count: int) -> Structures:
        """Return evenly spaced structures, at most `count` of each kind."""
        return Structures(
            evenly(self.frames, count),
            self.source,
            self.labels,
            None if self.born_frames is None else evenly(self.born_frames, count),
            self.born_source,
        )


@dataclass(frozen=True)
class Charges:
    """Charges of all atoms of several structures, (N,) in e; NaN if missing.

    ``latent``: charges of the model. ``born``: latent tr Z/3 of the model. ``reference_born``: tr
    Z/3 of the labels divided by √ε∞. ``population``: charges of a population analysis.
    ``born_pair`` (2, n): all components of the Born charges of labels and model. ``water_dipoles``
    (M,): magnitudes of the latent dipoles of water molecules in e Å.
    """

    symbols: np.ndarray
    latent: np.ndarray
    born: np.ndarray
    reference_born: np.ndarray
    population: np.ndarray
    born_pair: np.ndarray
    water_dipoles: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="shipped models; default: all")
    parser.add_argument("--model", type=Path, help="model file; requires --data")
    parser.add_argument("--data", type=Path, help="structures, such as x.extxyz or x.extxyz@:5")
    parser.add_argument("--dielectric", type=float, help="ε∞ of the periodic structures of --data")
    parser.add_argument(
        "--born-rows", choices=["polarization", "displacement"], default="polarization"
    )
    parser.add_argument(
        "--data-sets", type=Path, help=f"folder that replaces {DATA_SETS} in train.yml"
    )
    parser.add_argument("--short", action="store_true", help=f"only {SHORT} structures per model")
    parser.add_argument("--output", default="charges", help="stem of the files")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if bool(args.model) != bool(args.data) or (args.model and args.names):
        parser.error("give names of shipped models, or --model and --data together")
    torch.set_num_threads(args.threads)
    results = {}
    for name, path in chosen_models(args.names, args.model).items():
        model = load_model(path)
        if not model.has_charges:
            report(f"{name}: no single charge per atom; skipped")
            continue
        try:
            found = (
                Structures(
                    read_frames(args.data), str(args.data), LabelNames(born_rows=args.born_rows)
                )
                if args.data
                else own_structures(HERE / name, args.data_sets)
            )
        except FileNotFoundError as error:
            report(f"{name} skipped: {error}")
            continue
        dielectric = args.dielectric or float(model.card.get("dielectric") or 1.0)
        if args.short:
            found = found.some(SHORT)
        results[name] = summarize(model, found, dielectric, name)
    if not results:
        raise SystemExit("nothing to show: no structures of any model were found; see above")
    for table in (
        table_of_elements(results),
        table_of_agreements(results),
        table_of_dipoles(results),
    ):
        if table.row_count:
            console().print(table)
    output = Path(args.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    summary, figure = (output.with_name(output.name + end) for end in ("-summary.yml", ".png"))
    write_summary(summary, {"models": results})
    draw(figure, results)
    report(f"written: {summary}, {figure}")


def chosen_models(names: Sequence[str], model: Path | None) -> dict[str, Path]:
    """Return model files by name."""
    if model:
        return {model.stem: model}
    shipped = shipped_models()
    unknown = sorted(set(names) - set(shipped))
    if unknown:
        raise SystemExit(f"no shipped model {unknown[0]!r}; there are {', '.join(shipped)}")
    return {name: shipped[name] for name in names or shipped}


def own_structures(folder: Path, data_sets: Path | None = None) -> Structures:
    """Return the test structures of a shipped model, as specified in its ``train.yml``.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    data_sets : Path or None
        Folder that replaces ``DATA_SETS`` in file names.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    """
    data = from_mapping(DataConfig, read_yaml(folder / "train.yml")["data"])
    labels = data.labels

    def place(file: str) -> Path:
        if data_sets is not None and file.startswith(DATA_SETS):
            return data_sets / file[len(DATA_SETS) :].lstrip("/")
        return folder / file

    separate_test = isinstance(data.test, str)
    for file in [data.test] if separate_test else data.training:
        if not without_slice(place(file)).is_file():
            raise FileNotFoundError(
                f"'{without_slice(place(file))}' is missing; this data set is not part of the "
                "repository. Give its folder with --data-sets, or use --model and --data"
            )
    if separate_test:
        frames, source = data.frames(place(data.test)), Path(data.test).name
    else:
        frames = divided(data, lambda file: data.frames(place(file)))["test"]
        source = f"test part of {', '.join(Path(file).name for file in data.training)}"

    def have_born_charges(structures: Sequence[Atoms]) -> bool:
        return any(labels.born_effective_charges in atoms.arrays for atoms in structures)

    if not have_born_charges(frames):
        for file in data.training:
            if without_slice(place(file)).is_file():
                learned = data.frames(place(file))
                if have_born_charges(learned):
                    where = f"{Path(file).name}, whose Born charges were not trained on"
                    return Structures(frames, source, labels, learned, where)
    return Structures(frames, source, labels)


def evenly(items: Sequence, count: int) -> list:
    """Return at most `count` evenly spaced items."""
    chosen = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[index] for index in chosen]


def charges_of(
    model: LESModel,
    frames: Sequence[Atoms],
    labels: LabelNames,
    dielectric: float,
    what: str = "structures",
) -> Charges:
    """Return the charges of a model and of the labels for all structures.

    Parameters
    ----------
    model : LESModel
        With one charge per atom.
    frames : sequence of Atoms
    labels : LabelNames
    dielectric : float
        ε∞ of periodic structures; labels of Born charges are divided by its square root.
    what : str
        Description for the progress bar.
    """
    neighbors = NeighborList(model.config.cutoff)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in Charges.__dataclass_fields__}
    with progress_bar(console()) as bar:
        task = bar.add_task(what, total=len(frames), status="")
        for atoms in frames:
            model.check_coverage(atoms.numbers.tolist(), float(atoms.info.get("charge", 0)))
            graph = graph_from_atoms(atoms, neighbors)
            latent, tensors = _of_structure(model, graph)
            known = reference_born_charges(atoms, labels, dielectric)
            parts["symbols"].append(np.array(chemical_symbols)[atoms.numbers])
            parts["latent"].append(latent)
            parts["born"].append(tensors.trace(axis1=1, axis2=2) / 3)
            parts["reference_born"].append(known.trace(axis1=1, axis2=2) / 3)
            parts["population"].append(
                np.asarray(atoms.arrays.get(POPULATION, np.full(len(atoms), np.nan)), float)
            )
            pair = np.stack([known.ravel(), tensors.ravel()])
            parts["born_pair"].append(pair[:, np.isfinite(pair).all(0)])
            parts["water_dipoles"].append(water_dipoles(atoms, latent))
            bar.advance(task)
    return Charges(**{name: np.concatenate(values, axis=-1) for name, values in parts.items()})


def _of_structure(model: LESModel, graph) -> tuple[np.ndarray, np.ndarray]:
    """Return latent charges (N,) and Born charges (N, 3, 3) in e, NaN if not defined."""
    if has_local_polarization(model, graph):
        latent, tensors = born_charges(model, graph, center_of_mass(graph))
        return latent.detach().double().numpy(), tensors.detach().double().numpy()
    with torch.no_grad():
        latent = model(graph).charges[:, 0].double().numpy()
    return latent, np.full((len(latent), 3, 3), np.nan)


def reference_born_charges(atoms: Atoms, labels: LabelNames, dielectric: float) -> np.ndarray:
    """Return labeled Born charges (N, 3, 3) on the scale of latent ones, NaN if missing."""
    known = atoms.arrays.get(labels.born_effective_charges)
    if known is None:
        return np.full((len(atoms), 3, 3), np.nan)
    screening = np.sqrt(dielectric) if atoms.pbc.any() else 1.0
    return by_polarization(known.reshape(-1, 3, 3), labels.born_rows) / screening


def water_dipoles(atoms: Atoms, charges: np.ndarray) -> np.ndarray:
    """Return the magnitudes of the dipoles of all water molecules, (M,) in e Å.

    Only oxygen and hydrogen are considered, to include molecules bonded to an ion or a surface.
    """
    candidates = np.flatnonzero(np.isin(atoms.numbers, (1, 8)))
    part = atoms[candidates]
    chosen = [
        index for index in molecules(part) if sorted(part.numbers[index].tolist()) == [1, 1, 8]
    ]
    if not chosen:
        return np.zeros(0)
    kept = np.concatenate(chosen)
    dipoles = molecular_dipoles(part[kept], np.asarray(charges)[candidates[kept]])
    return np.linalg.norm(dipoles, axis=1)


def summarize(
    model: LESModel, structures: Structures, dielectric: float, name: str
) -> dict[str, object]:
    """Return the results for a model as plain containers."""
    found = charges_of(model, structures.frames, structures.labels, dielectric, name)
    others = structures.born_frames
    known = (
        found
        if others is None
        else charges_of(model, others, structures.labels, dielectric, f"{name}, Born charges")
    )
    entries: dict[str, object] = {
        "structures": structures.source,
        "n_structures": len(structures.frames),
        "dielectric": dielectric,
        "elements": elements_of(found, known),
    }
    if known.born_pair.size:
        entries["born_charges_model_vs_DFT"] = {
            "structures": structures.source if others is None else structures.born_source,
            **Agreement.between(*known.born_pair).to_dict(),
        }
    compared = np.isfinite(found.population)
    if compared.any():
        entries["latent_charges_vs_population_analysis"] = {
            "analysis": POPULATION_ANALYSIS.get(name, POPULATION),
            **Agreement.between(found.population[compared], found.latent[compared]).to_dict(),
        }
    if len(found.water_dipoles):
        dipoles = np.sqrt(dielectric) * found.water_dipoles
        entries["water_dipole_eA"] = {
            "mean": rounded(dipoles.mean()),
            "stdev": rounded(dipoles.std()),
            "molecules": len(dipoles),
            "literature": LITERATURE_DIPOLE_EA,
        }
    return entries


def elements_of(found: Charges, known: Charges) -> dict[str, dict[str, float]]:
    """Return means, standard deviations, ratio and available references by element.

    Parameters
    ----------
    found : Charges
        Charges of the structures.
    known : Charges
        Charges of the structures with reference Born charges.
    """
    entries = {}
    for element in sorted(set(found.symbols.tolist()), key=chemical_symbols.index):
        chosen = found.symbols == element
        latent, born = found.latent[chosen], found.born[chosen]
        row = {
            "atoms": int(chosen.sum()),
            "q_e": rounded(latent.mean()),
            "q_stdev_e": rounded(latent.std()),
        }
        born = born[np.isfinite(born)]
        if len(born):
            # The ratio excludes structures without Born charges.
            same = latent[np.isfinite(found.born[chosen])]
            row |= {"born_e": rounded(born.mean()), "born_stdev_e": rounded(born.std())}
            row["ratio"] = rounded(same.mean() / born.mean())
        labeled = (known.symbols == element) & np.isfinite(known.reference_born)
        if labeled.any():
            row["DFT_born_e"] = rounded(known.reference_born[labeled].mean())
            row["born_of_the_same_atoms_e"] = rounded(known.born[labeled].mean())
        population = found.population[chosen]
        if np.isfinite(population).any():
            row["population_e"] = rounded(np.nanmean(population))
        entries[element] = row
    return entries


def table_of_elements(results: Mapping[str, Mapping]) -> Table:
    """Return a table of latent charges by model and element; DFT values are divided by √ε∞."""
    table = _table("latent charges in e, mean ± deviation; DFT is tr Z*/3 / √ε∞")
    for column in ("model", "atoms"):
        table.add_column(column, no_wrap=True)
    for column in ("q", "±", "tr Z/3", "±", "ratio", "DFT", "pop."):
        table.add_column(column, justify="right", no_wrap=True)
    for name, entries in results.items():
        for index, (element, row) in enumerate(entries["elements"].items()):
            table.add_row(
                name if index == 0 else "",
                f"{row['atoms']} {element}",
                _number(row, "q_e"),
                _number(row, "q_stdev_e", ".3f"),
                _number(row, "born_e"),
                _number(row, "born_stdev_e", ".3f"),
                _number(row, "ratio", ".2f"),
                _number(row, "DFT_born_e", "+.2f"),
                _number(row, "population_e", "+.2f"),
            )
        table.add_section()
    return table


def table_of_agreements(results: Mapping[str, Mapping]) -> Table:
    """Return a table of correlations with references by model."""
    table = _table("against references")
    for column in ("model", "what"):
        table.add_column(column, no_wrap=True)
    for column in ("R²", "slope", "RMSE / e", "numbers"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, entries in results.items():
        born = entries.get("born_charges_model_vs_DFT")
        population = entries.get("latent_charges_vs_population_analysis")
        if born:
            table.add_row(name, "all nine of Z, DFT", *_agreement(born))
        if population:
            table.add_row(name, f"q, {population['analysis']}", *_agreement(population))
    return table


def table_of_dipoles(results: Mapping[str, Mapping]) -> Table:
    """Return a table of dipoles of water molecules by model."""
    table = _table(f"dipole of H2O in e Å: √ε∞ |Σ q r|; DFT {LITERATURE_DIPOLE_EA}")
    table.add_column("model", no_wrap=True)
    for column in ("dipole", "molecules", "ε∞"):
        table.add_column(column, justify="right")
    for name, entries in results.items():
        if dipole := entries.get("water_dipole_eA"):
            table.add_row(
                name,
                f"{dipole['mean']:.3f} ± {dipole['stdev']:.3f}",
                str(dipole["molecules"]),
                f"{entries['dielectric']:g}",
            )
    return table


def _table(title: str) -> Table:
    # Without vertical rules all columns fit into 80 characters.
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def draw(path: Path, results: Mapping[str, Mapping]) -> None:
    """Plot latent charges against tr Z/3 of the model, and the latter against references."""
    with new_figure(path, 10.5, 5.2) as figure:
        panels = figure.subplots(1, 2)
        drawn = (
            ("born_e", "q_e", "latent charge q (e)"),
            ("DFT_born_e", "born_of_the_same_atoms_e", "model tr Z/3 (e)"),
        )
        for axis, (horizontal, vertical, label) in zip(panels, drawn, strict=True):
            reached = 0.5
            for index, (name, entries) in enumerate(results.items()):
                rows = {e: r for e, r in entries["elements"].items() if horizontal in r}
                if not rows:
                    continue
                x, y = (
                    np.array([row[each] for row in rows.values()])
                    for each in (horizontal, vertical)
                )
                marker = "osD^v"[index // 7 % 5]
                axis.plot(x, y, marker, color=f"C{index % 7}", markersize=5, label=name)
                for element, place in zip(rows, zip(x, y, strict=True), strict=True):
                    axis.annotate(element, place, (4, 2), textcoords="offset points", fontsize=7)
                reached = max(reached, np.abs([x, y]).max())
            ends = np.array([-1.1, 1.1]) * reached
            axis.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
            if vertical == "q_e":
                axis.fill_between(ends, 0.85 * ends, 1.15 * ends, color="0.92", zorder=-1)
            axis.axhline(0, color="0.85", linewidth=0.6, zorder=-2)
            axis.axvline(0, color="0.85", linewidth=0.6, zorder=-2)
            axis.set_xlabel(
                "model tr Z/3, latent (e)" if vertical == "q_e" else "DFT tr Z*/3 / √ε∞ (e)"
            )
            axis.set_ylabel(label)
            if axis.lines and axis.get_legend_handles_labels()[0]:
                axis.legend(frameon=False, fontsize=7)
        panels[0].set_title("band: q within 15 % of tr Z/3", fontsize="medium")
        panels[1].set_title("Born charges against reference", fontsize="medium")


def rounded(value: float) -> float:
    return float(f"{float(value):.4g}")


def report(text: str) -> None:
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def _number(row: Mapping, name: str, form: str = "+.3f") -> str:
    return format(row[name], form) if name in row else "–"


def _agreement(row: Mapping) -> list[str]:
    return [*(f"{row[each]:.3f}" for each in ("R2", "slope", "rmse")), f"{row['n']:.0f}"]


if __name__ == "__main__":
    main()
