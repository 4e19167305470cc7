"""Model files: weights in safetensors, configuration and card as JSON in the header.

===============  ================================================================
Header entry     Meaning
===============  ================================================================
``format``       `FORMAT`
``config``       `ModelConfig.to_dict` as JSON
``card``         data, errors, license and citation of the model as JSON
``sha256``       of config and weights; absent in files of earlier versions
``polynomials``  `POLYNOMIALS` for MACE models whose basis of polynomials is computed
===============  ================================================================

A card may have any entries. ``ase-les models`` and ``info`` show the first of those below,
dynamics and the calculator use the others to detect extrapolation and to scale charges:

==========================  =====================================================
Card entry                  Meaning
==========================  =====================================================
``summary``                 one line: what the model is for
``data``                    object: ``name``, ``source``, ``citation``, ``license``
``test_errors``             object of numbers, the unit in each name
``citation``                how to cite the model
``dielectric``              ε∞ of bulk structures; its root scales their charges
``charges``                 object: mean latent charges by element, their
                            ``physical_over_latent``, and how the sign was chosen
``closest_contact_A``       shortest distance in the training data, in Å
``largest_force_eV_per_A``  largest force on an atom there, in eV/Å
``closest_contacts_A``      the shortest distance of each pair of elements there
``environments``            environments in the training data (`ase_les.environments`)
``limits``                  text: what the model should not be used for
``named_limits``            the same by name (`ase_les.model_limits`)
==========================  =====================================================

Reading a file does not execute any of its contents.
"""

# torch is imported where it is needed, because it takes a second: listing models is fast.
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ase_les.messages import one_line, without_control
from ase_les.weight_names import load_weights, weights_of

if TYPE_CHECKING:
    from torch import Tensor

    from ase_les.committee import Committee
    from ase_les.model import LESModel

FORMAT = "ase_les/1"

#: Basis of the polynomials of MACE models, to which their weights refer. In earlier versions it
#: depended on the machine.
POLYNOMIALS = "canonical"

_PACKAGE = Path(__file__).parent
_REMEDY = (
    "Use a file written by `ase_les.save_model`, or convert a published checkpoint "
    "with `ase-les convert`"
)


class ModelHeader(NamedTuple):
    """Read ``config`` and ``card`` of a model file without its weights, as plain values."""

    config: dict
    card: dict


def save_model(path: str | Path, model: LESModel, card: Mapping | None = None) -> None:
    """Write a model to one file, atomically.

    Parameters
    ----------
    path : str or Path
        Path ending in ``.safetensors``.
    model : LESModel
    card : Mapping or None
        Plain values that can be stored as JSON; None writes the card of the model.

    Raises
    ------
    ValueError
        If the suffix is different, a weight is not finite, or the card cannot be stored as JSON.
    """
    tensors = {name: tensor.contiguous() for name, tensor in weights_of(model).items()}
    check_finite(tensors, f"the model for '{path}'")
    config = json.dumps(model.config.to_dict())
    header = {
        "format": FORMAT,
        "config": config,
        "card": card_text(model.card if card is None else card),
        "sha256": digest(config, tensors),
        **basis_of(model.config.to_dict()),
    }
    write_tensors(Path(path), tensors, header)


def basis_of(config: object) -> dict[str, str]:
    """Return the header entry that names the basis of polynomials; empty without such a basis."""
    parts = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            computed = "correlation" in part and not part.get("stored_paths")
            if part.get("kind") == "mace" and computed:
                return {"polynomials": POLYNOMIALS}
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
    return {}


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """Write a safetensors file, atomically."""
    from safetensors.torch import save

    if path.suffix != ".safetensors":
        raise ValueError(f"a model file ends in .safetensors, got '{path}'")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_bytes(save(tensors, metadata=header))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_model(path: str | Path) -> LESModel:
    """Read the model of a ``.safetensors`` file, in the precision it was trained in."""
    path = Path(path)
    header = read_header(path)
    with opened(path, "pt") as file:
        entries = file.metadata()
        tensors = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        model = untrained(header.config, {n: each.get_shape() for n, each in tensors.items()}, path)
        tensors = {name: file.get_tensor(name) for name in tensors}
    check_tensors(tensors, path)
    model.to(next(iter(tensors.values())).dtype)
    load_weights(model, tensors)
    model.card = header.card
    recorded, found = entries.get("sha256"), None
    if recorded is not None:
        found = digest(entries["config"], tensors)
    elif isinstance(recorded := header.card.get("hash"), str):
        found = _hash(model, header.config)
    check_hash(recorded, found, path)
    return model.eval()


