"""Make this model again: ``python recipe.py``, or ``--quick`` for a trial of two epochs.

Trains as ``ase-les train train.yml`` does and puts ``model.safetensors`` and ``card.json`` beside
this file. Start it again to continue after an interruption.
"""

from pathlib import Path

from ase_les.cli.model_recipe import remake

if __name__ == "__main__":
    remake(Path(__file__).parent)
