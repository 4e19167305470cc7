"""Models as files: the weights in safetensors, what they mean as JSON in its header.

=============  ==================================================================
Header entry   Meaning
=============  ==================================================================
``format``     `FORMAT`
``config``     `ModelConfig.to_dict` as JSON
``card``       data, errors, licence and citation of the model as JSON
=============  ==================================================================

A card is free in what it tells; ``ase-les models`` and ``info`` show the first of these entries,
the alarms of dynamics read the last two, the calculator reads ``dielectric``:

==========================  =====================================================
Card entry                  Meaning
==========================  =====================================================
``summary``                 one line: what the model is for
``data``                    object: ``name``, ``source``, ``citation``, ``licence``
``test_errors``             object of numbers, the unit in each name
``citation``                how to cite the model
``dielectric``              ε∞ of bulk structures; its root scales their charges
``charges``                 object: what its means by element are (latent), their
                            ``physical_over_latent``, and what decided about the sign
``closest_contact_A``       shortest distance in the training data, in Å
``largest_force_eV_per_A``  largest force on an atom there, in eV/Å
``closest_contacts_A``      the shortest distance of each pair of elements there
``environments``            their environments (`ase_les.environments`)
``limits``                  prose: what the model is not made for
``named_limits``            the same by name (`ase_les.model_limits`)
==========================  =====================================================

Reading a file executes nothing that stands in it.
"""

# torch is imported where it is needed: the list of models must not wait a second for it.
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ase_les.weight_names import load_weights, weights_of

if TYPE_CHECKING:
    from torch import Tensor

    from ase_les.model import LESModel

FORMAT = "ase_les/1"

_PACKAGE = Path(__file__).parent
_REMEDY = (
    "Give a file written by `ase_les.save_model`, or turn a published checkpoint into one "
    "with `ase-les convert`"
)


class ModelHeader(NamedTuple):
    """What a model file says without its weights: ``config`` and ``card``, plain values."""

    config: dict
    card: dict