def read_header(path: str | Path) -> ModelHeader:
    """Return config and card of a model file without reading the weights."""
    return read_entries(Path(path), FORMAT)


def read_entries(path: Path, needed: str) -> ModelHeader:
    """Return config and card of a file with the required format, see `read_header`."""
    with opened(path, "np") as file:
        entries = file.metadata() or {}
    given = entries.get("format", "")
    if given != needed:
        given = one_line(given, 40)
        what = f"a file of format {given!r}" if given else "no model file of ase_les"
        remedy = "Update ase_les to read it" if given.startswith("ase_les") else _REMEDY
        if given.startswith("ase_les committee/") and needed == FORMAT:
            what = "a committee, where one model is needed"
            remedy = "Take one of `ase_les.load_model(path).members`, saved with `save_model`"
        raise ValueError(f"'{path}' is {what}; this version reads {needed!r}. {remedy}")
    header = ModelHeader(*(_json_object(entries, name, path) for name in ModelHeader._fields))
    if any(entries.get(name) != value for name, value in basis_of(header.config).items()):
        raise ValueError(
            f"'{path}' is a MACE model of an earlier version, whose basis of polynomials depended "
            "on the machine. Train it again"
        )
    _check_card(header.card, path)
    with_polarizability = header.card.get("polarizability")
    own = with_polarizability.get("data") if isinstance(with_polarizability, dict) else None
    for part in (header.card, header.card.get("data"), own):
        if isinstance(part, dict) and "licence" in part:  # the earlier name
            part.setdefault("license", part.pop("licence"))
    return header


def load_model(name_or_path: str | Path, head: str | None = None) -> LESModel | Committee:
    """Return a shipped model by its name, or a model or committee from a file.

    Parameters
    ----------
    name_or_path : str or Path
        Name from `list_models`, a ``.safetensors`` file, or a published checkpoint: ``.pth`` of
        CACE, ``.model`` of MACE.
    head : str or None
        Name of the head, for MACE models with several heads.

    Raises
    ------
    FileNotFoundError
        If there is neither a shipped model nor a file of this name.
    ValueError
        If the file does not hold a model.
    """
    from ase_les.committee_io import is_committee, read_committee

    shipped = shipped_models()
    path = shipped.get(str(name_or_path), Path(name_or_path).expanduser())
    if not path.is_file():
        raise FileNotFoundError(
            f"no model file at '{name_or_path}' and no shipped model of that name; "
            f"shipped models are {sorted(shipped)}"
        )
    if path.suffix in (".pth", ".model"):
        from ase_les.interop import read_checkpoint

        return read_checkpoint(path, head=head)
    if head is not None:
        raise ValueError(f"`head` belongs to MACE checkpoints (.model), got '{path}'; leave it out")
    return read_committee(path) if is_committee(path) else read_model(path)


def load_single_model(name_or_path: str | Path, head: str | None = None) -> LESModel:
    """Return a single model as `load_model` does; committees are rejected."""
    from ase_les.model import LESModel

    loaded = load_model(name_or_path, head)
    if isinstance(loaded, LESModel):
        return loaded
    raise ValueError(
        f"'{name_or_path}' is a committee of {len(loaded.members)} models, where one model is "
        "needed. Take one of `ase_les.load_model(path).members`, saved with `save_model`"
    )


def list_models() -> dict[str, dict]:
    """Return the cards of the shipped models by name."""
    return {name: read_header(path).card for name, path in shipped_models().items()}


def shipped_models() -> dict[str, Path]:
    """Return the files of the shipped models by name, in alphabetical order."""
    # Inside the package when installed, beside it in a source checkout.
    for home in (_PACKAGE / "shipped_models", _PACKAGE.parent / "models"):
        # Other folders may be called "models" too; only ours have cards.
        files = {
            path.parent.name: path
            for path in sorted(home.glob("*/model.safetensors"))
            if path.with_name("card.json").is_file()
        }
        if files:
            return files
    return {}


