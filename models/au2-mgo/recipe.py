"""Make data and model again: ``python recipe.py``, or ``--quick`` for a trial of two epochs.

Labels the structures of ``label.yml`` into ``data.extxyz``, trains as ``ase-les train train.yml``
does, and puts ``model.safetensors`` and ``card.json`` beside this file. Start it again to
continue after an interruption; ``--shipped-data`` trains without the engine that labels.
"""

from pathlib import Path

from ase_les.cli.model_recipe import remake

if __name__ == "__main__":
    remake(Path(__file__).parent)