def save_model(path: str | Path, model: LESModel, card: Mapping | None = None) -> None:
    """Write a model to one file; a file in its place is replaced only by a complete one.

    Parameters
    ----------
    path : str or Path
        Ends in ``.safetensors``.
    model : LESModel
    card : Mapping or None
        Plain values ready for JSON; None writes the card of the model.

    Raises
    ------
    ValueError
        If the path ends otherwise, a weight is not finite, or the card does not fit into JSON.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a model file ends in .safetensors, got '{path}'")
    tensors = {name: tensor.contiguous() for name, tensor in weights_of(model).items()}
    _check_finite(tensors, f"the model for '{path}'")
    header = {
        "format": FORMAT,
        "config": json.dumps(model.config.to_dict()),
        "card": _card_text(model.card if card is None else card),
    }
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(save(tensors, metadata=header))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def read_model(path: str | Path) -> LESModel:
    """The model in a ``.safetensors`` file, in the precision it was trained in.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another program, of a newer format, or its
        weights do not belong to its config.
    """
    path = Path(path)
    header = read_header(path)
    model = _untrained(header.config, path)
    with _opened(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _check_tensors(tensors, weights_of(model), path)
    model.to(next(iter(tensors.values())).dtype)
    load_weights(model, tensors)
    model.card = header.card
    return model.eval()


def read_header(path: str | Path) -> ModelHeader:
    """Config and card of a model file, in a moment: weights stay where they are.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another program, or of a newer format.
    """
    path = Path(path)
    with _opened(path, "np") as file:
        entries = file.metadata() or {}
    given = entries.get("format", "")
    if given != FORMAT:
        what = f"a file of format {given!r}" if given else "no model file of ase_les"
        remedy = "Update ase_les to read it" if given.startswith("ase_les/") else _REMEDY
        raise ValueError(f"'{path}' is {what}; this version reads {FORMAT!r}. {remedy}")
    return ModelHeader(*(_json_object(entries, name, path) for name in ModelHeader._fields))


def load_model(name_or_path: str | Path, head: str | None = None) -> LESModel:
    """Return a shipped model by its name, or a model from a file.

    Parameters
    ----------
    name_or_path : str or Path
        One of `list_models`, a ``.safetensors`` file, or a published checkpoint: ``.pth`` of
        CACE, ``.model`` of MACE.
    head : str or None
        Name of the head of a MACE model that has several.

    Raises
    ------
    FileNotFoundError
        If it is neither a shipped name nor a file.
    ValueError
        If the file does not hold a model.
    """
    shipped = shipped_models()
    if str(name_or_path) in shipped:
        return read_model(shipped[str(name_or_path)])
    path = Path(name_or_path).expanduser()
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
    return read_model(path)


def list_models() -> dict[str, dict]:
    """Cards of the shipped models by name."""
    return {name: read_header(path).card for name, path in shipped_models().items()}


def shipped_models() -> dict[str, Path]:
    """Files of the shipped models by name, in alphabetical order."""
    # Installed, they are inside the package; in a source checkout they stand beside it.
    for home in (_PACKAGE / "shipped_models", _PACKAGE.parent / "models"):
        # The card beside them tells them from what else may be called "models" there.
        files = {
            path.parent.name: path
            for path in sorted(home.glob("*/model.safetensors"))
            if path.with_name("card.json").is_file()
        }
        if files:
            return files
    return {}


def model_hash(model: LESModel) -> str:
    """Sixteen hexadecimal digits that stand for config and weights; the card does not count."""
    # The order of the elements is that of the embedding rows: it must count, so nothing is sorted.
    # Keys and weights have their first names: renaming them leaves the hash as it is.
    description = json.dumps(model.config.to_dict()).replace('"cutoff_scale"', '"reach"')
    digest = hashlib.sha256(description.encode())
    for name, tensor in sorted(weights_of(model).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _opened(path: Path, framework: str) -> Iterator:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"no model file at '{path}'")
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except SafetensorError as error:
        raise ValueError(
            f"'{path}' is damaged or no safetensors file ({error}). {_REMEDY}"
        ) from None


def _untrained(config: Mapping, path: Path) -> LESModel:
    """The model that a config describes, with any weights."""
    from ase_les.model import LESModel, ModelConfig

    try:
        return LESModel(ModelConfig.from_dict(config), seed=0)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(
            f"the config in '{path}' does not describe a model: {error}. {_REMEDY}"
        ) from None


def _json_object(entries: Mapping[str, str], name: str, path: Path) -> dict:
    try:
        value = json.loads(entries[name])
    except (KeyError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"'{path}' needs a JSON object as header entry {name!r}. {_REMEDY}")
    return value


def _check_tensors(given: Mapping[str, Tensor], needed: Mapping[str, Tensor], path: Path) -> None:
    import torch

    missing, extra = sorted(set(needed) - set(given)), sorted(set(given) - set(needed))
    if missing or extra:
        raise ValueError(
            f"weights in '{path}' do not belong to its config: missing {missing}, extra {extra}. "
            f"{_REMEDY}"
        )
    for name, tensor in given.items():
        if tensor.shape != needed[name].shape:
            raise ValueError(
                f"weight {name!r} in '{path}' must have shape {tuple(needed[name].shape)}, "
                f"got {tuple(tensor.shape)}. {_REMEDY}"
            )
    precisions = {tensor.dtype for tensor in given.values()}
    if precisions not in ({torch.float32}, {torch.float64}):
        raise ValueError(
            f"weights in '{path}' must all be float32 or all float64, "
            f"got {sorted(map(str, precisions))}. {_REMEDY}"
        )
    _check_finite(given, f"'{path}'")


def _check_finite(tensors: Mapping[str, Tensor], owner: str) -> None:
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"weights must be finite; in {owner} these are not: {broken}")


def _card_text(card: Mapping) -> str:
    try:
        return json.dumps(dict(card), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"a model card holds plain finite values ready for JSON: {error}"
        ) from None