def model_hash(model: LESModel) -> str:
    """Return the hash (16 hexadecimal digits) of config and weights; the card is not included."""
    return _hash(model, model.config.to_dict())


def _hash(model: LESModel, config: Mapping) -> str:
    # Not sorted: the order of the elements defines the embedding rows.
    digest = hashlib.sha256(json.dumps(_original_names(config)).encode())
    for name, tensor in sorted(weights_of(model).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _original_names(config: object) -> object:
    """Give the keys of a config their original names, so that renaming does not change the hash."""
    if isinstance(config, Mapping):
        names = {"cutoff_scale": "reach"}
        if "nu_max" in config:  # a representation of CACE; MACE had the present name from the start
            names["mean_neighbors"] = "mean_neighbours"
        return {names.get(key, key): _original_names(value) for key, value in config.items()}
    return list(map(_original_names, config)) if isinstance(config, list | tuple) else config


@contextmanager
def opened(path: Path, framework: str) -> Iterator:
    """Open a safetensors file; ValueError if it is damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"no model file at '{path}'")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise ValueError(
            f"'{path}' is damaged or no safetensors file ({one_line(error)}). {_REMEDY}"
        ) from None


def untrained(config: Mapping, shapes: Mapping[str, Sequence[int]], path: Path) -> LESModel:
    """Return the model of a config, uninitialized, if its weights have these names and shapes."""
    from ase_les.model_config import ModelConfig
    from ase_les.model_sizes import model_of_shapes

    try:
        settings = ModelConfig.from_dict(config)
    except (ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(
            f"the config in '{path}' does not describe a model: {one_line(error)}. {_REMEDY}"
        ) from None
    try:
        return model_of_shapes(settings, shapes)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        raise ValueError(
            f"the weights in '{path}' do not belong to its config: {one_line(error)}. {_REMEDY}"
        ) from None


def check_hash(recorded: object, found: object, path: Path) -> None:
    """Compare the hash in the header of a file with that of its contents."""
    if recorded != found:
        raise ValueError(
            f"'{path}' is damaged: config or weights differ from the hash in its header "
            f"({one_line(recorded, 20)}, found {one_line(found, 20)}). Restore the file"
        )


def digest(config: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of the config text, and of names, types and values of the weights."""
    result = hashlib.sha256(config.encode())
    for name, tensor in sorted(tensors.items()):
        result.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        result.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return result.hexdigest()


def _json_object(entries: Mapping[str, str], name: str, path: Path) -> dict:
    try:
        value = without_control(json.loads(entries[name], parse_constant=_no_constant))
    except (KeyError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"'{path}' needs a JSON object as header entry {name!r}. {_REMEDY}")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_card(card: Mapping, path: Path) -> None:
    """Check the card entries that calculations use."""
    for name in ("dielectric", "closest_contact_A", "largest_force_eV_per_A"):
        value = card.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 <= value < 1e6):
            raise ValueError(
                f"the card in '{path}' needs a number from 0 to 1e6 as {name!r}, "
                f"got {one_line(repr(value), 40)}"
            )
    for name in ("data", "charges", "test_errors", "closest_contacts_A"):
        if not isinstance(card.get(name, {}), dict):
            raise ValueError(f"the card in '{path}' needs an object as {name!r}")
    if not isinstance(card.get("total_charges_e", []), list):
        raise ValueError(f"the card in '{path}' needs a list as 'total_charges_e'")


def check_tensors(given: Mapping[str, Tensor], path: Path) -> None:
    """Check precision and values of the weights in a file."""
    import torch

    precisions = {tensor.dtype for tensor in given.values()}
    if precisions not in ({torch.float32}, {torch.float64}):
        raise ValueError(
            f"weights in '{path}' must all be float32 or all float64, "
            f"got {sorted(map(str, precisions))}. {_REMEDY}"
        )
    check_finite(given, f"'{path}'")


def check_finite(tensors: Mapping[str, Tensor], owner: str) -> None:
    """Raise an error if weights are not finite."""
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"weights must be finite; in {owner} these are not: {broken}")


def card_text(card: Mapping) -> str:
    """Return a card as JSON; raise ValueError if it cannot be stored."""
    try:
        return json.dumps(dict(card), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a model card holds plain finite values ready for JSON: {error}"
        ) from None
